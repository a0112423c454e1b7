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
    states = tuple(map(lines, agent.endpoints))
    usual = _usual(agent, states, _minute(now))
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
    return Considered(agent_id=agent.id, name=agent.name, terms=terms)


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

_ALL_FINE = tuple(_FINE.values())


@lru_cache(maxsize=8)
def _minute(now: datetime) -> datetime:
    return now.replace(second=0, microsecond=0)


@lru_cache(maxsize=16_384)
def _usual(agent: Agent, states: tuple[LineState, ...], minute: datetime) -> Considered:
    """With nothing that speaks against the agent but what the directory, the clock and the lines say."""
    hours = schedule.Hours(agent.zone, agent.schedule, agent.exceptions)
    return _considered(agent, states, _closed(hours, minute))


@lru_cache(maxsize=16_384)
def _considered(agent: Agent, states: tuple[LineState, ...], closed: str) -> Considered:
    return Considered(
        agent_id=agent.id,
        name=agent.name,
        terms=(
            _ACTIVE[agent.active],
            _TOGGLE[agent.available],
            _schedule(closed),
            _term(Term.ENDPOINT, _addresses(agent.endpoints) or "none", holds=bool(agent.endpoints)),
            _line(agent, states, ()),
            *_ALL_FINE,
        ),
    )


@lru_cache(maxsize=1024)
def _closed(hours: schedule.Hours, minute: datetime) -> str:
    """Until when, for people; empty where they are open. Hours begin and end with whole minutes: within one,
    all agents of the same hours share the answer.
    """
    if schedule.is_open(hours, minute):
        return ""
    opening = schedule.next_opening(hours, minute)
    return f"closed until {opening:%a %H:%M} {hours.zone}" if opening else "never open"


@lru_cache(maxsize=1024)
def _schedule(closed: str) -> TermValue:
    return _term(Term.SCHEDULE, closed or "open", holds=not closed)


def _line(agent: Agent, lines: Collection[LineState], rung: Collection[Endpoint]) -> TermValue:
    """A phone in use means that the agent is, unless it is this transfer that rings it; a phone that is
    off leaves the others.
    """
    told, busy, reachable = [], False, False
    for endpoint, state in zip(agent.endpoints, lines, strict=True):
        told.append(f"{endpoint.address} {state}")
        busy = busy or (state in BUSY and endpoint not in rung)
        reachable = reachable or state is not LineState.UNREGISTERED
    return _term(Term.LINE, ", ".join(told), holds=not told or (reachable and not busy))


def _until(term: Term, until: datetime | None, what: str, agent: Agent, now: datetime) -> TermValue:
    if until is None or until <= now:
        return _FINE[term]
    shown = until.astimezone(agent.zone) + timedelta(seconds=59)  # a whole minute, never too early
    return _term(term, f"{what} until {shown:%H:%M}", holds=False)


def _reserved(standing: Standing, transfer: TransferId | None) -> TermValue:
    if standing.claimed_by is None or standing.claimed_by == transfer:
        return _FINE[Term.RESERVED]
    return _reserved_for(standing.claimed_by)


@lru_cache(maxsize=1024)
def _reserved_for(claimed_by: TransferId) -> TermValue:
    return _term(Term.RESERVED, f"reserved for transfer {claimed_by}", holds=False)


def _tried(agent: Agent, rung: Collection[Endpoint], declined: Collection[AgentId]) -> TermValue:
    if agent.id in declined:
        return _term(Term.TRIED, "declined", holds=False)
    if not rung or not agent.endpoints or any(endpoint not in rung for endpoint in agent.endpoints):
        return _FINE[Term.TRIED]
    return _term(Term.TRIED, "rung before", holds=False)


def _addresses(endpoints: Collection[Endpoint]) -> str:
    return ", ".join(endpoint.address for endpoint in endpoints)
