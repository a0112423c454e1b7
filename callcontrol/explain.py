"""Who would ring for a lead, and why not the others: the very decision of a real transfer, without the call."""

from dataclasses import dataclass, replace
from datetime import datetime

from callcontrol.core import routing
from callcontrol.core.availability import Lines
from callcontrol.core.events import AttemptResolved, ResolveNextAttempt
from callcontrol.core.model import AgentId, Bot, BotId, Lead, LeadId, SoFar
from callcontrol.ports import FactsOf, NewLead, Store, UnknownError
from callcontrol.turn import decide


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """The attempts in order, as they would be if nobody answered; the legs' ids mean nothing."""

    bot: Bot
    lead: Lead
    at: datetime
    attempts: tuple[AttemptResolved, ...]


async def explain(
    store: Store,
    lines: Lines,
    bot_id: BotId,
    lead: LeadId | NewLead,
    at: datetime,
    *,
    about: AgentId | None = None,
) -> Explanation:
    """`about`: only this agent is told of, where an attempt considers them at all; of a large group too.

    Raises UnknownError for a bot, lead or agent that is not there, PortError where the database is away.
    """
    if about is not None and all(agent.id != about for agent in await store.agents()):
        raise UnknownError("agent", about)

    def look(bot: Bot, lead: Lead, facts_of: FactsOf) -> Explanation:
        attempts = _attempts(bot, facts_of, lines, at)
        if about is not None:
            attempts = tuple(_about(attempt, about) for attempt in attempts)
        return Explanation(bot=bot, lead=lead, at=at, attempts=attempts)

    return await store.consult(bot_id, lead, look, at, in_full=about is not None)


def _about(attempt: AttemptResolved, agent_id: AgentId) -> AttemptResolved:
    return replace(attempt, considered=tuple(one for one in attempt.considered if one.agent_id == agent_id))


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
