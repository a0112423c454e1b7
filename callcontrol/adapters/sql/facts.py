"""Whom a step is about: the lead's agent, the pool of the rule that fits, or everyone on duty."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.agents import of_agents
from callcontrol.adapters.sql.crew import members
from callcontrol.adapters.sql.directory import Roster
from callcontrol.adapters.sql.rulebook import Matching
from callcontrol.core import rules
from callcontrol.core.model import (
    Agent,
    AgentId,
    Bot,
    Candidate,
    Lead,
    Pool,
    PoolId,
    Step,
    StepKind,
)
from callcontrol.core.routing import RoutingFacts

IN_FULL = 50  # of a group not listed by name: with more, those who are off are only counted

_LAST_AGENT = (
    select(s.leg.c.agent_id)
    .join(s.transfer, s.transfer.c.outcome_leg_id == s.leg.c.id)
    .where(s.transfer.c.lead_id == bindparam("lead"), s.leg.c.agent_id.is_not(None))
    .order_by(s.transfer.c.finished_at.desc())
    .limit(1)
)


class Facts:
    """The facts of now for one lead, step by step; it remembers which pool each step was about."""

    def __init__(self, connection: Connection, roster: Roster, bot: Bot, lead: Lead, now: datetime) -> None:
        self._connection = connection
        self._roster = roster
        self._bot = bot
        self._lead = lead
        self._now = now
        self._pools: dict[StepKind, PoolId] = {}

    def __call__(self, step: Step) -> RoutingFacts:
        match step.kind:
            case StepKind.ASSIGNED:
                return self._assigned()
            case StepKind.GROUP:
                return self._group()
            case StepKind.FALLBACK:
                return RoutingFacts(because="the bot's fallback numbers")

    def pool_of(self, step: StepKind) -> PoolId | None:
        return self._pools.get(step)

    def _assigned(self) -> RoutingFacts:
        agent_id = self._lead.assigned_agent_id
        if agent_id is None:
            return RoutingFacts(because="the lead has no assigned agent")
        agent = self._roster.agent(agent_id)
        if agent is None:
            return RoutingFacts(because=f"the lead's assigned agent {agent_id} is not in the directory")
        because = self._said(f"{agent.name} is the lead's assigned agent")
        return RoutingFacts(candidates=self._candidates((agent,)), because=because)

    def _group(self) -> RoutingFacts:
        known = self._roster.known
        facts = rules.facts_of(self._lead, self._bot, self._now, Matching())
        rule, before = known.book.first_that_fits(facts)
        told = known.book.verdicts(facts, rule, before)
        if rule is None:
            agents, others = self._of_set(known.crew.active)
            because = self._said(f"no rule fits: every active agent{others}")
            return RoutingFacts(candidates=self._candidates(agents), because=because, rules=told)
        pool = known.pools[rule.pool_id]
        self._pools[StepKind.GROUP] = pool.id
        agents, others = self._of_pool(pool)
        because = self._said(f"rule {rule.name}: pool {pool.name}{others}")
        return RoutingFacts(
            candidates=self._candidates(agents),
            because=because,
            pool=pool,
            rules=told,
            last_agent_id=self._last_agent() if pool.last_agent_first else None,
        )

    def _of_pool(self, pool: Pool) -> tuple[Sequence[Agent], str]:
        """Its members, and what is to be said of others. Those listed by name come first, in their order."""
        crew = self._roster.known.crew
        listed = tuple(dict.fromkeys(crew.numbers[one] for one in pool.agent_ids if one in crew.numbers))
        agents = tuple(self._roster.agents(listed))
        if not pool.tags:
            gone = [agent_id for agent_id in pool.agent_ids if agent_id not in crew.numbers]
            without = f" ({', '.join(gone)} not in the directory)" if gone else ""
            return agents, without if agents else f", which is empty{without}"
        tagged = crew.tagged(pool.tags)
        for n in listed:
            tagged &= ~(1 << n)
        more, others = self._of_set(tagged)
        nobody = (
            ""
            if agents or more or others
            else f", which is empty: nobody has {' and '.join(sorted(pool.tags))}"
        )
        return (*agents, *more), others or nobody

    def _of_set(self, agents: int) -> tuple[Sequence[Agent], str]:
        size = agents.bit_count()
        if size <= IN_FULL:
            return tuple(self._roster.agents(members(agents))), ""
        on_duty = self._roster.on_duty(agents, self._now)
        off = size - len(on_duty)
        return tuple(self._roster.agents(on_duty)), f" (and {off:,} who are off)" if off else ""

    def _candidates(self, agents: Sequence[Agent]) -> tuple[Candidate, ...]:
        return of_agents(self._connection, agents, self._now)

    def _last_agent(self) -> AgentId | None:
        found = self._connection.scalar(_LAST_AGENT, {"lead": self._lead.id})
        return None if found is None else AgentId(found)

    def _said(self, because: str) -> str:
        return f"{because}; {self._roster.warning}" if self._roster.warning else because
