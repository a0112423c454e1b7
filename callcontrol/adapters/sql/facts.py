"""Whom a step is about: the lead's agent, the pool of the rule that fits, or everyone on duty."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select

from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.agents import candidates_of, of_agents
from callcontrol.adapters.sql.crew import members, union
from callcontrol.adapters.sql.driven import Driven
from callcontrol.adapters.sql.roster import Members, Roster
from callcontrol.adapters.sql.rulebook import Matching
from callcontrol.adapters.sql.standings import standing
from callcontrol.core import rules
from callcontrol.core.model import (
    Agent,
    AgentId,
    Bot,
    Candidate,
    Lead,
    Pool,
    PoolId,
    RuleVerdict,
    Step,
    StepKind,
)
from callcontrol.core.routing import RoutingFacts

IN_FULL = 50  # of a group not listed by name: with more, those who are off are only counted

_LAST_AGENT = Driven(
    lambda _: (
        select(s.leg.c.agent_id)
        .join(s.transfer, s.transfer.c.outcome_leg_id == s.leg.c.id)
        .where(s.transfer.c.lead_id == bindparam("lead"), s.leg.c.agent_id.is_not(None))
        .order_by(s.transfer.c.finished_at.desc())
        .limit(bindparam("at_most"))
        .offset(bindparam("skipped"))  # SQLAlchemy gives SQLite one of its own, where there is none
    )
)


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """Whom a step is about, by the directory alone: how they stand is asked next."""

    agents: Sequence[Agent] = ()
    because: str
    pool: Pool | None = None
    rules: tuple[RuleVerdict, ...] = ()


class Facts:
    """The facts of now for one lead, step by step; it remembers which pool each step was about."""

    def __init__(
        self,
        connection: Connection,
        roster: Roster,
        bot: Bot,
        lead: Lead,
        now: datetime,
        *,
        in_full: bool = False,
        assigned: Sequence[Any] | None = None,
    ) -> None:
        """`assigned`: the standing of the lead's assigned agent, as `standings.COLUMNS`, where it is read already."""
        self._connection = connection
        self._roster = roster
        self._bot = bot
        self._lead = lead
        self._now = now
        self._in_full = in_full
        self._standing = assigned
        self._pools: dict[StepKind, PoolId] = {}

    def __call__(self, step: Step) -> RoutingFacts:
        about = self.about(step)
        return self.of(step, about, self._candidates(step, about.agents))

    def _candidates(self, step: Step, agents: Sequence[Agent]) -> tuple[Candidate, ...]:
        row = self._standing
        if row is None or step.kind is not StepKind.ASSIGNED:
            return of_agents(self._connection, agents, self._now)
        has_one = row[0] is not None
        return candidates_of(agents, {a.id: standing(row, a.zone, self._now) for a in agents if has_one})

    def pool_of(self, step: StepKind) -> PoolId | None:
        return self._pools.get(step)

    def about(self, step: Step) -> About:
        match step.kind:
            case StepKind.ASSIGNED:
                return self._assigned()
            case StepKind.GROUP:
                return self._group()
            case StepKind.FALLBACK:
                return About(because="the bot's fallback numbers")

    def of(self, step: Step, about: About, candidates: tuple[Candidate, ...]) -> RoutingFacts:
        pool = about.pool
        if pool is not None:
            self._pools[step.kind] = pool.id
        return RoutingFacts(
            candidates=candidates,
            because=about.because,
            pool=pool,
            rules=about.rules,
            last_agent_id=self._last_agent() if pool is not None and pool.last_agent_first else None,
        )

    def _assigned(self) -> About:
        agent_id = self._lead.assigned_agent_id
        if agent_id is None:
            return About(because="the lead has no assigned agent")
        agent = self._roster.agent(agent_id)
        if agent is None:
            return About(because=f"the lead's assigned agent {agent_id} is not in the directory")
        return About(agents=(agent,), because=self._said(f"{agent.name} is the lead's assigned agent"))

    def _group(self) -> About:
        known = self._roster.known
        facts = rules.facts_of(self._lead, self._bot, self._now, Matching())
        rule, before = known.book.first_that_fits(facts)
        told = known.book.verdicts(facts, rule, before)
        if rule is None:
            agents, others = self._of_set(known.crew.active)
            because = self._said(f"no rule fits: every active agent{others}")
            return About(agents=agents, because=because, rules=told)
        pool = known.pools[rule.pool_id]
        agents, others = self._of_pool(pool)
        because = self._said(f"rule {rule.name}: pool {pool.name}{others}")
        return About(agents=agents, because=because, pool=pool, rules=told)

    def _of_pool(self, pool: Pool) -> tuple[Sequence[Agent], str]:
        """Its members, and what is to be said of others. Those listed by name come first, in their order."""
        found = self._roster.pools.get(pool.id)
        if found is None:
            found = self._roster.pools[pool.id] = self._members(pool)
        if not found.many:
            return found.agents, found.said
        more, others = self._of_set(found.many)
        return (*found.agents, *more), others

    def _members(self, pool: Pool) -> Members:
        crew = self._roster.known.crew
        listed = tuple(dict.fromkeys(crew.numbers[one] for one in pool.agent_ids if one in crew.numbers))
        agents = tuple(self._roster.agents(listed))
        if not pool.tags:
            gone = [agent_id for agent_id in pool.agent_ids if agent_id not in crew.numbers]
            without = f" ({', '.join(gone)} not in the directory)" if gone else ""
            return Members(agents=agents, said=without if agents else f", which is empty{without}")
        tagged = crew.tagged(pool.tags) & ~union(listed)
        if tagged.bit_count() > IN_FULL:
            return Members(agents=agents, many=tagged)
        agents += tuple(self._roster.agents(members(tagged)))
        nobody = "" if agents else f", which is empty: nobody has {' and '.join(sorted(pool.tags))}"
        return Members(agents=agents, said=nobody)

    def _of_set(self, agents: int) -> tuple[Sequence[Agent], str]:
        size = agents.bit_count()
        if size <= IN_FULL or self._in_full:
            return tuple(self._roster.agents(members(agents))), ""
        on_duty = self._roster.on_duty(agents, self._now)
        off = size - len(on_duty)
        return tuple(self._roster.agents(on_duty)), f" (and {off:,} who are off)" if off else ""

    def _last_agent(self) -> AgentId | None:
        given = {"lead": self._lead.id, "at_most": 1, "skipped": 0}
        rows = _LAST_AGENT.rows(self._connection, given)
        return AgentId(rows[0][0]) if rows else None

    def _said(self, because: str) -> str:
        return f"{because}; {self._roster.warning}" if self._roster.warning else because
