from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcontrol.core.analytics import FALLBACKS, NO_POOL, By, report
from callcontrol.core.counted import Attempts, CallBack, Counts, Legs, Quarter, Span, Sums, Transfers
from callcontrol.core.model import AgentId, BotId, LegFate, MissedBecause, Pattern, PoolId, StepKind, Term
from callcontrol.core.tuning import End, Rings

ANN = AgentId("ann")


def transfers(n=40, missed=None, fallback_attempts=0, timeout=35.0, pattern=Pattern.GROUP):
    return Transfers(
        bot_id=BotId("sami"),
        pattern=pattern,
        ring_timeout_s=timeout,
        missed=missed,
        fallback_attempts=fallback_attempts,
        sums=Sums(count=n, answered=n, answer_us=n * 5_000_000, talking=n, talking_us=n * 9_000_000),
    )


def attempts(n=40, *, step=StepKind.GROUP, connected=True, called_off=False, pool=None):
    end = End.ANSWERED if connected else End.CUT
    rings = Rings(second=5, end=end, count=n)
    return Attempts(
        attempt=1,
        step=step,
        pool_id=pool,
        connected=connected,
        called_off=called_off,
        rings=rings,
        sums=Sums(count=n),
    )


def legs(n=40, fate=LegFate.ANSWERED, agent=ANN):
    end = End.ANSWERED if fate is LegFate.ANSWERED else End.CUT
    return Legs(
        agent_id=agent,
        attempt=1,
        fate=fate,
        rings=Rings(second=5, end=end, count=n),
        sums=Sums(count=n, answered=n, answer_us=n * 5_000_000),
    )


def told(zone=UTC, by=By, **counts):
    return report(Counts(**counts), Span(), zone, by)


def test_the_shares_are_of_the_decided_transfers():
    found = told(
        transfers=[transfers(60), transfers(40, MissedBecause.NO_ANSWER), transfers(5, timeout=None)]
    )
    assert (found.transfers, found.connected) == (105, 65)
    assert found.connect_rate.value == pytest.approx(65 / 105)
    assert found.missed == {MissedBecause.NO_ANSWER: 40}
    assert found.timeouts_s == {35.0: 100}


def test_a_pattern_of_before_it_was_kept_is_unknown():
    (group,) = told(transfers=[transfers(pattern=None)]).groups[By.PATTERN]
    assert group.key == "(unknown)"


def test_the_means_are_of_those_that_were_answered():
    (group,) = told(transfers=[transfers()]).groups[By.BOT]
    assert (group.answer_s, group.talking_s) == (5.0, 9.0)
    (group,) = told(attempts=[attempts()]).groups[By.ATTEMPT]
    assert group.answer_s is None


def test_quarters_of_an_hour_become_the_zones_hours_across_a_change_of_the_clock():
    denver = ZoneInfo("America/Denver")
    spring = int(datetime(2026, 3, 8, 9, 0, tzinfo=UTC).timestamp()) // 900  # 02:00 there, which is 03:00
    quarters = [Quarter(number=spring - 1, connected=True, sums=Sums(count=1))]
    quarters += [Quarter(number=spring, connected=False, sums=Sums(count=2))]
    found = told(denver, quarters=quarters)
    assert {group.key: group.calls for group in found.groups[By.HOUR]} == {"01:00": 1, "03:00": 2}
    assert [group.key for group in found.groups[By.WEEKDAY]] == ["Sunday"]


def test_only_the_breakdowns_asked_for_are_made():
    assert set(told(by=[By.HOUR]).groups) == {By.HOUR}


def test_an_attempt_called_off_is_told_beside_the_others():
    found = told(
        attempts=[attempts(30), attempts(10, connected=False), attempts(7, connected=False, called_off=True)]
    )
    (group,) = found.groups[By.ATTEMPT]
    assert (group.calls, group.connected, group.left_out) == (40, 30, 7)


def test_attempts_are_the_pools_the_fallbacks_or_nobodys():
    found = told(
        attempts=[
            attempts(3, pool=PoolId("sales")),
            attempts(2, step=StepKind.ASSIGNED),
            attempts(1, step=StepKind.FALLBACK),
        ]
    )
    assert [group.key for group in found.groups[By.POOL]] == ["sales", NO_POOL, FALLBACKS]


@given(st.sampled_from([LegFate.LOST_RACE, LegFate.CANCELLED, LegFate.LOST]), st.integers(1, 10_000))
def test_no_number_of_lost_races_changes_an_agents_share(fate, lost):
    fair = [legs(30), legs(20, LegFate.NO_ANSWER)]
    (without,) = told(legs=fair).groups[By.AGENT]
    (with_races,) = told(legs=[*fair, legs(lost, fate)]).groups[By.AGENT]
    assert with_races.connect_rate == without.connect_rate
    assert (with_races.calls, with_races.left_out) == (without.calls, lost)


def test_a_phone_of_no_agent_is_a_fallback_number():
    (group,) = told(legs=[legs(agent=None)]).groups[By.AGENT]
    assert group.key == FALLBACKS


def test_the_curve_of_an_attempt_is_its_phones_and_the_what_if_its_attempts():
    found = told(legs=[legs(80)], attempts=[attempts(40)])
    (one,) = found.attempts
    assert one.phones.rings == 80
    assert {what_if.connected.calls for what_if in one.what_if} == {40}


def test_how_fast_missed_leads_were_called_back():
    tasks = [
        CallBack(first_attempt_s=60.0, first_answered_s=90.0, done_how="call_back"),
        CallBack(first_attempt_s=120.0, first_answered_s=None, done_how=None),
    ]
    found = told(call_backs=tasks).call_backs
    assert (found.tasks, found.attempted.calls, found.talked.calls) == (2, 2, 1)
    assert (found.attempted.p50_s, found.attempted.p90_s) == (60.0, 120.0)
    assert found.done == {"call_back": 1}


def test_a_second_fallback_is_judged_by_second_fallbacks_where_there_were_enough():
    some = [
        transfers(30, None, fallback_attempts=1),
        transfers(20, MissedBecause.NO_ANSWER, fallback_attempts=1),
        transfers(10, MissedBecause.LEAD_HUNG_UP, fallback_attempts=1),  # nobody's fault
        transfers(5, MissedBecause.NO_ONE_AVAILABLE),
    ]
    advice = told(transfers=some).advice
    assert advice.first_fallback.success.value == pytest.approx(0.6)
    assert (advice.first_fallback.misses, advice.first_fallback.open_to_it) == (25, 5)
    assert advice.second_fallback.success == advice.first_fallback.success
    assert advice.second_fallback.caught.value == pytest.approx(12)
    two = [
        transfers(10, None, fallback_attempts=2),
        transfers(30, MissedBecause.NO_ANSWER, fallback_attempts=2),
    ]
    advice = told(transfers=[*some, *two]).advice
    assert advice.second_fallback.success.value == pytest.approx(0.25)
    assert advice.first_fallback.success.value == pytest.approx(30 / 90)


def test_wider_hours_are_judged_by_how_attempts_to_reach_agents_went():
    found = told(
        transfers=[transfers(50, MissedBecause.NO_ANSWER)],
        attempts=[
            attempts(30),
            attempts(30, connected=False),
            attempts(99, connected=False, called_off=True),
            attempts(99, step=StepKind.FALLBACK),
        ],
        kept_out={Term.SCHEDULE: 20, Term.TOGGLE: 3},
    )
    wider = found.advice.wider_schedule
    assert (wider.open_to_it, wider.success.calls, wider.caught.value) == (20, 60, 10)
