"""Whether an agent may ring now: every term is looked at, and kept with its value."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import lru_cache

from callcontrol.core import schedule
from callcontrol.core.model import (
    Agent,
    AgentId,
    AgentState,
    Candidate,
    Considered,
    Endpoint,
    LineState,
    Standing,
    Term,
    TermValue,
    TransferId,
)

Lines = Callable[[Endpoint], LineState]
BUSY = (LineState.IN_USE, LineState.RINGING)


def consider(
    candidate: Candidate,
    *,
    now: datetime,
    lines: Lines,
    rung: Collection[Endpoint] = (),
    declined: Collection[AgentId] = (),
    transfer: TransferId | None = None,
) -> Considered:
    """Every term for one agent, for `transfer`, which has `rung` some phones already. `now` is aware."""
    agent, standing = candidate.agent, candidate.standing
    states = tuple([lines(endpoint) for endpoint in agent.endpoints])
    usual = _considered(agent, states, _minute(now))
    if not (rung or declined or standing.wrapping_until or standing.claimed_by or standing.resting_until):
        return usual
    active, toggle, hours, endpoint, line, *_ = usual.terms
    terms = (
        active,
        toggle,
        hours,
        endpoint,
        _line(agent, states, rung) if rung else line,
        _until(Term.WRAP_UP, standing.wrapping_until, "wrapping up", agent, now),
        _reserved(standing, transfer),
        _until(Term.RESTING, standing.resting_until, standing.resting_why or "resting", agent, now),
        _tried(agent, rung, declined),
    )
    return usual if terms == usual.terms else Considered(agent_id=agent.id, name=agent.name, terms=terms)


def state_of(candidate: Candidate, now: datetime) -> AgentState:
    """What the agent's lamp shows: what the agent, or the clock, has decided, not who is calling."""
    agent, resting_until = candidate.agent, candidate.standing.resting_until
    if not (agent.active and agent.available):
        return AgentState.UNAVAILABLE
    if resting_until is not None and resting_until > now:
        return AgentState.RESTING
    return AgentState.AVAILABLE if schedule.is_open(agent, now) else AgentState.OFF_DUTY


def callable_now(agent: Agent, lines: Lines, rung: Collection[Endpoint] = ()) -> tuple[Endpoint, ...]:
    """The agent's phones that can be rung and have not been, in order."""
    return tuple(
        endpoint
        for endpoint in agent.endpoints
        if endpoint not in rung and lines(endpoint) is not LineState.UNREGISTERED
    )


def _term(term: Term, value: str, *, holds: bool) -> TermValue:
    return TermValue(term=term, holds=holds, value=value)


# Made once: hundreds of agents may be considered for one call.
_ACTIVE = (_term(Term.ACTIVE, "no", holds=False), _term(Term.ACTIVE, "yes", holds=True))
_TOGGLE = (_term(Term.TOGGLE, "off", holds=False), _term(Term.TOGGLE, "on", holds=True))
_FINE = {
    term: _term(term, "yes", holds=True) for term in (Term.WRAP_UP, Term.RESERVED, Term.RESTING, Term.TRIED)
}


@lru_cache(maxsize=8)
def _minute(now: datetime) -> datetime:
    return now.replace(second=0, microsecond=0)


@lru_cache(maxsize=16_384)
def _considered(agent: Agent, states: tuple[LineState, ...], minute: datetime) -> Considered:
    """With nothing that speaks against the agent but what the directory, the clock and the lines say."""
    return Considered(
        agent_id=agent.id,
        name=agent.name,
        terms=(
            _ACTIVE[agent.active],
            _TOGGLE[agent.available],
            _schedule(schedule.Hours(agent.zone, agent.schedule, agent.exceptions), minute),
            _term(Term.ENDPOINT, _addresses(agent.endpoints) or "none", holds=bool(agent.endpoints)),
            _line(agent, states, ()),
            *_FINE.values(),
        ),
    )


@lru_cache(maxsize=1024)
def _schedule(hours: schedule.Hours, minute: datetime) -> TermValue:
    """Hours begin and end with whole minutes: within one, all agents of the same hours share the answer."""
    if schedule.is_open(hours, minute):
        return _term(Term.SCHEDULE, "open", holds=True)
    opening = schedule.next_opening(hours, minute)
    value = f"closed until {opening:%a %H:%M} {hours.zone}" if opening else "never open"
    return _term(Term.SCHEDULE, value, holds=False)


def _line(agent: Agent, lines: Collection[LineState], rung: Collection[Endpoint]) -> TermValue:
    """A phone in use means that the agent is, unless it is this transfer that rings it; a phone that is
    off leaves the others.
    """
    states = list(zip(agent.endpoints, lines, strict=True))
    told = ", ".join(f"{endpoint.address} {state.value}" for endpoint, state in states)
    busy = any(state in BUSY for endpoint, state in states if endpoint not in rung)
    reachable = any(state is not LineState.UNREGISTERED for _, state in states)
    return _term(Term.LINE, told, holds=not states or (reachable and not busy))


def _until(term: Term, until: datetime | None, what: str, agent: Agent, now: datetime) -> TermValue:
    if until is None or until <= now:
        return _FINE[term]
    shown = until.astimezone(agent.zone) + timedelta(seconds=59)  # a whole minute, never too early
    return _term(term, f"{what} until {shown:%H:%M}", holds=False)


def _reserved(standing: Standing, transfer: TransferId | None) -> TermValue:
    if standing.claimed_by in (None, transfer):
        return _FINE[Term.RESERVED]
    return _term(Term.RESERVED, f"reserved for transfer {standing.claimed_by}", holds=False)


def _tried(agent: Agent, rung: Collection[Endpoint], declined: Collection[AgentId]) -> TermValue:
    if agent.id in declined:
        return _term(Term.TRIED, "declined", holds=False)
    if not rung or not agent.endpoints or any(endpoint not in rung for endpoint in agent.endpoints):
        return _FINE[Term.TRIED]
    return _term(Term.TRIED, "rung before", holds=False)


def _addresses(endpoints: Collection[Endpoint]) -> str:
    return ", ".join(endpoint.address for endpoint in endpoints)
