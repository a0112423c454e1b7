"""Whom steps ring now, and their reservation: two statements, however many transfers ask at once.

The first looks at the directory's version and at the standings of those the steps are about; whom that is
says the directory as it was last seen, and where its version is another one by now, it is looked at again.
Then it is decided transfer by transfer, each seeing whom those before it ring. The second statement claims
them, for each transfer all of them or nobody.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql import standings
from callcontrol.adapters.sql.agents import candidates_of
from callcontrol.adapters.sql.claims import Claim, claim, claims_of, give_back
from callcontrol.adapters.sql.directory import STATE, Memory, Roster, State
from callcontrol.adapters.sql.driven import Driven
from callcontrol.adapters.sql.errors import LostRaceError
from callcontrol.adapters.sql.facts import About, Facts
from callcontrol.adapters.sql.own_tables import NOTHING, Site
from callcontrol.adapters.sql.statements import bound, given
from callcontrol.core.events import AttemptResolved
from callcontrol.core.model import Agent, AgentId, Candidate, Standing, Step, TransferId
from callcontrol.core.routing import RoutingFacts
from callcontrol.ports import Decide, TransferRow, UnknownError


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A transfer asks whom a step rings."""

    row: TransferRow
    step: Step
    decide: Decide
    now: datetime
    site: Site = NOTHING


Answer = AttemptResolved | Exception


def resolve(memory: Memory, connection: Connection, asked: Sequence[Asked]) -> list[Answer]:
    """An answer each, or what went wrong with that one: LostRaceError where an agent was taken meanwhile,
    UnknownError for a transfer never opened. What a lost one got is given back.
    """
    plans, rows = _look(connection, memory, asked)
    taken: dict[AgentId, Claim] = {}
    alone = len(plans) == 1  # then the claim itself finds that the transfer is over
    known = {} if alone else _outcomes(connection, plans)
    for plan in plans:
        transfer_id = plan.asked.row.id
        plan.decide(rows, taken, may_claim=alone or known.get(transfer_id, "unknown") is None)
    got = claim(connection, taken.values())
    short = [plan for plan in plans if not plan.claims or not plan.claims <= got]
    outcomes = _outcomes(connection, short)
    for plan in short:
        give_back(connection, plan.asked.row.id, (plan.claims & got) - plan.had)
        plan.settle(outcomes)
    return [plan.answer for plan in plans]


class _Plan:
    """One transfer's question on its way to the answer."""

    answer: Answer

    def __init__(self, asked: Asked, connection: Connection, roster: Roster) -> None:
        row = asked.row
        self.asked = asked
        self.claims: set[AgentId] = set()
        self.had: set[AgentId] = set()  # who was the transfer's already
        self._facts = Facts(connection, asked.site.toggles(roster), row.bot, row.lead, asked.now)
        self.about: About = self._facts.about(asked.step)

    def decide(
        self, rows: Mapping[AgentId, Sequence[Any]], taken: dict[AgentId, Claim], *, may_claim: bool
    ) -> None:
        asked, row = self.asked, self.asked.row
        found = dict(self._standings(rows, taken))
        self.had = {agent_id for agent_id, standing in found.items() if standing.claimed_by == row.id}
        candidates = candidates_of(self.about.agents, found)
        try:
            self.answer = asked.decide(lambda _: self._of(candidates))
        except Exception as error:
            self.answer = error
            return
        if not may_claim:
            return
        pool_id = self._facts.pool_of(asked.step.kind)
        claims = claims_of(row.id, row.bot, self.answer.legs, pool_id, asked.now)
        self.claims = {one.agent_id for one in claims}
        taken |= {one.agent_id: one for one in claims}

    def _of(self, candidates: tuple[Candidate, ...]) -> RoutingFacts:
        return self._facts.of(self.asked.step, self.about, candidates)

    def _standings(
        self, rows: Mapping[AgentId, Sequence[Any]], taken: Mapping[AgentId, Claim]
    ) -> Iterable[tuple[AgentId, Standing]]:
        for agent in self.about.agents:
            row, by = rows.get(agent.id), taken.get(agent.id)
            if row is None and by is None:
                continue
            standing = Standing() if row is None else standings.standing(row, agent.zone, self.asked.now)
            if by is not None:
                standing = replace(standing, claimed_by=by.by, last_rung_at=by.at)
            yield agent.id, standing

    def settle(self, outcomes: Mapping[TransferId, str | None]) -> None:
        """Of one that rings no agent, or did not get all."""
        transfer_id = self.asked.row.id
        if isinstance(self.answer, Exception):
            return
        if transfer_id not in outcomes:
            self.answer = UnknownError("transfer", transfer_id)
        elif outcomes[transfer_id] is not None:
            over = "the transfer is over"
            self.answer = replace(self.answer, legs=(), next_after_s=None, because=over)
        elif self.claims:
            self.answer = LostRaceError()


_STANDINGS = Driven(
    lambda dialect: select(*STATE, *standings.COLUMNS).select_from(
        s.directory.outerjoin(s.agent_standing, s.agent_standing.c.agent_id.in_(given(dialect, "agents")))
    )
)


def _look(
    connection: Connection, memory: Memory, asked: Sequence[Asked]
) -> tuple[list[_Plan], Mapping[AgentId, Sequence[Any]]]:
    seen = memory.newest
    plans = [_Plan(one, connection, seen) for one in asked]
    state, rows = _standings(connection, plans)
    roster = memory.roster(connection, state)
    if roster is not seen:
        plans = [_Plan(one, connection, roster) for one in asked]
        _, rows = _standings(connection, plans)
    return plans, rows


def _standings(
    connection: Connection, plans: Iterable[_Plan]
) -> tuple[State, Mapping[AgentId, Sequence[Any]]]:
    agents: set[Agent] = set()
    for plan in plans:
        agents.update(plan.about.agents)
    rows = _STANDINGS.rows(connection, {"agents": bound(agent.id for agent in agents)})
    width = len(STATE)
    found = {AgentId(row[width]): row[width:] for row in rows if row[width] is not None}
    return State(*rows[0][:width]), found


def _ids(dialect: str) -> Select[Any]:
    of_these = s.transfer.c.id.in_(given(dialect, "transfers"))
    return select(s.transfer.c.id, s.transfer.c.outcome).where(of_these)


_OUTCOMES = Driven(_ids)


def _outcomes(connection: Connection, plans: Iterable[_Plan]) -> Mapping[TransferId, str | None]:
    transfers = {plan.asked.row.id for plan in plans}
    if not transfers:
        return {}
    rows = _OUTCOMES.rows(connection, {"transfers": bound(transfers)})
    return {TransferId(transfer_id): outcome for transfer_id, outcome in rows}
