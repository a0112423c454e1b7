"""When a task is brought before the owner, and when the lead is left in peace."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcontrol.core.escalation import (
    QuietHours,
    TaskRules,
    due_at,
    first_at,
    next_at,
    quiet_until,
    told,
)
from callcontrol.core.followup import Worded
from callcontrol.core.model import Agent, AgentId, Bot, BotId, Contact, Lead, LeadId, TransferId

NOW = datetime(2026, 6, 1, 15, tzinfo=UTC)
BERLIN, DENVER, HONOLULU = (ZoneInfo(z) for z in ("Europe/Berlin", "America/Denver", "Pacific/Honolulu"))
NIGHT = QuietHours()
NOON = QuietHours(start_min=12 * 60, end_min=13 * 60)
LENA = Lead(id=LeadId("lena"), name="Lena", phone="+4930123456", source="Portal")
OLGA = Contact(name="Olga", phone="+4930123400")


def berlin(day: int, hour: int, minute: int = 0, *, month: int = 6, fold: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=BERLIN, fold=fold)


def agent(phone: str | None) -> Agent:
    return Agent(
        id=AgentId("alice"),
        name="Alice",
        active=True,
        available=True,
        zone=BERLIN,
        schedule=(),
        endpoints=(),
        phone=phone,
    )


def test_a_task_is_due_and_escalates_some_minutes_after_the_miss():
    rules = TaskRules(due_s=300, again_s=900, at_most=2)
    assert due_at(NOW, rules) == first_at(NOW, rules) == NOW + timedelta(minutes=5)
    assert next_at(1, NOW, rules) == NOW + timedelta(minutes=15)
    assert next_at(2, NOW, rules) is None


def test_no_texts_at_all_where_none_are_wanted():
    assert first_at(NOW, TaskRules(at_most=0)) is None
    assert next_at(0, NOW, TaskRules(at_most=0)) is None


@pytest.mark.parametrize(
    ("at", "until"),
    [
        (berlin(1, 20, 59), None),
        (berlin(1, 21), berlin(2, 8)),
        (berlin(1, 23, 30), berlin(2, 8)),
        (berlin(2, 3), berlin(2, 8)),
        (berlin(2, 7, 59), berlin(2, 8)),
        (berlin(2, 8), None),
    ],
)
def test_the_night_is_quiet_where_the_lead_is(at, until):
    assert quiet_until(at.astimezone(UTC), [BERLIN], NIGHT) == until


@pytest.mark.parametrize(
    ("at", "until"),
    [(berlin(1, 11, 59), None), (berlin(1, 12, 30), berlin(1, 13)), (berlin(1, 13), None)],
)
def test_quiet_hours_may_lie_within_a_day(at, until):
    assert quiet_until(at, [BERLIN], NOON) == until


def test_hours_without_length_are_none():
    assert quiet_until(berlin(1, 3), [BERLIN], QuietHours(start_min=0, end_min=0)) is None


def test_a_number_of_several_zones_is_left_in_peace_while_it_is_night_in_any():
    at = datetime(2026, 6, 2, 13, 30, tzinfo=UTC)  # 07:30 in Denver, 03:30 in Honolulu
    assert quiet_until(at, [DENVER, HONOLULU], NIGHT) == datetime(2026, 6, 2, 8, tzinfo=HONOLULU)


def test_where_it_is_always_night_somewhere_the_search_ends():
    round_the_world = [ZoneInfo(f"Etc/GMT{n:+d}") for n in range(-12, 13)]
    assert quiet_until(NOW, round_the_world, NIGHT) is not None


def test_the_hour_that_comes_twice_is_quiet_both_times():
    hours = QuietHours(start_min=60, end_min=150)  # to 02:30, on the night the clocks go back
    second = berlin(25, 2, 15, month=10, fold=1)
    end = quiet_until(second.astimezone(UTC), [BERLIN], hours)
    assert end is not None
    assert end.astimezone(UTC) == berlin(25, 2, 30, month=10, fold=1).astimezone(UTC)


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
    st.sampled_from([BERLIN, DENVER, HONOLULU, ZoneInfo("Australia/Lord_Howe"), UTC]),
    st.integers(0, 1439),
    st.integers(0, 1439),
)
def test_at_their_end_the_quiet_hours_are_over(at, zone, start, end):
    hours = QuietHours(start_min=start, end_min=end)
    until = quiet_until(at, [zone], hours)
    if until is not None:
        assert at < until <= at + timedelta(hours=26)
        assert quiet_until(until, [zone], hours) is None


def said(notice):
    words = f"{notice.occasion} {notice.recipient} {notice.name}: {notice.lead.name}, {notice.waited_min} min"
    return Worded(body=words, warning="worded otherwise" if notice.name == "Olga" else "")


def follow(owner, assigned):
    bot = Bot(id=BotId("sami"), name="Sami", owner=owner)
    waited = timedelta(minutes=20, seconds=10)
    return told(TransferId("t"), LENA, bot, assigned, waited=waited, word=said)


def test_the_text_goes_to_the_owner_and_says_whom_to_call():
    found = follow(OLGA, agent("+4930123401"))
    (text,) = found.texts
    assert (text.recipient, text.to, text.agent_id) == ("owner", OLGA.phone, None)
    assert text.body == "overdue owner Olga: Lena, 20 min"
    assert found.warnings == ("worded otherwise",)


def test_without_an_owner_it_goes_to_the_agent():
    found = follow(None, agent("+4930123401"))
    (text,) = found.texts
    assert (text.recipient, text.to, text.agent_id) == ("agent", "+4930123401", "alice")
    assert found.warnings == ()


@pytest.mark.parametrize("assigned", [None, agent(None)])
def test_where_there_is_nobody_to_tell_that_is_said(assigned):
    found = follow(None, assigned)
    assert found.texts == ()
    assert found.warnings == ("nobody to text: no owner and no assigned agent with a number",)
