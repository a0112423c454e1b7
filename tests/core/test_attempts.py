from dataclasses import replace
from datetime import timedelta

from callcontrol.core.attempts import attempts_of
from callcontrol.core.model import ChannelId, LegFate, LegRecord, PoolId, StepKind
from callcontrol.core.tuning import End
from tests.core.stage import START, leg

SALES = PoolId("sales")


def rung(name, *, attempt=1, step=StepKind.GROUP, after=0.0, **told):
    return LegRecord(
        leg=leg(name),
        attempt=attempt,
        step=step,
        dialled_at=START + timedelta(seconds=after),
        pool_id=SALES if step is StepKind.GROUP else None,
        **told,
    )


def at(seconds):
    return START + timedelta(seconds=seconds)


def ended(record, seconds, fate):
    return replace(record, ended_at=at(seconds), fate=fate)


def won(record, seconds):
    return replace(
        record,
        answered_at=at(seconds),
        accepted_at=at(seconds),
        joined_at=at(seconds + 1),
        fate=LegFate.ANSWERED,
    )


def facts(*legs, winner=None, seconds=60.0):
    return attempts_of(legs, None if winner is None else ChannelId(winner), START, at(seconds))


def test_an_attempt_that_connects_lasts_until_its_first_acceptance():
    lost = ended(rung("bob"), 4.3, LegFate.LOST_RACE)
    (one,) = facts(won(rung("ann"), 4.2), lost, winner="ann")
    assert (one.connected, one.ending, one.rang_s) == (True, End.ANSWERED, 4)
    assert (one.answer_us, one.talking_us) == (4_200_000, 5_200_000)
    assert (one.step, one.pool_id, one.called_off) == (StepKind.GROUP, SALES, False)


def test_a_phone_that_joined_the_ringing_later_answers_by_its_own_clock():
    late = won(rung("bob", after=10), 13)
    (one,) = facts(ended(rung("ann"), 13.1, LegFate.LOST_RACE), late, winner="bob")
    assert one.rang_s == 3


def test_an_attempt_nobody_took_was_cut_with_its_longest_ring():
    (one,) = facts(ended(rung("ann"), 35.02, LegFate.NO_ANSWER), ended(rung("bob"), 3, LegFate.DECLINED))
    assert (one.ending, one.rang_s, one.called_off) == (End.CUT, 35, False)
    assert (one.answer_us, one.talking_us) == (None, None)


def test_an_attempt_that_every_phone_refused_was_refused_when_the_last_one_did():
    (one,) = facts(ended(rung("ann"), 2, LegFate.BUSY), ended(rung("bob"), 9, LegFate.DECLINED))
    assert (one.ending, one.rang_s) == (End.REFUSED, 9)


def test_what_still_rings_when_the_lead_hangs_up_is_called_off_then():
    (one,) = facts(rung("ann"), seconds=7.5)
    assert (one.ending, one.rang_s, one.called_off) == (End.CUT, 7, True)


def test_attempts_are_told_apart_and_in_order():
    fallback = ended(rung("desk", attempt=2, step=StepKind.FALLBACK), 9, LegFate.NO_ANSWER)
    first, second = facts(fallback, ended(rung("ann"), 35, LegFate.NO_ANSWER))
    assert (first.number, second.number, second.step, second.pool_id) == (1, 2, StepKind.FALLBACK, None)


def test_an_agent_who_accepted_and_was_lost_has_answered_all_the_same():
    left = replace(won(rung("ann"), 5), joined_at=None, ended_at=at(6), fate=LegFate.HUNG_UP)
    (one,) = facts(left)
    assert (one.connected, one.ending, one.talking_us) == (False, End.ANSWERED, None)


def test_no_legs_make_no_attempts():
    assert facts() == ()
