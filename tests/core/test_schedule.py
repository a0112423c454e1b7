from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given
from hypothesis import strategies as st

from callcontrol.core import schedule
from callcontrol.core.model import Agent, AgentId, DatedWindow, Window

DENVER, BERLIN = ZoneInfo("America/Denver"), ZoneInfo("Europe/Berlin")
FRIDAY, SUNDAY = 4, 6
NINE_TO_FIVE = tuple(Window(weekday=d, start_min=540, end_min=1020) for d in range(5))
LATE = (Window(weekday=FRIDAY, start_min=22 * 60, end_min=2 * 60),)


def at(text: str, zone: ZoneInfo = DENVER) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def agent(weekly=NINE_TO_FIVE, *exceptions: DatedWindow, zone: ZoneInfo = DENVER) -> Agent:
    return Agent(
        id=AgentId("alice"),
        name="Alice",
        active=True,
        available=True,
        zone=zone,
        schedule=weekly,
        endpoints=(),
        exceptions=exceptions,
    )


def dated(day: str, start: int = 0, end: int = 1440, *, opens: bool = False) -> DatedWindow:
    return DatedWindow(on=date.fromisoformat(day), start_min=start, end_min=end, opens=opens)


def test_a_window_begins_at_its_first_minute_and_ends_before_its_last():
    times = ("08:59", "09:00", "16:59", "17:00")
    open_at = [schedule.inside(NINE_TO_FIVE, DENVER, at(f"2026-06-01T{t}")) for t in times]
    assert open_at == [False, True, True, False]


def test_a_window_over_midnight_belongs_to_both_days():
    times = ("2026-06-05T21:59", "2026-06-05T22:00", "2026-06-06T01:59", "2026-06-06T02:00")
    assert [schedule.inside(LATE, BERLIN, at(t, BERLIN)) for t in times] == [False, True, True, False]


def test_a_window_over_midnight_on_sunday_reaches_monday():
    sunday = (Window(weekday=SUNDAY, start_min=1380, end_min=60),)
    assert schedule.inside(sunday, BERLIN, at("2026-06-08T00:30", BERLIN))


def test_the_schedule_is_read_in_the_agents_own_zone():
    now = datetime(2026, 6, 1, 15, 30, tzinfo=UTC)  # 09:30 in Denver, 17:30 in Berlin
    assert schedule.is_open(agent(), now)
    assert not schedule.is_open(agent(zone=BERLIN), now)


def test_an_hour_skipped_by_summer_time_never_opens():
    skipped = (Window(weekday=SUNDAY, start_min=120, end_min=180),)
    midnight = datetime(2026, 3, 28, 23, 0, tzinfo=UTC)  # 2026-03-29 00:00 in Berlin
    minutes = (midnight + timedelta(minutes=m) for m in range(23 * 60))
    assert not any(schedule.inside(skipped, BERLIN, minute) for minute in minutes)


def test_an_hour_repeated_by_winter_time_is_open_both_times():
    repeated = (Window(weekday=SUNDAY, start_min=120, end_min=180),)
    midnight = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)  # 2026-10-25 00:00 in Berlin
    minutes = (midnight + timedelta(minutes=m) for m in range(25 * 60))
    assert sum(schedule.inside(repeated, BERLIN, minute) for minute in minutes) == 120


def test_a_date_may_take_time_away():
    dentist = agent(NINE_TO_FIVE, dated("2026-06-01", 600, 660))
    open_at = [schedule.is_open(dentist, at(f"2026-06-01T{t}")) for t in ("09:59", "10:00", "11:00")]
    assert open_at == [True, False, True]
    assert schedule.next_opening(dentist, at("2026-06-01T10:30")) == at("2026-06-01T11:00")


def test_a_date_may_add_time():
    saturday = agent(NINE_TO_FIVE, dated("2026-06-06", 600, 840, opens=True))
    assert schedule.is_open(saturday, at("2026-06-06T12:00"))
    assert schedule.next_opening(saturday, at("2026-06-05T18:00")) == at("2026-06-06T10:00")


def test_of_two_exceptions_the_later_one_counts():
    holiday, anyway = dated("2026-06-01"), dated("2026-06-01", 600, 720, opens=True)
    assert schedule.is_open(agent(NINE_TO_FIVE, holiday, anyway), at("2026-06-01T11:00"))
    assert not schedule.is_open(agent(NINE_TO_FIVE, anyway, holiday), at("2026-06-01T11:00"))
    assert schedule.exception_at(agent(NINE_TO_FIVE, holiday), at("2026-06-01T11:00")) == holiday
    assert schedule.exception_at(agent(), at("2026-06-01T11:00")) is None


def test_the_next_opening_is_found_over_the_weekend():
    assert schedule.next_opening(agent(), at("2026-06-05T18:00")) == at("2026-06-08T09:00")


def test_an_empty_schedule_never_opens():
    assert schedule.next_opening(agent(()), at("2026-06-05T18:00")) is None


def test_the_tail_of_last_nights_window_opens_after_a_closed_evening():
    night = agent(LATE, dated("2026-06-05"), zone=BERLIN)
    assert schedule.next_opening(night, at("2026-06-05T23:00", BERLIN)) == at("2026-06-06T00:00", BERLIN)


WINDOWS = st.builds(
    Window, weekday=st.integers(0, 6), start_min=st.integers(0, 1439), end_min=st.integers(1, 1440)
)
INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))


@given(st.lists(WINDOWS, max_size=6).map(tuple), INSTANTS, st.sampled_from(sorted(available_timezones())))
def test_any_instant_in_any_zone_has_an_answer(weekly, now, zone):
    someone = agent(weekly, zone=ZoneInfo(zone))
    opening = schedule.next_opening(someone, now)
    assert schedule.is_open(someone, now) in (True, False)
    assert opening is None or opening > now


HALVES = tuple(
    Window(weekday=day, start_min=start, end_min=end)
    for day in range(7)
    for start, end in ((720, 1440), (0, 720))
)


def instants_that_matter(zone: ZoneInfo) -> Iterator[datetime]:
    """Each tenth day of twenty years, and each half hour of the day before and after a change of the clock."""
    for change in clock_changes(zone):
        yield from (change + timedelta(minutes=30 * n) for n in range(-48, 49))
    yield from (datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=10 * n) for n in range(731))


@cache
def clock_changes(zone: ZoneInfo) -> list[datetime]:
    """Of twenty years; those that last ten days and more."""
    days = [datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=10 * n) for n in range(731)]
    offsets = [day.astimezone(zone).utcoffset() for day in days]
    return [change_between(days[n - 1], days[n], zone) for n in range(1, 731) if offsets[n - 1] != offsets[n]]


def change_between(early: datetime, late: datetime, zone: ZoneInfo) -> datetime:
    """Of the clock, by halving; to the minute."""
    before = early.astimezone(zone).utcoffset()
    while late - early > timedelta(minutes=1):
        middle = early + (late - early) / 2
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late.replace(second=0, microsecond=0)


def first_open_minute(someone: Agent, after: datetime) -> datetime:
    """By looking at each."""
    while not schedule.is_open(someone, after):
        after += timedelta(minutes=1)
    return after


def test_hours_that_begin_in_a_skipped_time_open_when_the_clock_has_skipped_it():
    someone = agent((Window(weekday=SUNDAY, start_min=150, end_min=300),), zone=BERLIN)
    opening = schedule.next_opening(someone, datetime(2026, 3, 28, 12, tzinfo=UTC))
    assert f"{opening:%a %H:%M}" == "Sun 03:00"
    assert opening.astimezone(UTC) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


def test_hours_in_a_repeated_time_open_a_second_time():
    someone = agent((Window(weekday=SUNDAY, start_min=110, end_min=150),), zone=BERLIN)
    first_2_45 = datetime(2026, 10, 25, 0, 45, tzinfo=UTC)
    opening = schedule.next_opening(someone, first_2_45)
    assert (f"{opening:%a %H:%M}", opening.astimezone(UTC).hour) == ("Sun 02:00", 1)


@given(
    st.lists(
        st.builds(
            Window,
            weekday=st.integers(0, 6),
            start_min=st.integers(0, 240),
            end_min=st.integers(1, 300),
        ),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from(sorted(available_timezones())),
    st.integers(0, 10_000),
    st.integers(-180, 180),
)
def test_what_opens_next_opens_first_round_any_change_of_the_clock(weekly, name, which, minutes):
    zone = ZoneInfo(name)
    changes = clock_changes(zone)
    change = changes[which % len(changes)] if changes else at("2026-06-01T00:00", UTC)
    someone, now = agent(tuple(weekly), zone=zone), change + timedelta(minutes=minutes)
    expected = first_open_minute(someone, now + timedelta(minutes=1))
    opening = schedule.next_opening(someone, now).astimezone(UTC)  # two of one zone compare by the clock
    if schedule.is_open(someone, now):
        assert opening > now
    else:
        assert opening == expected


def test_round_the_clock_has_no_gap_in_any_zone_in_twenty_years():
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        for instant in instants_that_matter(zone):
            assert schedule.inside(HALVES, zone, instant)


def test_the_next_opening_is_never_late_at_any_change_of_time():
    """What opens next is open then, and nothing was open in between."""
    for name in (
        "Europe/Berlin",
        "America/Denver",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Asia/Tehran",
    ):
        zone = ZoneInfo(name)
        someone = agent(NINE_TO_FIVE, zone=zone)
        for instant in instants_that_matter(zone):
            opening = schedule.next_opening(someone, instant)
            assert opening > instant
            assert schedule.is_open(someone, opening)
