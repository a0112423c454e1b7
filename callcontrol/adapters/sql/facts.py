"""Whom a step is about: the lead's agent, the pool of the rule that matches, or everyone on duty."""

from sqlalchemy import Connection, select

from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.directory import Known, Memory, agent_now, members_now, with_toggle
from callcontrol.core.model import Agent, AgentId, Bot, Lead, StepKind
from callcontrol.core.routing import match
from callcontrol.ports import RoutingFacts

FALLBACK = RoutingFacts(agents=(), because="the bot's fallback numbers")

_ON_DUTY = (
    select(s.agent.c.id)
    .where(s.agent.c.active, s.agent.c.available, s.agent.c.removed_at.is_(None))
    .order_by(s.agent.c.position)
)


def of_step(connection: Connection, memory: Memory, bot: Bot, lead: Lead, kind: StepKind) -> RoutingFacts:
    match kind:
        case StepKind.ASSIGNED:
            return _assigned(connection, memory, lead)
        case StepKind.GROUP:
            return _group(connection, memory, bot, lead)
        case StepKind.FALLBACK:
            return FALLBACK


def _assigned(connection: Connection, memory: Memory, lead: Lead) -> RoutingFacts:
    if lead.assigned_agent_id is None:
        return RoutingFacts(agents=(), because="the lead has no assigned agent")
    agent = memory.current(connection).agents.get(lead.assigned_agent_id)
    if agent is None:
        return RoutingFacts(
            agents=(), because=f"the lead's assigned agent {lead.assigned_agent_id} is not in the directory"
        )
    return RoutingFacts(
        agents=(agent_now(connection, agent),), because=f"{agent.name} is the lead's assigned agent"
    )


def _group(connection: Connection, memory: Memory, bot: Bot, lead: Lead) -> RoutingFacts:
    known = memory.current(connection)
    rule = match(known.rules, lead, bot)
    if rule is None:
        return RoutingFacts(
            agents=_on_duty(connection, known),
            because="no rule matches: every active agent who is available",
        )
    pool = known.pools[rule.pool_id]
    empty = "" if pool.agent_ids else ", which is empty"
    return RoutingFacts(
        agents=members_now(connection, known, pool), because=f"rule {rule.name}: pool {pool.name}{empty}"
    )


def _on_duty(connection: Connection, known: Known) -> tuple[Agent, ...]:
    ids = connection.scalars(_ON_DUTY)
    return tuple(with_toggle(known.agents[AgentId(agent_id)], available=True) for agent_id in ids)
