"""The estimator against scikit-survival's, and what must hold of it whatever the data."""

from math import log

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sksurv.nonparametric import cumulative_incidence_competing_risks, kaplan_meier_estimator

from callcontrol.core.estimate import Z, share, unknown
from callcontrol.core.model import LegFate
from callcontrol.core.tuning import End, Rings, catch, curve, end_of, what_if

_CODES = {End.CUT: 0, End.ANSWERED: 1, End.REFUSED: 2}

seconds = st.integers(0, 45)
many = st.lists(st.tuples(seconds, st.sampled_from(End)), min_size=30, max_size=60)
without_refusals = st.lists(
    st.tuples(seconds, st.sampled_from([End.ANSWERED, End.CUT])), min_size=30, max_size=60
)


def rings(pairs):
    return [Rings(second=second, end=end) for second, end in pairs]


def arrays(pairs):
    times = np.array([float(second) for second, _ in pairs])
    return np.array([_CODES[end] for _, end in pairs]), times


@settings(max_examples=50)
@given(without_refusals)
def test_without_refusals_it_is_kaplan_meier_with_greenwoods_log_log_interval(pairs):
    codes, times = arrays(pairs)
    assume(codes.any())
    theirs = kaplan_meier_estimator(codes == 1, times, conf_type="log-log")
    ours = curve(rings(pairs))
    for second, survival, low, high in zip(*theirs[:2], *theirs[2], strict=True):
        found = ours.within(int(second) + 1)
        if found.value is None:
            continue
        assert found.value == pytest.approx(1 - survival, abs=1e-9)
        if 1e-9 < survival < 1 - 1e-9:
            assert (found.low, found.high) == pytest.approx((1 - high, 1 - low), abs=1e-9)


@settings(max_examples=50)
@given(many)
def test_with_refusals_it_is_aalen_johansen_with_dinse_and_larsons_variance(pairs):
    codes, times = arrays(pairs)
    assume({1, 2} <= set(codes))
    order = np.unique(times)
    assume(codes[times == order[-1]].min() == 0)  # theirs divides by none left at risk
    theirs = cumulative_incidence_competing_risks(codes, times, conf_type="log-log", var_type="Dinse_Approx")
    ours = curve(rings(pairs))
    by_second = {point.second: point for point in ours.points}
    for n, second in enumerate(theirs[0]):
        assert by_second[int(second)].answered == pytest.approx(theirs[1][1][n], abs=1e-9)
        assert 1 - by_second[int(second)].ringing == pytest.approx(theirs[1][0][n], abs=1e-9)
        found = ours.within(int(second) + 1)
        if found.value is not None and 1e-6 < found.value < 1 - 1e-6:
            assert error_of(found) == pytest.approx(
                theirs_error(theirs[1][1][n], theirs[2][1, :, n]), rel=1e-6
            )


def error_of(found):
    """The standard error that an interval was made from."""
    unanswered = 1 - found.value
    reach = log(log(1 - found.high) / log(unanswered))
    return reach * unanswered * abs(log(unanswered)) / Z


def theirs_error(value, interval):
    low, _high = interval
    reach = log(log(low) / log(value))
    return reach * value * abs(log(value)) / Z


@given(st.lists(seconds, min_size=30, max_size=80), st.integers(1, 45))
def test_where_all_is_known_the_mean_is_that_of_the_rings(ends, limit):
    found = curve(rings([(second, End.ANSWERED) for second in ends])).mean_s(limit)
    assume(found.value is not None)
    assert found.value == pytest.approx(np.mean([min(second + 0.5, limit) for second in ends]))
    assert 0 <= found.low <= found.value <= found.high <= limit


def test_where_nothing_is_cut_the_error_is_that_of_a_share():
    found = curve(
        [Rings(second=5, end=End.ANSWERED, count=20), Rings(second=10, end=End.REFUSED, count=60)]
    ).within(45)
    assert found.value == pytest.approx(0.25)
    assert error_of(found) == pytest.approx((0.25 * 0.75 / 80) ** 0.5)


def test_what_no_ring_has_lasted_is_not_told():
    known = curve([Rings(second=5, end=End.ANSWERED, count=40), Rings(second=35, end=End.CUT, count=60)])
    assert known.within(35).value == pytest.approx(0.4)
    assert known.within(40) == unknown(100)
    assert known.mean_s(40) == unknown(100)
    assert known.cut == 60


def test_what_all_but_a_few_have_ended_before_is_told():
    known = curve([Rings(second=5, end=End.ANSWERED, count=99), Rings(second=35, end=End.CUT)])
    assert known.within(45).value == pytest.approx(0.99)


def test_few_rings_tell_nothing():
    assert curve([Rings(second=5, end=End.ANSWERED, count=29)]).within(20) == unknown(29)
    assert curve([]).within(20) == unknown(0)


@pytest.mark.parametrize(("end", "value"), [(End.ANSWERED, 1.0), (End.REFUSED, 0.0), (End.CUT, 0.0)])
def test_where_all_rings_end_alike_the_interval_is_wilsons(end, value):
    found = curve([Rings(second=30, end=end, count=40)])
    told = found.within(45 if end is not End.CUT else 20)
    wanted = share(40 if value else 0, 40)
    assert (told.value, told.low, told.high) == (value, wanted.low, wanted.high)


def test_a_longer_timeout_connects_more_and_waits_longer():
    known = curve(
        [
            *(Rings(second=second, end=End.ANSWERED, count=3) for second in range(40)),
            Rings(second=50, end=End.CUT, count=30),
        ]
    )
    told = what_if(known, (20, 30, 40))
    assert [one.connected.value for one in told] == pytest.approx([0.4, 0.6, 0.8])
    waits = [one.mean_wait_s.value for one in told]
    assert waits == sorted(waits)
    assert waits[0] == pytest.approx(0.6 * 20 + 0.4 * 10)


def test_what_could_be_caught_is_what_another_step_caught_elsewhere():
    found = catch(100, 40, share(15, 30))
    assert (found.caught.value, found.caught.calls) == (20, 30)
    assert catch(100, 40, unknown(3)).caught == unknown(3)


# --- fairness


@pytest.mark.parametrize("fate", [f for f in LegFate if f is not LegFate.ANSWERED])
def test_only_a_phone_that_can_no_more_be_answered_has_refused(fate):
    refused = {"declined", "busy", "not_accepted", "unreachable", "forwarded"}
    assert end_of(fate, accepted=False) is (End.REFUSED if fate in refused else End.CUT)


@pytest.mark.parametrize("fate", list(LegFate))
def test_who_accepted_has_answered_whatever_came_of_it(fate):
    assert end_of(fate, accepted=True) is End.ANSWERED


races = st.lists(seconds, min_size=1, max_size=40)


@given(many, races, st.integers(1, 45))
def test_losing_races_counts_for_more_than_refusing_as_often(pairs, lost, within):
    as_lost = _answered(pairs + [(s, end_of(LegFate.LOST_RACE, accepted=False)) for s in lost], within)
    as_refused = _answered(pairs + [(s, end_of(LegFate.DECLINED, accepted=False)) for s in lost], within)
    assert as_lost >= as_refused - 1e-12


@given(many, races, st.integers(1, 45))
def test_losing_races_counts_for_more_than_letting_it_ring(pairs, lost, within):
    as_lost = _answered(pairs + [(s, End.CUT) for s in lost], within)
    rung_out = _answered(pairs + [(60, End.CUT) for _ in lost], within)
    assert as_lost >= rung_out - 1e-12


@given(many, st.integers(1, 40), st.integers(1, 45))
def test_a_race_lost_before_anybody_ever_answered_changes_nothing(pairs, lost, within):
    later = [(second + 1, end) for second, end in pairs]
    assert _answered(later + [(0, End.CUT)] * lost, within) == pytest.approx(_answered(later, within))


def _answered(pairs, within):
    past = [point.answered for point in curve(rings(pairs)).points if point.second < within]
    return past[-1] if past else 0.0
