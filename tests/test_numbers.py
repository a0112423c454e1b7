"""Numbers as people dial them, and where they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcontrol.numbers import NumberPlan, canonical, tail, zone_named, zones_of

BERLIN, DENVER = "+493023125001", "+13035550100"


@pytest.mark.parametrize(
    ("dialled", "e164", "reaches"),
    [
        ("+493023125001", BERLIN, True),
        ("+49 (30) 231-25001", BERLIN, True),
        ("493023125001", BERLIN, True),
        ("00493023125001", BERLIN, True),
        ("03023125001", BERLIN, True),
        ("003023125001", BERLIN, True),  # 0 for a line, and the national number
        ("000493023125001", BERLIN, True),
        ("9011493023125001", BERLIN, True),  # from a phone in America
        ("93023125001", BERLIN, True),  # 9 for a line, and the number without its 0
        ("+493023125002", BERLIN, False),
        ("03123125001", BERLIN, False),
        ("+13023125001", BERLIN, False),
        ("125001", BERLIN, False),
        ("", BERLIN, False),
        ("+", BERLIN, False),
        ("13035550100", DENVER, True),
        ("913035550100", DENVER, True),
        ("3035550100", DENVER, True),
        ("93035550100", DENVER, True),
        ("01113035550100", DENVER, True),
        ("3045550100", DENVER, False),
    ],
)
def test_what_is_dialled_reaches_a_number(dialled, e164, reaches):
    assert NumberPlan().reaches(dialled, e164) is reaches


def test_a_site_may_say_where_it_dials_from_and_what_for_a_line():
    at_home = NumberPlan(region="DE", trunk_prefixes=("8",))
    assert at_home.reaches("803023125001", BERLIN)
    assert not at_home.reaches("903023125001", BERLIN)
    assert not at_home.reaches("3035550100", DENVER)
    assert at_home.reaches("0013035550100", DENVER)


@given(st.sampled_from(["", "9", "0", "00", "011", "+", "9011"]), st.sampled_from([BERLIN, DENVER]))
def test_every_way_to_write_a_number_ends_alike(prefix, number):
    assert tail(prefix + number.removeprefix("+")) == tail(number)


@given(st.text(max_size=30))
def test_no_text_breaks_the_reading(text):
    NumberPlan().reaches(text, BERLIN)
    NumberPlan(region="DE").reaches(text, text)
    canonical(text, "DE")
    zones_of(text)


def test_what_is_too_short_has_no_tail():
    assert tail("12") == ""
    assert tail("112") == "112"


@pytest.mark.parametrize(
    ("given", "region", "read"),
    [
        ("+49 30 23125001", None, BERLIN),
        ("030 23125001", "DE", BERLIN),
        ("030 23125001", None, "03023125001"),
    ],
)
def test_a_number_is_brought_into_one_form_where_that_can_be(given, region, read):
    assert canonical(given, region) == read


def test_a_number_tells_where_it_is():
    assert [str(zone) for zone in zones_of(BERLIN)] == ["Europe/Berlin"]
    assert [str(zone) for zone in zones_of(DENVER)] == ["America/Denver"]
    assert len(zones_of("+18005550199")) > 1
    assert zones_of("+999123456") == ()


def test_a_zone_is_known_by_its_name_or_not_at_all():
    assert str(zone_named("Europe/Berlin")) == "Europe/Berlin"
    assert zone_named("Berlin") is None
    assert zone_named("../etc/passwd") is None
