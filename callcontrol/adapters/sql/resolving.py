"""Whom a step rings now, and their reservation: two statements, asked while a lead waits.

The first looks at the directory's version, the transfer, and the standings of those the step is about; whom
that is says the directory as it was last seen, which is looked at again where the version is another one.
The second claims those who are to ring, all or nobody.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select

from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql import standings
from callcontrol.adapters.sql.agents import candidates_of
from callcontrol.adapters.sql.directory import STATE, Memory, Roster, State
from callcontrol.adapters.sql.driven import Driven
from callcontrol.adapters.sql.facts import Facts
from callcontrol.adapters.sql.own_tables import NOTHING, Site
from callcontrol.core.events import AttemptResolved
from callcontrol.core.model import AgentId, Leg, PoolId, Standing, Step, StepKind
from callcontrol.core.routing import RoutingFacts
from callcontrol.ports import Decide, TransferRow, UnknownError


def _look(dialect: str) -> Select[Any]:
    """At least one row, where there is such a transfer."""
    standing = s.agent_standing
    return select(*STATE, s.transfer.c.outcome, *standings.COLUMNS).select_from(
        s.directory.join(s.transfer, s.transfer.c.id == bindparam("sought")).outerjoin(
            standing, standing.c.agent_id.in_(standings.given(dialect))
        )
    )


_LOOK = Driven(_look)
_BEFORE = len(STATE) + 1  # columns, in front of a standing's


class Look:
    """The facts of now for one step of a transfer."""

    def __init__(
        self, connection: Connection, memory: Memory, row: TransferRow, now: datetime, site: Site
    ) -> None:
        self._connection = connection
        self._memory = memory
        self._row = row
        self._now = now
        self._site = site
        self._pools: dict[StepKind, PoolId | None] = {}
        self.outcome: str | None = None
        self.mine: set[AgentId] = set()  # whom the transfer has already

    def __call__(self, step: Step) -> RoutingFacts:
        seen = self._memory.newest
        facts = self._facts(seen)
        about = facts.about(step)
        state, found = self._ask(standings.keys(self._connection, about.agents))
        roster = self._memory.roster(self._connection, state)
        if roster is not seen:
            facts = self._facts(roster)
            about = facts.about(step)
            _, found = self._ask(standings.keys(self._connection, about.agents))
        zones = {agent.id: agent.zone for agent in about.agents}
        known = {row[0]: standings.standing(row, zones[row[0]], self._now) for row in found}
        self.mine = _of(known, self._row)
        told = facts.of(step, about, candidates_of(about.agents, known))
        self._pools[step.kind] = facts.pool_of(step.kind)
        return told

    def pool_of(self, step: StepKind) -> PoolId | None:
        return self._pools.get(step)

    def _facts(self, roster: Roster) -> Facts:
        return Facts(self._connection, self._site.toggles(roster), self._row.bot, self._row.lead, self._now)

    def _ask(self, agents: Any) -> tuple[State, list[Any]]:
        rows = _LOOK.rows(self._connection, {"sought": self._row.id, "agents": agents})
        if not rows:
            raise UnknownError("transfer", self._row.id)
        version, toggle_seq, self.outcome = rows[0][:_BEFORE]
        return State(version, toggle_seq), [row[_BEFORE:] for row in rows if row[_BEFORE] is not None]


def _of(known: Mapping[AgentId, Standing], row: TransferRow) -> set[AgentId]:
    return {agent_id for agent_id, standing in known.items() if standing.claimed_by == row.id}


def resolve(
    connection: Connection,
    memory: Memory,
    row: TransferRow,
    decide: Decide,
    *,
    now: datetime,
    site: Site = NOTHING,
) -> AttemptResolved:
    """Raises LostRaceError where an agent was taken meanwhile, UnknownError for a transfer never opened."""
    look = Look(connection, memory, row, now, site)
    resolved = decide(look)
    if look.outcome is not None:
        return replace(resolved, legs=(), next_after_s=None, because="the transfer is over")
    claim(connection, row, resolved.legs, look.pool_of(resolved.step.kind), now, mine=look.mine)
    return resolved


def claim(
    connection: Connection,
    row: TransferRow,
    legs: Iterable[Leg],
    pool_id: PoolId | None,
    now: datetime,
    *,
    mine: Iterable[AgentId] = (),
) -> None:
    agents = {leg.agent_id for leg in legs if leg.agent_id is not None}
    until = now + standings.claimed_for(row.bot)
    standings.claim(connection, row.id, agents, now=now, until=until, pool_id=pool_id, mine=mine)
