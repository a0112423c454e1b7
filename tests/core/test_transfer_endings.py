from callcontrol.core import events as e
from callcontrol.core.model import LegFate, Missed, MissedBecause
from callcontrol.core.transfer import State
from tests.core.stage import (
    ALICE,
    APP_CALL,
    ASSIGNED,
    BOB,
    LEAD,
    MOBILE,
    Stage,
    handing_off,
    missed,
    ringing,
    settings,
)


def test_when_the_lead_hangs_up_every_leg_stops_at_once():
    stage = ringing(ALICE, BOB, MOBILE).answers("mobile").does(e.LeadHungUp(channel=LEAD))
    assert stage.ordered(e.HangUp) == [
        e.HangUp(channel=ALICE.id, why=e.Why.LEAD_HUNG_UP, answered=False),
        e.HangUp(channel=BOB.id, why=e.Why.LEAD_HUNG_UP, answered=False),
        e.HangUp(channel=MOBILE.id, why=e.Why.LEAD_HUNG_UP, answered=True),
    ]
    assert stage.outcomes() == missed(MissedBecause.LEAD_HUNG_UP)
    assert not stage.machine.closed
    assert stage.ends("alice").ends("bob").ends("mobile").machine.closed
    assert stage.fate("alice") is LegFate.CANCELLED


def test_the_lead_may_hang_up_while_it_is_being_resolved_whom_to_ring():
    stage = Stage().does(e.LeadHungUp(channel=LEAD))
    assert stage.machine.closed
    assert stage.resolves(ALICE).last == ()


def test_the_bot_may_call_it_off():
    stage = ringing().does(e.CancelRequested(follow_up=False))
    assert stage.hung_up() == {"alice": e.Why.CANCELLED}
    assert stage.outcomes() == [Missed(because=MissedBecause.CANCELLED, follow_up=False)]


def test_a_lead_without_a_bot_leg_is_given_back_when_missed():
    stage = Stage(APP_CALL, settings(plan=(ASSIGNED,)))
    stage.resolves()
    assert stage.ordered(e.ReturnLead) == [e.ReturnLead(lead=LEAD, goto="")]


def test_after_the_handoff_the_end_of_the_talk_is_noted():
    stage = handing_off().does(e.HandoffFinished()).ends("alice", after=300)
    assert stage.machine.state is State.ENDED
    assert stage.machine.closed
    assert len(stage.outcomes()) == 1
    assert stage.fate("alice") is LegFate.ANSWERED


def test_when_the_lead_ends_the_talk_the_agent_is_released():
    stage = handing_off().does(e.HandoffFinished()).does(e.LeadHungUp(channel=LEAD), after=60)
    assert stage.hung_up() == {"alice": e.Why.CALL_OVER}
    assert not stage.machine.closed
    assert stage.ends("alice").machine.closed
    assert stage.fate("alice") is LegFate.ANSWERED


def test_after_the_outcome_a_cancel_means_nothing():
    stage = handing_off().does(e.HandoffFinished()).does(e.CancelRequested())
    assert stage.last == ()


def test_a_connected_call_has_no_deadline():
    assert handing_off().does(e.HandoffFinished()).machine.next_deadline() is None
