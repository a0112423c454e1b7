from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from callcontrol.core.availability import consider, inside, next_opening
from callcontrol.core.model import AcceptBy, Agent, AgentId, Endpoint, EndpointKind, Term, Window

DENVER, BERLIN = ZoneInfo("America/Denver"), ZoneInfo("Europe/Berlin")
MONDAY, FRIDAY, SATURDAY, SUNDAY = 0, 4, 5, 6
NINE_TO_FIVE = tuple(Window(weekday=d, start_min=540, end_min=1020) for d in range(5))
LATE = (Window(weekday=FRIDAY, start_min=22 * 60, end_min=2 * 60),)
DESK = Endpoint(kind=EndpointKind.EXTENSION, address="alice", accept_by=AcceptBy.ANSWER)


def at(text: str, zone: ZoneInfo = DENVER) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def agent(**changes) -> Agent:
    facts = {
        "id": AgentId("alice"),
        "name": "Alice",
        "active": True,
        "available": True,
        "zone": DENVER,
        "schedule": NINE_TO_FIVE,
        "endpoints": (DESK,),
    }
    return Agent(**(facts | changes))


def failing(considered) -> set[Term]:
    return {term.term for term in considered.terms if not term.holds}


def test_a_window_begins_at_its_first_minute_and_ends_before_its_last():
    inside_at = {
        t: inside(NINE_TO_FIVE, DENVER, at(f"2026-06-01T{t}")) for t in ("08:59", "09:00", "16:59", "17:00")
    }
    assert inside_at == {"08:59": False, "09:00": True, "16:59": True, "17:00": False}


def test_a_window_over_midnight_belongs_to_both_days():
    open_at = [
        inside(LATE, BERLIN, at(t, BERLIN))
        for t in ("2026-06-05T21:59", "2026-06-05T22:00", "2026-06-06T01:59", "2026-06-06T02:00")
    ]
    assert open_at == [False, True, True, False]


def test_a_window_over_midnight_on_sunday_reaches_monday():
    sunday = (Window(weekday=SUNDAY, start_min=1380, end_min=60),)
    assert inside(sunday, BERLIN, at("2026-06-08T00:30", BERLIN))


def test_the_schedule_is_read_in_the_agents_own_zone():
    noon_utc = datetime(2026, 6, 1, 15, 30, tzinfo=UTC)  # 09:30 in Denver, 17:30 in Berlin
    assert inside(NINE_TO_FIVE, DENVER, noon_utc)
    assert not inside(NINE_TO_FIVE, BERLIN, noon_utc)


def test_an_hour_skipped_by_summer_time_never_opens():
    skipped = (Window(weekday=SUNDAY, start_min=120, end_min=180),)
    midnight = datetime(2026, 3, 28, 23, 0, tzinfo=UTC)  # 2026-03-29 00:00 in Berlin
    minutes = (midnight + timedelta(minutes=m) for m in range(23 * 60))
    assert not any(inside(skipped, BERLIN, minute) for minute in minutes)


def test_an_hour_repeated_by_winter_time_is_open_both_times():
    repeated = (Window(weekday=SUNDAY, start_min=120, end_min=180),)
    midnight = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)  # 2026-10-25 00:00 in Berlin
    minutes = (midnight + timedelta(minutes=m) for m in range(25 * 60))
    assert sum(inside(repeated, BERLIN, minute) for minute in minutes) == 120


def test_the_next_opening_is_found_over_the_weekend():
    opening = next_opening(NINE_TO_FIVE, DENVER, at("2026-06-05T18:00"))
    assert opening == at("2026-06-08T09:00")


def test_an_empty_schedule_never_opens():
    assert next_opening((), DENVER, at("2026-06-05T18:00")) is None
    assert consider(agent(schedule=()), at("2026-06-01T10:00")).terms[2].value == "never open"


def test_an_agent_rings_only_if_every_term_holds():
    now = at("2026-06-01T10:00")
    assert consider(agent(), now).rings
    assert failing(consider(agent(available=False), now)) == {Term.TOGGLE}
    assert failing(consider(agent(active=False), now)) == {Term.ACTIVE}
    assert failing(consider(agent(endpoints=()), now)) == {Term.HAS_ENDPOINT}
    assert failing(consider(agent(), now, tried={AgentId("alice")})) == {Term.NOT_TRIED}
    assert failing(consider(agent(available=False), at("2026-06-01T20:00"))) == {Term.TOGGLE, Term.SCHEDULE}


def test_a_closed_schedule_says_when_it_opens():
    closed = consider(agent(), at("2026-06-05T18:00"))
    assert closed.terms[2].value == "closed until Mon 09:00 America/Denver"


WINDOWS = st.builds(
    Window, weekday=st.integers(0, 6), start_min=st.integers(0, 1439), end_min=st.integers(1, 1440)
)


@given(
    st.lists(WINDOWS, max_size=6).map(tuple),
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(
        ["Europe/Berlin", "America/Denver", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"]
    ),
)
def test_any_instant_in_any_zone_has_an_answer(schedule, now, zone):
    zone = ZoneInfo(zone)
    opening = next_opening(schedule, zone, now)
    assert inside(schedule, zone, now) in (True, False)
    assert opening is None or opening > now
    assert (opening is None) == (not schedule)
