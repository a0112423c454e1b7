"""A past for the statistics: transfers with a known course, written as conductors write them."""

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from callcontrol.adapters.sql import SqlStore
from callcontrol.core.model import (
    BotId,
    Connected,
    ConnectedBy,
    LegFate,
    LegRecord,
    Missed,
    MissedBecause,
    Outcome,
    PoolId,
    StepKind,
    TransferId,
)
from callcontrol.ports import Transition
from tests.adapters.store import people as p

BEGAN = datetime.fromisoformat("2026-03-05T11:00:00+00:00")
_BY = {
    StepKind.ASSIGNED: ConnectedBy.ASSIGNED_AGENT,
    StepKind.GROUP: ConnectedBy.POOL_AGENT,
    StepKind.FALLBACK: ConnectedBy.FALLBACK,
}
_UNANSWERED = (
    LegFate.NO_ANSWER,
    LegFate.NO_ANSWER,
    LegFate.DECLINED,
    LegFate.BUSY,
    LegFate.NOT_ACCEPTED,
    LegFate.UNREACHABLE,
)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What happened, for a test's own reckoning."""

    id: TransferId
    bot_id: BotId
    requested_at: datetime
    outcome: Outcome
    legs: tuple[LegRecord, ...]


async def write(store: SqlStore, count: int = 60, seed: int = 3) -> list[Told]:
    chance = random.Random(seed)
    return [await _transfer(store, n, chance) for n in range(count)]


async def _transfer(store: SqlStore, n: int, chance: random.Random) -> Told:
    bot = chance.choice((p.SAMI, p.PLAIN)).id
    at = BEGAN + timedelta(minutes=47 * n, microseconds=chance.randrange(10**6))
    name = f"past-{n}"
    await p.opened(store, name, bot=bot, now=at)
    legs, winner = _legs(name, at, chance)
    gave_up = winner is None and chance.random() < 0.3
    if gave_up:
        last = legs[-1].attempt
        legs = [replace(leg, fate=LegFate.CANCELLED) if leg.attempt == last else leg for leg in legs]
    over = max(leg.ended_at for leg in legs if leg.ended_at)
    outcome: Outcome
    if winner is None:
        outcome = Missed(because=MissedBecause.LEAD_HUNG_UP if gave_up else MissedBecause.NO_ANSWER)
    else:
        outcome = Connected(by=_BY[winner.step], leg=winner.leg)
    await store.record(
        Transition(
            transfer_id=TransferId(name),
            entries=(p.entry(2, at=over),),
            legs=tuple(legs),
            outcome=outcome,
            closed=True,
        )
    )
    return Told(id=TransferId(name), bot_id=bot, requested_at=at, outcome=outcome, legs=tuple(legs))


def _legs(name: str, at: datetime, chance: random.Random) -> tuple[list[LegRecord], LegRecord | None]:
    legs: list[LegRecord] = []
    steps = (StepKind.ASSIGNED, StepKind.GROUP, StepKind.FALLBACK, StepKind.FALLBACK)
    for number, step in enumerate(steps, start=1):
        agents = {StepKind.ASSIGNED: (p.ANN,), StepKind.GROUP: (p.BOB, p.CYD, p.DAN)}.get(step, (None,))
        winner = chance.choice(agents) if chance.random() < 0.4 else False
        rang = timedelta(seconds=chance.uniform(0.5, 12))
        for agent in agents:
            base = replace(
                p.rung(f"{name}-{number}-{len(legs)}", agent),
                attempt=number,
                step=step,
                dialled_at=at,
                ringing_at=at + timedelta(milliseconds=40),
                pool_id=PoolId("sales") if step is StepKind.GROUP else None,
            )
            legs.append(_ended(base, rang, won=winner is agent, lost=winner is not False, chance=chance))
        if winner is not False:
            return legs, next(leg for leg in legs if leg.fate is LegFate.ANSWERED)
        at += timedelta(seconds=12.5)
    return legs, None


def _ended(leg: LegRecord, rang: timedelta, *, won: bool, lost: bool, chance: random.Random) -> LegRecord:
    at = leg.dialled_at + rang
    if won:
        joined = at + timedelta(milliseconds=7)
        over = at + timedelta(minutes=2)
        return replace(
            leg, answered_at=at, accepted_at=at, joined_at=joined, ended_at=over, fate=LegFate.ANSWERED
        )
    if lost:
        return replace(leg, ended_at=at, fate=LegFate.LOST_RACE)
    fate = chance.choice(_UNANSWERED)
    if fate is LegFate.NO_ANSWER:
        at = leg.dialled_at + timedelta(seconds=12.52)
    answered = at if fate is LegFate.NOT_ACCEPTED else None
    return replace(leg, answered_at=answered, ended_at=at, fate=fate)
