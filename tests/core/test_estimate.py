import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcontrol.core.estimate import quantile, share, unknown, wilson


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_is_that_of_newcombes_table(part, whole, low, high):
    # R. G. Newcombe, Statistics in Medicine 17, 1998, 857-872, table I, method 3
    assert wilson(part, whole) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_share_lies_in_its_interval_which_lies_between_none_and_all(counts):
    part, whole = counts
    found = share(part, whole, enough=1)
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1


def test_a_share_of_few_calls_is_not_given():
    assert share(29, 29) == unknown(29)
    assert share(15, 30).value == 0.5
    assert share(0, 0, enough=0) == unknown(0)


def test_an_estimate_scales_with_its_interval():
    assert share(15, 30).times(10).value == 5
    assert unknown(3).times(10) == unknown(3)


def test_a_quantile_is_the_least_value_that_so_many_do_not_exceed():
    counts = {1: 5, 4: 4, 9: 1}
    assert [quantile(counts, q) for q in (0.5, 0.9, 0.99)] == [1, 4, 9]
    assert quantile({}, 0.5) is None
