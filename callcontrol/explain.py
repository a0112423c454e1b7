"""Who would ring for a lead, and why not the others: the very decision of a real transfer, without the call."""

from dataclasses import dataclass, replace
from datetime import datetime

from callcontrol.core import routing
from callcontrol.core.availability import Lines
from callcontrol.core.events import AttemptResolved, ResolveNextAttempt
from callcontrol.core.model import Bot, BotId, Lead, LeadId, SoFar
from callcontrol.ports import FactsOf, NewLead, Store
from callcontrol.turn import decide


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """The attempts in order, as they would be if nobody answered; the legs' ids mean nothing."""

    bot: Bot
    lead: Lead
    at: datetime
    attempts: tuple[AttemptResolved, ...]


async def explain(
    store: Store, lines: Lines, bot_id: BotId, lead: LeadId | NewLead, at: datetime
) -> Explanation:
    """Raises UnknownError for a bot or lead that is not there, PortError where the database is away."""

    def look(bot: Bot, lead: Lead, facts_of: FactsOf) -> Explanation:
        return Explanation(bot=bot, lead=lead, at=at, attempts=_attempts(bot, facts_of, lines, at))

    return await store.consult(bot_id, lead, look, at)


def _attempts(bot: Bot, facts_of: FactsOf, lines: Lines, at: datetime) -> tuple[AttemptResolved, ...]:
    attempts: list[AttemptResolved] = []
    so_far = SoFar()
    for step in routing.plan(bot):
        more = True
        while more:
            ask = ResolveNextAttempt(step=step, ask=len(attempts) + 1)
            resolved = decide(ask, bot, facts_of, so_far, now=at, lines=lines)
            attempts.append(resolved)
            so_far = replace(so_far, rung=so_far.rung | {leg.endpoint for leg in resolved.legs})
            more = bool(resolved.legs) and resolved.next_after_s is not None
    return tuple(attempts)
