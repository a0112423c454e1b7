"""What goes out about who rings: agents with every term, explanations, and the promise gate."""

from datetime import datetime
from typing import Literal, Self

from callcontrol.api.answers import Answer
from callcontrol.core.availability import state_of
from callcontrol.core.events import AttemptResolved
from callcontrol.core.model import Agent, Candidate, Considered, Endpoint, Leg, Standing, TermValue
from callcontrol.explain import Explanation
from callcontrol.reachable import ENOUGH_CALLS, Reachable


def endpoint(given: Endpoint) -> str:
    return f"{given.kind.value}:{given.address}"


class TermAnswer(Answer):
    term: str
    holds: bool
    value: str

    @classmethod
    def of(cls, term: TermValue) -> Self:
        return cls(term=term.term.value, holds=term.holds, value=term.value)


class StandingAnswer(Answer):
    """What has lately become of an agent."""

    strikes: int
    resting_until: datetime | None
    resting_why: str
    wrapping_until: datetime | None
    reserved_for: str | None  # a transfer, or a hold
    idle_since: datetime | None
    last_rung_at: datetime | None
    transfers_today: int

    @classmethod
    def of(cls, standing: Standing) -> Self:
        return cls(
            strikes=standing.strikes,
            resting_until=standing.resting_until,
            resting_why=standing.resting_why,
            wrapping_until=standing.wrapping_until,
            reserved_for=standing.claimed_by,
            idle_since=standing.idle_since,
            last_rung_at=standing.last_rung_at,
            transfers_today=standing.transfers_today,
        )


class AgentAnswer(Answer):
    """`rings`: could be rung at this moment; `terms` says why, or why not."""

    id: str
    name: str
    active: bool
    available: bool
    zone: str
    endpoints: tuple[str, ...]
    tags: tuple[str, ...]
    state: str
    rings: bool
    standing: StandingAnswer
    terms: tuple[TermAnswer, ...]

    @classmethod
    def of(cls, candidate: Candidate, considered: Considered, now: datetime) -> Self:
        agent: Agent = candidate.agent
        return cls(
            id=agent.id,
            name=agent.name,
            active=agent.active,
            available=agent.available,
            zone=str(agent.zone),
            endpoints=tuple(map(endpoint, agent.endpoints)),
            tags=tuple(sorted(agent.tags)),
            state=state_of(candidate, now).value,
            rings=considered.rings,
            standing=StandingAnswer.of(candidate.standing),
            terms=tuple(map(TermAnswer.of, considered.terms)),
        )


class AgentList(Answer):
    agents: tuple[AgentAnswer, ...]


class ConsideredAnswer(Answer):
    agent: str
    name: str
    rings: bool
    terms: tuple[TermAnswer, ...]

    @classmethod
    def of(cls, considered: Considered) -> Self:
        terms = tuple(map(TermAnswer.of, considered.terms))
        return cls(agent=considered.agent_id, name=considered.name, rings=considered.rings, terms=terms)


class RuleAnswer(Answer):
    rule: str
    fits: bool
    why: str


class RungAnswer(Answer):
    agent: str | None
    label: str
    endpoint: str

    @classmethod
    def of(cls, leg: Leg) -> Self:
        return cls(agent=leg.agent_id, label=leg.label, endpoint=endpoint(leg.endpoint))


class AttemptAnswer(Answer):
    """`next_after_s`: the next attempt's phones join the ringing then; none: it comes when these have rung."""

    step: str
    because: str
    rings: tuple[RungAnswer, ...]
    next_after_s: float | None
    rules: tuple[RuleAnswer, ...]
    considered: tuple[ConsideredAnswer, ...]

    @classmethod
    def of(cls, resolved: AttemptResolved) -> Self:
        return cls(
            step=resolved.step.kind.value,
            because=resolved.because,
            rings=tuple(map(RungAnswer.of, resolved.legs)),
            next_after_s=resolved.next_after_s,
            rules=tuple(RuleAnswer(rule=v.rule, fits=v.fits, why=v.why) for v in resolved.rules),
            considered=tuple(map(ConsideredAnswer.of, resolved.considered)),
        )


class ExplanationAnswer(Answer):
    bot: str
    lead: str
    assigned_agent: str | None
    at: datetime
    line_states: Literal["live", "unknown"]
    attempts: tuple[AttemptAnswer, ...]

    @classmethod
    def of(cls, explanation: Explanation, *, live: bool) -> Self:
        return cls(
            bot=explanation.bot.id,
            lead=explanation.lead.id,
            assigned_agent=explanation.lead.assigned_agent_id,
            at=explanation.at,
            line_states="live" if live else "unknown",
            attempts=tuple(map(AttemptAnswer.of, explanation.attempts)),
        )


class ReachableAnswer(Answer):
    """Promise a human only where `reachable`. The two figures are this site's own, or none."""

    reachable: bool
    agents: int
    fallbacks: int
    likelihood: float | None
    likely_within_s: float | None
    calls_behind: int
    too_little_data: bool
    hold_id: str | None
    held_until: datetime | None
    held: int

    @classmethod
    def of(cls, found: Reachable) -> Self:
        return cls(
            reachable=found.reachable,
            agents=len(found.agents),
            fallbacks=found.fallbacks,
            likelihood=found.likelihood,
            likely_within_s=found.likely_within_s,
            calls_behind=found.calls_behind,
            too_little_data=found.calls_behind < ENOUGH_CALLS,
            hold_id=found.hold_id,
            held_until=found.held_until,
            held=len(found.held),
        )
