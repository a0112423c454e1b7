"""Agents one by one: where each stands, and what is changed of it by hand."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, update

from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql import standings
from callcontrol.adapters.sql.directory import Memory
from callcontrol.adapters.sql.own_tables import Site
from callcontrol.core.model import Agent, AgentId, Candidate, EndpointKind, Standing
from callcontrol.ports import UnknownError

_NEXT_TOGGLE = (
    update(s.directory).values(toggle_seq=s.directory.c.toggle_seq + 1).returning(s.directory.c.toggle_seq)
)
_TOGGLE = update(s.agent).where(s.agent.c.id == bindparam("of"), s.agent.c.removed_at.is_(None))


def candidates(connection: Connection, memory: Memory, now: datetime, site: Site) -> tuple[Candidate, ...]:
    return of_agents(connection, site.toggles(memory.roster(connection)).everyone(), now)


def agent_at(connection: Connection, memory: Memory, address: str, now: datetime, site: Site) -> Candidate:
    """Where several share a phone, the first of them."""
    roster = site.toggles(memory.roster(connection))
    for agent in roster.known.agents.values():
        if any(e.kind is EndpointKind.EXTENSION and e.address == address for e in agent.endpoints):
            return of_agents(connection, tuple(roster.agents((roster.known.crew.numbers[agent.id],))), now)[0]
    raise UnknownError("agent at extension", address)


def of_agents(connection: Connection, agents: Sequence[Agent], now: datetime) -> tuple[Candidate, ...]:
    return candidates_of(agents, standings.of_agents(connection, agents, now))


def candidates_of(agents: Sequence[Agent], found: Mapping[AgentId, Standing]) -> tuple[Candidate, ...]:
    none = Standing()
    return tuple([Candidate(agent=agent, standing=found.get(agent.id, none)) for agent in agents])


def set_available(connection: Connection, agent_id: AgentId, available: bool) -> None:
    """Its number is taken under the directory's lock, so that no reader sees a later toggle first."""
    seq = connection.scalars(_NEXT_TOGGLE).one()
    values = {"of": agent_id, "available": available, "toggle_seq": seq}
    if connection.execute(_TOGGLE, values).rowcount == 0:
        raise UnknownError("agent", agent_id)


def rest(connection: Connection, memory: Memory, agent_id: AgentId, until: datetime | None, why: str) -> None:
    if agent_id not in memory.current(connection).agents:
        raise UnknownError("agent", agent_id)
    standings.rest(connection, agent_id, until, why)
