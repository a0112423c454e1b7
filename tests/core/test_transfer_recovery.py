from callcontrol.core import events as e
from callcontrol.core.model import HandoffStyle, LegFate, Missed, MissedBecause
from callcontrol.core.transfer import State, Transfer
from tests.core.stage import (
    ALICE,
    APP_CALL,
    ASSIGNED,
    BOB,
    BOT,
    GROUP,
    LEAD,
    MOBILE,
    Stage,
    alive,
    ringing,
    survey,
)

RINGING = alive(doing=e.Doing.RINGING)
TALKING = {"lead": alive("bot"), "bot": alive("lead")}


def cut(stage: Stage) -> Stage:
    return stage.does(e.LinkLost(), after=0.5)


def test_while_the_link_is_lost_no_phone_times_out():
    stage = cut(ringing(ALICE))
    assert stage.tick(29).last == ()
    assert stage.does(e.LinkLost(), after=0.5).last == ()


def test_a_link_lost_for_30_s_is_a_missed_transfer():
    stage = cut(ringing(ALICE)).tick(30)
    assert stage.outcomes() == [Missed(because=MissedBecause.PBX_LOST)]


def test_a_phone_still_ringing_rings_on():
    stage = cut(ringing(ALICE)).does(survey(**TALKING, alice=RINGING), after=5)
    assert stage.last == ()
    assert stage.answers("alice").ordered(e.Join) == [e.Join(lead=LEAD, channel=ALICE.id)]


def test_a_phone_answered_meanwhile_is_used():
    stage = cut(ringing(ALICE)).does(survey(**TALKING, alice=alive(doing=e.Doing.ANSWERED)), after=5)
    assert stage.ordered(e.Join) == [e.Join(lead=LEAD, channel=ALICE.id)]


def test_a_key_pressed_meanwhile_counts():
    stage = cut(ringing(MOBILE)).does(survey(**TALKING, mobile=alive(doing=e.Doing.ACCEPTED)), after=5)
    assert stage.ordered(e.Join) == [e.Join(lead=LEAD, channel=MOBILE.id)]


def test_a_phone_that_is_gone_is_lost_and_not_rung_again():
    stage = cut(ringing(ALICE)).does(survey(**TALKING), after=5)
    assert stage.ordered(e.Ring) == []
    assert stage.asked() == [GROUP]
    assert stage.fate("alice") is LegFate.LOST


def test_a_lead_that_is_gone_has_hung_up():
    stage = cut(ringing(ALICE)).does(survey(alice=RINGING), after=5)
    assert stage.outcomes() == [Missed(because=MissedBecause.LEAD_HUNG_UP)]
    assert stage.hung_up() == {"alice": e.Why.LEAD_HUNG_UP}


def test_an_accepted_leg_not_joined_yet_is_joined_again():
    stage = cut(ringing(ALICE).answers("alice")).does(survey(**TALKING, alice=alive()), after=5)
    assert stage.ordered(e.Join) == [e.Join(lead=LEAD, channel=ALICE.id)]


def test_a_leg_joined_meanwhile_goes_on_with_the_handoff():
    stage = cut(ringing(ALICE, BOB).answers("alice"))
    stage.does(survey(lead=alive("bot", "alice"), bot=alive(), alice=alive("lead"), bob=RINGING), after=5)
    assert stage.machine.state is State.HANDING_OFF
    assert stage.hung_up() == {"bob": e.Why.ANSWERED_ELSEWHERE}


def test_a_leg_that_went_straight_to_the_lead_meanwhile_wins_over_one_that_waits():
    stage = cut(ringing(ALICE, BOB))
    with_lead = alive("lead", "bot", doing=e.Doing.ANSWERED)
    stage.does(
        survey(**TALKING, alice=alive(doing=e.Doing.ANSWERED), bob=with_lead),
        after=5,
    )
    assert stage.ordered(e.Join) == [e.Join(lead=LEAD, channel=BOB.id)]
    assert stage.hung_up() == {"alice": e.Why.TAKEN}


def test_who_found_the_lead_too_late_for_the_transfer_is_not_torn_away():
    stage = cut(ringing(ALICE, BOB)).tick(30)
    stage.does(survey(lead=alive("bot", "alice"), bot=alive(), alice=alive("lead"), bob=RINGING), after=5)
    assert stage.hung_up() == {"bob": e.Why.CANCELLED}
    assert stage.ends("bob").tick(60).machine.closed


def test_a_winner_gone_meanwhile_gives_way_to_one_who_accepted():
    stage = cut(ringing(ALICE, MOBILE).answers("alice"))
    stage.does(survey(**TALKING, mobile=alive(doing=e.Doing.ACCEPTED)), after=5)
    assert stage.ordered(e.Join) == [e.Join(lead=LEAD, channel=MOBILE.id)]
    assert stage.fate("alice") is LegFate.LOST


def test_a_briefing_that_ended_meanwhile_leads_to_the_join():
    stage = cut(ringing(ALICE, handoff=HandoffStyle.WHISPER).answers("alice"))
    stage.does(survey(**TALKING, alice=alive(doing=e.Doing.BRIEFED)), after=5)
    assert stage.ordered(e.Join) == [e.Join(lead=LEAD, channel=ALICE.id)]


def test_a_briefing_whose_order_may_be_lost_is_ordered_again():
    stage = cut(ringing(ALICE, handoff=HandoffStyle.WHISPER).answers("alice"))
    stage.does(survey(**TALKING, alice=alive(doing=e.Doing.ACCEPTED)), after=5)
    assert stage.ordered(e.Brief) == [e.Brief(channel=ALICE.id)]


def test_a_bot_gone_during_the_handoff_has_finished_it():
    stage = cut(ringing(ALICE).answers("alice").joins("alice"))
    stage.does(survey(lead=alive("alice"), alice=alive("lead")), after=5)
    assert stage.machine.state is State.CONNECTED


def test_a_bot_still_speaking_is_waited_for():
    stage = cut(ringing(ALICE).answers("alice").joins("alice"))
    stage.does(survey(lead=alive("alice", "bot"), bot=alive(), alice=alive("lead", "bot")), after=5)
    assert stage.machine.state is State.HANDING_OFF
    assert stage.last == ()


def test_an_announcement_whose_end_is_unknown_counts_as_over():
    stage = Stage(APP_CALL).rings(ALICE).answers("alice").joins("alice")
    cut(stage).does(survey(lead=alive("alice"), alice=alive("lead")), after=5)
    assert stage.machine.state is State.CONNECTED


def test_an_agent_who_fell_out_of_the_call_during_the_handoff_is_joined_again():
    stage = cut(ringing(ALICE).answers("alice").joins("alice"))
    stage.does(survey(**TALKING, alice=alive()), after=5)
    assert stage.ordered(e.Join) == [e.Join(lead=LEAD, channel=ALICE.id)]


def test_an_agent_gone_during_the_handoff_makes_the_next_step_start():
    stage = cut(ringing(ALICE).answers("alice").joins("alice")).does(survey(**TALKING), after=5)
    assert stage.asked() == [GROUP]


def test_a_connected_call_that_is_over_is_closed():
    stage = cut(ringing(ALICE).answers("alice").joins("alice").does(e.HandoffFinished()))
    assert stage.does(survey(), after=5).machine.closed
    assert len(stage.outcomes()) == 1


def test_a_bot_that_was_not_released_is_released():
    stage = cut(ringing(ALICE).answers("alice").joins("alice").does(e.HandoffFinished()))
    stage.does(survey(lead=alive("alice", "bot"), bot=alive(), alice=alive("lead", "bot")), after=5)
    assert stage.ordered(e.ReleaseBot) == [e.ReleaseBot(channel=BOT)]


def test_an_agent_alone_in_a_connected_call_means_the_lead_left():
    stage = cut(ringing(ALICE).answers("alice").joins("alice").does(e.HandoffFinished()))
    stage.does(survey(alice=alive()), after=5)
    assert stage.hung_up() == {"alice": e.Why.CALL_OVER}


def test_a_leg_that_should_be_gone_is_hung_up_again():
    stage = cut(ringing(ALICE).does(e.CancelRequested())).does(survey(**TALKING, alice=RINGING), after=5)
    assert stage.hung_up() == {"alice": e.Why.CANCELLED}


def test_the_question_whom_to_ring_is_asked_again():
    stage = cut(Stage())
    assert stage.resolves(ALICE).last == ()
    assert stage.does(survey(**TALKING), after=5).asked() == [ASSIGNED]


def test_a_step_that_starts_without_a_link_waits_for_it():
    stage = cut(ringing(ALICE)).ends("alice")
    assert stage.asked() == []
    assert stage.does(survey(**TALKING), after=1).asked() == [GROUP]


def test_a_restarted_switch_means_missed_for_that_reason():
    stage = cut(ringing(ALICE)).does(survey("tuesday"), after=5)
    assert stage.outcomes() == [Missed(because=MissedBecause.PBX_RESTARTED)]
    assert stage.machine.closed
    assert stage.fate("alice") is LegFate.LOST


def test_a_restarted_switch_ends_a_connected_call():
    stage = cut(ringing(ALICE).answers("alice").joins("alice").does(e.HandoffFinished()))
    assert stage.does(survey("tuesday"), after=5).machine.state is State.ENDED


def test_a_restarted_switch_changes_no_outcome():
    stage = cut(ringing(ALICE).does(e.CancelRequested())).does(survey("tuesday"), after=5)
    assert len(stage.outcomes()) == 1
    assert stage.machine.closed


def test_a_survey_with_nothing_new_changes_nothing():
    stage = ringing(ALICE)
    assert stage.does(survey(**TALKING, alice=RINGING)).last == ()


def test_a_replayed_journal_gives_the_same_machine():
    stage = ringing(ALICE, MOBILE).answers("mobile").tick(5).answers("alice").joins("alice")
    again = Transfer()
    for event, now in stage.journal:
        again.receive(event, now)
    assert again.legs == stage.machine.legs
    assert again.state is stage.machine.state
    assert again.next_deadline() == stage.machine.next_deadline()


def test_nothing_is_due_before_there_is_a_request():
    machine = Transfer()
    assert machine.next_deadline() is None
