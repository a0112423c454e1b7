from dataclasses import replace
from datetime import UTC, datetime

import pytest

from callcontrol.core.model import LegFate, LegRecord, StepKind
from callcontrol.core.standing import Became, changes
from tests.core.stage import leg, mobile

AT = datetime(2026, 6, 1, 15, tzinfo=UTC)
DESK = LegRecord(leg=leg("alice"), attempt=1, step=StepKind.GROUP, dialled_at=AT)
SOFT = replace(DESK, leg=replace(leg("alice"), id="alice-soft"))


def ended(record: LegRecord, fate: LegFate, *, answered: bool = False) -> LegRecord:
    return replace(record, fate=fate, ended_at=AT, answered_at=AT if answered else None)


def became(before, after) -> list[Became]:
    return [change.became for change in changes(before, after, AT)]


def test_a_phone_that_begins_to_ring_is_noted():
    assert became([], [DESK]) == [Became.RUNG]
    assert became([DESK], [DESK]) == []
    assert became([DESK], [DESK, SOFT]) == [Became.RUNG]


@pytest.mark.parametrize("fate", LegFate)
def test_only_ringing_out_counts_against_an_agent(fate):
    expected = {LegFate.ANSWERED: Became.TALKED, LegFate.NO_ANSWER: Became.MISSED}
    assert became([DESK], [ended(DESK, fate)]) == [expected.get(fate, Became.FREE)]


def test_an_agent_with_two_phones_misses_once():
    both = [ended(DESK, LegFate.NO_ANSWER), ended(SOFT, LegFate.NO_ANSWER)]
    assert became([DESK, SOFT], [both[0], SOFT]) == []
    assert became([both[0], SOFT], both) == [Became.MISSED]
    assert became(both, both) == []


def test_whoever_answered_on_one_phone_has_not_missed_on_the_other():
    after = [ended(DESK, LegFate.NO_ANSWER), ended(SOFT, LegFate.NOT_ACCEPTED, answered=True)]
    assert became([DESK, SOFT], after) == [Became.FREE]


def test_a_phone_refused_at_once_is_rung_and_free_again_in_one_turn():
    assert became([], [ended(DESK, LegFate.UNREACHABLE)]) == [Became.RUNG, Became.FREE]


def test_a_fallback_number_has_no_standing():
    number = replace(DESK, leg=mobile("front"))
    assert changes([], [number], AT) == ()
