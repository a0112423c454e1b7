from datetime import timedelta

from callcontrol.core import events as e
from callcontrol.core.model import LegFate, MissedBecause, TransferId
from callcontrol.core.transfer import State
from tests.core.stage import (
    ALICE,
    ASSIGNED,
    BOB,
    FALLBACK,
    GROUP,
    LEAD,
    MOBILE,
    START,
    Stage,
    missed,
    ringing,
)


def test_a_request_asks_whom_the_first_step_rings():
    assert Stage().asked() == [ASSIGNED]


def test_an_attempt_rings_every_leg_it_was_given():
    stage = ringing(ALICE, BOB)
    assert [ring.leg for ring in stage.ordered(e.Ring)] == [ALICE, BOB]
    assert stage.ordered(e.Ring)[0].ring_timeout_s == 35.0


def test_what_was_rung_so_far_is_known_and_who_declined():
    stage = ringing(ALICE, MOBILE).ends("alice", e.EndedBy.DECLINED)
    so_far = stage.machine.so_far(TransferId("t"))
    assert so_far.rung == {ALICE.endpoint, MOBILE.endpoint}
    assert so_far.declined == {"alice"}


def test_an_empty_attempt_costs_no_time():
    stage = Stage().resolves()
    assert stage.asked() == [GROUP]
    assert stage.machine.attempt == 0


def test_an_answer_to_an_older_question_is_ignored():
    stage = Stage().resolves()
    stage.does(e.AttemptResolved(step=ASSIGNED, ask=1, legs=(ALICE,)))
    assert stage.last == ()


# --- more who join the ringing


def test_the_next_ones_join_the_ringing_after_a_while():
    stage = Stage().resolves(ALICE, next_after_s=10)
    assert stage.tick(9).asked() == []
    assert stage.tick(1).asked() == [ASSIGNED]
    stage.resolves(BOB)
    assert [ring.leg for ring in stage.ordered(e.Ring)] == [BOB]
    assert not stage.machine.legs[ALICE.id].gone
    assert stage.machine.attempt == 1


def test_the_next_ones_ring_at_once_when_the_first_are_gone():
    stage = Stage().resolves(ALICE, next_after_s=10).ends("alice", e.EndedBy.BUSY)
    assert stage.asked() == [ASSIGNED]
    assert stage.resolves(BOB).ordered(e.Ring)


def test_when_no_more_can_join_the_ringing_goes_on():
    stage = Stage().resolves(ALICE, next_after_s=10).tick(10).resolves()
    assert stage.machine.state is State.RINGING
    assert stage.ends("alice").asked() == [GROUP]


def test_whoever_was_left_of_a_step_is_asked_for_when_the_winner_drops():
    stage = Stage().resolves(ALICE, next_after_s=10).answers("alice").ends("alice")
    assert stage.asked() == [ASSIGNED]


def test_an_answer_that_comes_after_somebody_accepted_rings_nobody():
    stage = Stage().resolves(ALICE, next_after_s=2).tick(2).answers("alice")
    assert stage.resolves(BOB).last == ()


def test_an_answer_overtaken_by_a_newer_question_rings_nobody():
    stage = Stage().resolves(ALICE, next_after_s=2).tick(2).ends("alice")
    assert stage.does(e.AttemptResolved(step=ASSIGNED, ask=2, legs=(BOB,))).last == ()
    assert stage.resolves(BOB).ordered(e.Ring)


def test_the_next_step_starts_when_the_last_leg_is_gone():
    stage = ringing(ALICE, BOB).ends("alice", e.EndedBy.BUSY)
    assert stage.asked() == []
    stage.ends("bob", e.EndedBy.DECLINED)
    assert stage.asked() == [GROUP]
    assert (stage.fate("alice"), stage.fate("bob")) == (LegFate.BUSY, LegFate.DECLINED)


def test_a_ring_timeout_leaves_a_missed_call_and_moves_on():
    stage = ringing().tick(34.8)
    assert stage.hung_up() == {}
    stage.tick(0.2)
    assert stage.hung_up() == {"alice": e.Why.RING_TIMEOUT}
    stage.ends("alice")
    assert stage.fate("alice") is LegFate.NO_ANSWER
    assert stage.machine.state is State.RESOLVING


def test_each_leg_has_its_own_ring_deadline():
    stage = ringing(ALICE, BOB).ends("alice", e.EndedBy.BUSY, after=10).tick(24)
    assert stage.hung_up() == {}
    assert stage.tick(1).hung_up() == {"bob": e.Why.RING_TIMEOUT}


def test_an_extension_that_does_not_even_ring_is_unreachable_after_8_s():
    stage = Stage().resolves(ALICE)
    assert stage.machine.next_deadline() == START + timedelta(seconds=8)
    assert stage.tick(8).hung_up() == {"alice": e.Why.UNREACHABLE}
    assert stage.ends("alice").fate("alice") is LegFate.UNREACHABLE


def test_a_number_outside_may_take_its_time_to_ring():
    stage = Stage().resolves(MOBILE).tick(20)
    assert stage.hung_up() == {}


def test_a_switch_that_never_says_a_leg_ended_does_not_hold_the_transfer_up():
    stage = ringing().tick(35)
    assert stage.tick(3).asked() == [GROUP]


def test_with_nobody_at_all_the_transfer_is_missed_at_once():
    stage = Stage()
    for _step in (ASSIGNED, GROUP, FALLBACK):
        stage.resolves()
    assert stage.outcomes() == missed(MissedBecause.NO_ONE_AVAILABLE)
    assert stage.machine.closed
    assert stage.ordered(e.ReturnLead) == []  # the lead is still with its bot


def test_when_nobody_answers_the_transfer_is_missed():
    stage = ringing(plan=(ASSIGNED,)).tick(35).ends("alice")
    assert stage.outcomes() == missed(MissedBecause.NO_ANSWER)
    assert stage.told()[-1] is e.Phase.MISSED


def test_every_cause_of_an_unanswered_leg_has_its_fate():
    expected = {
        e.EndedBy.NORMAL: LegFate.NO_ANSWER,
        e.EndedBy.BUSY: LegFate.BUSY,
        e.EndedBy.DECLINED: LegFate.DECLINED,
        e.EndedBy.NO_ANSWER: LegFate.NO_ANSWER,
        e.EndedBy.UNREACHABLE: LegFate.UNREACHABLE,
        e.EndedBy.FORWARDED: LegFate.FORWARDED,
    }
    assert {by: ringing().ends("alice", by).fate("alice") for by in e.EndedBy} == expected


# --- the legs' news


def test_news_of_an_unknown_or_finished_leg_is_ignored():
    stage = ringing(ALICE, BOB).ends("alice")
    for event in (e.LegRinging, e.LegAnswered, e.LegAccepted, e.LegDeclined):
        assert stage.does(event(channel=ALICE.id)).last == ()
    assert stage.ends("alice").last == ()
    assert stage.does(e.LegRinging(channel=LEAD)).last == ()


def test_ring_seconds_and_answer_delay_are_measured_from_ringing():
    record = ringing().answers("alice", after=4).machine.legs[ALICE.id].record
    assert record.ring_s == record.answer_delay_s == 4.0
    unanswered = ringing().ends("alice", after=7).machine.legs[ALICE.id].record
    assert unanswered.ring_s == 7.0
    assert unanswered.answer_delay_s is None
