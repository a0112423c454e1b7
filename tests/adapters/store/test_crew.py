from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from callcontrol.adapters.sql.crew import Crew, members, union
from callcontrol.core import schedule
from callcontrol.core.model import Agent, AgentId, DatedWindow, Window

ZONES = [ZoneInfo(name) for name in ("America/Denver", "Europe/Berlin", "Australia/Lord_Howe", "UTC")]
DAY = date(2026, 3, 29)  # summer time begins in Berlin

minutes = st.integers(0, 1439)
windows = st.builds(Window, weekday=st.integers(0, 6), start_min=minutes, end_min=st.integers(1, 1440))
exceptions = st.builds(
    lambda days, start, length, opens: DatedWindow(
        on=DAY + timedelta(days=days), start_min=start, end_min=min(1440, start + length), opens=opens
    ),
    st.integers(-1, 1),
    minutes,
    st.integers(1, 1440),
    st.booleans(),
)
instants = st.datetimes(
    datetime(2026, 3, 27, tzinfo=None), datetime(2026, 4, 1, tzinfo=None), timezones=st.just(UTC)
)


def agents(draw_each):
    return [
        Agent(
            id=AgentId(f"a{n}"),
            name="",
            active=n % 5 != 0,
            available=True,
            zone=zone,
            schedule=tuple(weekly),
            exceptions=tuple(dated),
            endpoints=(),
            tags=frozenset(tags),
        )
        for n, (zone, weekly, dated, tags) in enumerate(draw_each)
    ]


crews = st.lists(
    st.tuples(
        st.sampled_from(ZONES),
        st.lists(windows, max_size=4),
        st.lists(exceptions, max_size=3),
        st.sets(st.sampled_from("abc")),
    ),
    max_size=12,
).map(agents)


@given(crews, instants)
def test_the_hours_of_a_crew_are_those_of_its_agents(people, now):
    found = set(members(Crew(people).open_at(now)))
    assert found == {n for n, agent in enumerate(people) if schedule.is_open(agent, now)}


@given(crews, st.sets(st.sampled_from("abcd"), min_size=1))
def test_who_has_all_the_tags(people, tags):
    found = set(members(Crew(people).tagged(tags)))
    assert found == {n for n, agent in enumerate(people) if tags <= agent.tags}


@given(st.sets(st.integers(0, 20_000)))
def test_a_set_gives_its_numbers_in_order(numbers):
    assert list(members(union(numbers))) == sorted(numbers)
