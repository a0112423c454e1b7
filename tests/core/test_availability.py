from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from callcontrol.core.availability import callable_now, consider, state_of
from callcontrol.core.model import (
    AcceptBy,
    Agent,
    AgentId,
    AgentState,
    Candidate,
    Endpoint,
    EndpointKind,
    LineState,
    Standing,
    Term,
    TransferId,
    Window,
)

DENVER = ZoneInfo("America/Denver")
NINE_TO_FIVE = tuple(Window(weekday=d, start_min=540, end_min=1020) for d in range(5))
NOW = datetime(2026, 6, 1, 16, 0, tzinfo=UTC)  # Monday 10:00 in Denver
DESK = Endpoint(kind=EndpointKind.EXTENSION, address="alice", accept_by=AcceptBy.ANSWER)
SOFT = Endpoint(kind=EndpointKind.EXTENSION, address="alice-soft", accept_by=AcceptBy.ANSWER)


def alice(**changes) -> Candidate:
    standing = changes.pop("standing", Standing())
    facts = {
        "id": AgentId("alice"),
        "name": "Alice",
        "active": True,
        "available": True,
        "zone": DENVER,
        "schedule": NINE_TO_FIVE,
        "endpoints": (DESK, SOFT),
    }
    return Candidate(agent=Agent(**(facts | changes)), standing=standing)


def look(candidate: Candidate, *, now=NOW, lines=None, **more):
    states = lines or {}
    return consider(candidate, now=now, lines=lambda e: states.get(e.address, LineState.NOT_IN_USE), **more)


def against(considered) -> dict[Term, str]:
    return {term.term: term.value for term in considered.terms if not term.holds}


def test_every_term_is_kept_with_its_value():
    considered = look(alice())
    assert considered.rings
    assert [term.term for term in considered.terms] == list(Term)
    assert all(term.value for term in considered.terms)


def test_toggle_activity_and_phones_count():
    assert against(look(alice(available=False))) == {Term.TOGGLE: "off"}
    assert against(look(alice(active=False))) == {Term.ACTIVE: "no"}
    assert against(look(alice(endpoints=()))) == {Term.ENDPOINT: "none"}


def test_a_closed_schedule_says_when_it_opens():
    friday_evening = datetime(2026, 6, 6, 1, 0, tzinfo=UTC)
    assert against(look(alice(), now=friday_evening)) == {
        Term.SCHEDULE: "closed until Mon 09:00 America/Denver"
    }
    assert against(look(alice(schedule=()))) == {Term.SCHEDULE: "never open"}


def test_any_phone_in_use_means_busy():
    for state in (LineState.IN_USE, LineState.RINGING):
        told = against(look(alice(), lines={"alice-soft": state}))
        assert told == {Term.LINE: f"alice not in use, alice-soft {state.value}"}


def test_all_phones_off_means_unreachable_and_one_does_not():
    off = LineState.UNREGISTERED
    assert against(look(alice(), lines={"alice": off})) == {}
    assert set(against(look(alice(), lines={"alice": off, "alice-soft": off}))) == {Term.LINE}


def test_an_unknown_state_does_not_count_against_anyone():
    unknown = LineState.UNKNOWN
    assert look(alice(), lines={"alice": unknown, "alice-soft": unknown}).rings


def test_wrapping_up_and_resting_end_by_themselves():
    standing = Standing(
        wrapping_until=NOW + timedelta(seconds=30),
        resting_until=NOW + timedelta(minutes=30),
        resting_why="missed 3 transfers in a row",
    )
    assert against(look(alice(standing=standing))) == {
        Term.WRAP_UP: "wrapping up until 10:01",
        Term.RESTING: "missed 3 transfers in a row until 10:30",
    }
    later = NOW + timedelta(minutes=30)
    assert against(look(alice(standing=standing), now=later)) == {}


def test_a_reservation_counts_for_all_other_transfers():
    standing = Standing(claimed_by=TransferId("t1"))
    assert against(look(alice(standing=standing))) == {Term.RESERVED: "reserved for transfer t1"}
    assert look(alice(standing=standing), transfer=TransferId("t1")).rings


def test_an_agent_is_rung_again_only_on_a_phone_not_yet_rung():
    assert look(alice(), rung={DESK}, lines={"alice": LineState.RINGING}).rings
    assert against(look(alice(), rung={DESK, SOFT})) == {Term.TRIED: "rung before"}
    assert against(look(alice(), declined={AgentId("alice")})) == {Term.TRIED: "declined"}


def test_the_phones_to_ring_are_those_on_and_not_rung():
    lines = {"alice": LineState.UNREGISTERED}
    states = lambda e: lines.get(e.address, LineState.NOT_IN_USE)  # noqa: E731
    assert callable_now(alice().agent, states) == (SOFT,)
    assert callable_now(alice().agent, states, rung={SOFT}) == ()


def test_the_lamp_shows_what_the_agent_or_the_clock_decided():
    resting = Standing(resting_until=NOW + timedelta(minutes=1))
    night = NOW + timedelta(hours=12)
    assert state_of(alice(), NOW) is AgentState.AVAILABLE
    assert state_of(alice(available=False, standing=resting), NOW) is AgentState.UNAVAILABLE
    assert state_of(alice(active=False), NOW) is AgentState.UNAVAILABLE
    assert state_of(alice(standing=resting), NOW) is AgentState.RESTING
    assert state_of(alice(standing=resting), NOW + timedelta(minutes=1)) is AgentState.AVAILABLE
    assert state_of(alice(), night) is AgentState.OFF_DUTY
