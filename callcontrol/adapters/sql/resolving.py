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
from callcontrol.adapters.sql.claims import Claim, claim, claims_of, give_back
from callcontrol.adapters.sql.directory import STATE, Memory, State
from callcontrol.adapters.sql.driven import Driven
from callcontrol.adapters.sql.errors import LostRaceError
from callcontrol.adapters.sql.facts import About, Facts
from callcontrol.adapters.sql.own_tables import NOTHING, Site
from callcontrol.adapters.sql.roster import Roster
from callcontrol.adapters.sql.statements import bound, given
from callcontrol.core.events import AttemptResolved
from callcontrol.core.model import Agent, AgentId, Candidate, Standing, Step, TransferId
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
    plans, seen = _look(connection, memory, asked)
    alone = len(plans) == 1  # then the claim itself finds that the transfer is over
    outcomes = {} if alone else _outcomes(connection, plans)
    for plan in plans:
        plan.decide(seen, may_claim=alone or outcomes.get(plan.asked.row.id, "unknown") is None)
    got = claim(connection, [one for plan in plans for one in plan.claims])
    for plan in plans:
        wanted = {one.agent_id for one in plan.claims}
        if wanted and wanted <= got:
            continue
        give_back(connection, plan.asked.row.id, (wanted & got) - plan.had)
        plan.settle(_outcomes(connection, plans) if alone else outcomes)
    return [plan.answer for plan in plans]


class _Seen:
    """The agents as they stand, and as the claims decided so far will have them."""

    def __init__(self, rows: Mapping[AgentId, Sequence[Any]], now: datetime) -> None:
        self._rows = rows
        self._now = now
        self._candidates: dict[AgentId, Candidate] = {}
        self._taken: dict[AgentId, Claim] = {}

    def candidates(self, agents: Iterable[Agent]) -> tuple[Candidate, ...]:
        """Two transfers may see another toggle of the same agent, where the site's own tables have it."""
        known = self._candidates.get
        return tuple(
            [
                one if (one := known(agent.id)) is not None and one.agent is agent else self._made(agent)
                for agent in agents
            ]
        )

    def _made(self, agent: Agent) -> Candidate:
        row, by = self._rows.get(agent.id), self._taken.get(agent.id)
        standing = _NONE if row is None else standings.standing(row, agent.zone, self._now)
        if by is not None:
            standing = replace(standing, claimed_by=by.by, last_rung_at=by.at)
        self._candidates[agent.id] = made = Candidate(agent=agent, standing=standing)
        return made

    def take(self, claim: Claim) -> bool:
        """Whether the agent was that transfer's before."""
        self._taken[claim.agent_id] = claim
        return self._candidates.pop(claim.agent_id).standing.claimed_by == claim.by


_NONE = Standing()


class _Plan:
    """One transfer's question on its way to the answer."""

    answer: Answer

    def __init__(self, asked: Asked, connection: Connection, roster: Roster) -> None:
        row = asked.row
        self.asked = asked
        self.claims: tuple[Claim, ...] = ()
        self.had: set[AgentId] = set()  # who was the transfer's already
        self._facts = Facts(connection, asked.site.toggles(roster), row.bot, row.lead, asked.now)
        self.about: About = self._facts.about(asked.step)

    def decide(self, seen: _Seen, *, may_claim: bool) -> None:
        asked, row = self.asked, self.asked.row
        candidates = seen.candidates(self.about.agents)
        try:
            self.answer = asked.decide(lambda _: self._facts.of(asked.step, self.about, candidates))
        except Exception as error:
            self.answer = error
            return
        if not may_claim:
            return
        pool_id = self._facts.pool_of(asked.step.kind)
        self.claims = claims_of(row.id, row.bot, self.answer.legs, pool_id, asked.now)
        self.had = {one.agent_id for one in self.claims if seen.take(one)}

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


def _look(connection: Connection, memory: Memory, asked: Sequence[Asked]) -> tuple[list[_Plan], "_Seen"]:
    newest = memory.newest
    plans = [_Plan(one, connection, newest) for one in asked]
    state, rows = _standings(connection, plans)
    roster = memory.roster(connection, state)
    if roster is not newest:
        plans = [_Plan(one, connection, roster) for one in asked]
        _, rows = _standings(connection, plans)
    return plans, _Seen(rows, min(one.now for one in asked))


def _standings(
    connection: Connection, plans: Iterable[_Plan]
) -> tuple[State, Mapping[AgentId, Sequence[Any]]]:
    agents = {agent.id for plan in plans for agent in plan.about.agents}
    rows = _STANDINGS.rows(connection, {"agents": bound(agents)})
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
