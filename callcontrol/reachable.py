"""Whether a human can be reached now, so that a bot promises one only when there is one."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from callcontrol.core.availability import Lines
from callcontrol.core.model import AgentId, BotId, LeadId
from callcontrol.explain import explain
from callcontrol.ports import NewLead, Store

ENOUGH_CALLS = 30  # fewer say nothing
LOOK_BACK = timedelta(days=90)
LONGEST_HOLD_S = 120.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Reachable:
    """Who could be rung now, and what this site's own history says of it."""

    agents: tuple[AgentId, ...]  # each free to ring at this moment
    fallbacks: int
    likelihood: float | None  # share of this bot's transfers that found a human; none: too little data
    likely_within_s: float | None  # median from request to being joined; none: too little data
    calls_behind: int  # transfers behind the two figures
    hold_id: str | None = None  # the reservation, to be given with the request
    held_until: datetime | None = None
    held: tuple[AgentId, ...] = ()

    @property
    def reachable(self) -> bool:
        """A human, not only a fallback number that may be a voicemail."""
        return bool(self.agents)


async def reachable(
    store: Store,
    lines: Lines,
    bot_id: BotId,
    lead: LeadId | NewLead,
    now: datetime,
    *,
    hold_s: float = 0.0,
) -> Reachable:
    """With `hold_s` the agents are reserved for so long, at most 120 s. Raises UnknownError, PortError."""
    explanation = await explain(store, lines, bot_id, lead, now)
    legs = [leg for attempt in explanation.attempts for leg in attempt.legs]
    agents = tuple(dict.fromkeys(leg.agent_id for leg in legs if leg.agent_id is not None))
    past = await store.history(bot_id, now - LOOK_BACK)
    likelihood, within_s = _from(past)
    hold_id, until, held = await _hold(store, agents, now, hold_s)
    return Reachable(
        agents=held if hold_s > 0 else agents,  # whom somebody else took meanwhile is not promised
        fallbacks=sum(leg.agent_id is None for leg in legs),
        likelihood=likelihood,
        likely_within_s=within_s,
        calls_behind=len(past),
        hold_id=hold_id,
        held_until=until,
        held=held,
    )


def _from(past: Sequence[float | None]) -> tuple[float | None, float | None]:
    joined = [seconds for seconds in past if seconds is not None]
    if len(past) < ENOUGH_CALLS:
        return None, None
    return len(joined) / len(past), median(joined) if joined else None


async def _hold(
    store: Store, agents: Sequence[AgentId], now: datetime, hold_s: float
) -> tuple[str | None, datetime | None, tuple[AgentId, ...]]:
    if hold_s <= 0 or not agents:
        return None, None, ()
    hold_id, until = f"hold-{uuid.uuid4()}", now + timedelta(seconds=min(hold_s, LONGEST_HOLD_S))
    held = tuple(await store.hold(hold_id, agents, now=now, until=until))
    return (hold_id, until, held) if held else (None, None, ())
