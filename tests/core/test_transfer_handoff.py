from callcontrol.core import events as e
from callcontrol.core.model import Call, Connected, ConnectedBy, HandoffStyle, Leg, LegFate, StepKind
from callcontrol.core.transfer import State
from tests.core.stage import (
    ALICE,
    APP_CALL,
    BOB,
    BOT,
    CALL,
    GROUP,
    LEAD,
    MOBILE,
    Stage,
    handing_off,
    ringing,
)

# --- accepting


def test_a_desk_phone_accepts_by_answering():
    stage = ringing().answers("alice")
    assert stage.ordered(e.Join) == [e.Join(lead=LEAD, channel=ALICE.id)]
    assert stage.machine.state is State.JOINING


def test_the_lead_is_not_touched_before_a_leg_accepts():
    stage = ringing(MOBILE).answers("mobile")
    assert stage.last == ()
    assert stage.ever(e.Join) == []


def test_a_mobile_accepts_with_a_key():
    stage = ringing(MOBILE).answers("mobile").accepts("mobile")
    assert stage.ordered(e.Join) == [e.Join(lead=LEAD, channel=MOBILE.id)]


def test_an_acceptance_whose_answer_was_not_reported_counts():
    stage = ringing(MOBILE).accepts("mobile")
    record = stage.machine.legs[MOBILE.id].record
    assert record.answered_at == record.accepted_at == stage.now


def test_silence_is_not_consent():
    stage = ringing(MOBILE).answers("mobile").tick(20)
    assert stage.hung_up() == {"mobile": e.Why.NO_CONSENT}
    assert stage.ends("mobile").fate("mobile") is LegFate.NOT_ACCEPTED


def test_a_voicemail_that_hangs_up_has_not_accepted():
    assert ringing(MOBILE).answers("mobile").ends("mobile").fate("mobile") is LegFate.NOT_ACCEPTED


def test_a_refusal_by_key_is_a_refusal():
    stage = ringing(MOBILE).answers("mobile").does(e.LegDeclined(channel=MOBILE.id)).ends("mobile")
    assert stage.fate("mobile") is LegFate.DECLINED


def test_of_two_at_the_same_instant_exactly_one_wins_and_the_other_is_told():
    stage = ringing(ALICE, BOB)
    stage.does(e.LegAnswered(channel=ALICE.id), e.LegAnswered(channel=BOB.id), after=1)
    assert stage.ordered(e.Join) == [e.Join(lead=LEAD, channel=ALICE.id)]
    assert stage.hung_up() == {"bob": e.Why.TAKEN}
    assert stage.ends("bob").fate("bob") is LegFate.LOST_RACE


def test_a_second_acceptance_of_the_same_leg_changes_nothing():
    assert ringing(MOBILE).accepts("mobile").accepts("mobile").last == ()


def test_the_others_ring_on_until_the_winner_is_joined():
    stage = ringing(ALICE, BOB, MOBILE).answers("mobile").answers("alice")
    assert stage.hung_up() == {}
    stage.joins("alice")
    assert stage.hung_up() == {"bob": e.Why.ANSWERED_ELSEWHERE, "mobile": e.Why.TAKEN}
    assert stage.ends("bob").fate("bob") is LegFate.LOST_RACE


def test_someone_who_picks_up_while_being_cancelled_is_told_why():
    stage = ringing(ALICE, BOB).answers("alice").joins("alice").answers("bob", after=0.01)
    assert stage.ordered(e.HangUp) == [e.HangUp(channel=BOB.id, why=e.Why.TAKEN, answered=True)]


def test_if_the_winner_drops_before_the_join_the_others_are_still_ringing():
    stage = ringing(ALICE, BOB).answers("alice").ends("alice")
    assert stage.machine.state is State.RINGING
    assert stage.fate("alice") is LegFate.HUNG_UP
    assert stage.answers("bob").ordered(e.Join) == [e.Join(lead=LEAD, channel=BOB.id)]


def test_if_the_only_winner_drops_before_the_join_the_next_step_starts():
    stage = ringing().answers("alice").ends("alice")
    assert stage.asked() == [GROUP]


def test_a_join_that_fails_costs_the_winner_and_nothing_else():
    stage = ringing(ALICE, BOB).answers("alice").does(e.JoinFailed(channel=ALICE.id))
    assert stage.hung_up() == {"alice": e.Why.JOIN_FAILED}
    assert stage.machine.state is State.RINGING
    assert stage.ends("alice").fate("alice") is LegFate.LOST


def test_a_join_that_never_happens_fails_after_5_s():
    assert ringing(ALICE, BOB).answers("alice").tick(5).hung_up() == {"alice": e.Why.JOIN_FAILED}


def test_a_failed_join_of_another_leg_is_ignored():
    stage = ringing(ALICE, BOB).answers("alice")
    assert stage.does(e.JoinFailed(channel=BOB.id)).last == ()


# --- going straight to the lead


def goes_straight(*legs: Leg, call: Call = CALL, **chosen: object) -> list[bool]:
    return [ring.straight for ring in ringing(*legs, call=call, **chosen).ever(e.Ring)]


def test_who_accepts_by_answering_may_go_straight_into_the_bridge_of_lead_and_bot():
    assert goes_straight(ALICE, MOBILE) == [True, False]
    assert goes_straight(ALICE, handoff=HandoffStyle.ANNOUNCE) == [True]


def test_nobody_goes_straight_past_a_whisper_or_to_a_lead_without_a_bridge():
    assert goes_straight(ALICE, handoff=HandoffStyle.WHISPER) == [False]
    assert goes_straight(ALICE, call=APP_CALL) == [False]
    stage = Stage().does(e.BotHungUp(channel=BOT)).rings(ALICE)
    assert [ring.straight for ring in stage.ever(e.Ring)] == [False]


def test_a_leg_that_went_straight_has_accepted_and_is_joined():
    stage = ringing(ALICE, BOB).joins("alice")
    assert stage.ordered(e.Join) == []
    assert stage.hung_up() == {"bob": e.Why.ANSWERED_ELSEWHERE}
    assert stage.told()[-2:] == [e.Phase.ANSWERED, e.Phase.JOINED]
    record = stage.machine.legs[ALICE.id].record
    assert record.answered_at == record.accepted_at == record.joined_at == stage.now
    assert stage.does(e.HandoffFinished()).outcomes() == [Connected(by=ConnectedBy.ASSIGNED_AGENT, leg=ALICE)]


def test_going_straight_does_not_win_over_who_accepted_before():
    stage = ringing(ALICE, MOBILE).accepts("mobile").joins("alice")
    assert stage.hung_up() == {"alice": e.Why.TAKEN}
    assert stage.machine.winner is stage.machine.legs[MOBILE.id]


def test_who_goes_straight_while_being_cancelled_is_told_why():
    stage = ringing().does(e.CancelRequested()).joins("alice")
    assert stage.ordered(e.HangUp) == [e.HangUp(channel=ALICE.id, why=e.Why.CANCELLED, answered=True)]


def test_a_join_reported_twice_or_of_a_leg_that_is_gone_changes_nothing():
    assert handing_off().joins("alice").last == ()
    assert ringing(ALICE, BOB).ends("alice").joins("alice").last == ()


# --- handing off


def test_introduce_lets_the_bot_speak_and_waits_for_it():
    stage = handing_off()
    assert stage.machine.state is State.HANDING_OFF
    assert stage.told()[-1] is e.Phase.JOINED
    assert stage.outcomes() == []


def test_the_bot_drops_off_by_hanging_up():
    stage = handing_off().does(e.BotHungUp(channel=BOT))
    assert stage.outcomes() == [Connected(by=ConnectedBy.ASSIGNED_AGENT, leg=ALICE)]
    assert stage.ordered(e.ReleaseBot) == []


def test_the_bot_drops_off_when_it_says_it_has_spoken():
    stage = handing_off().does(e.HandoffFinished())
    assert stage.ordered(e.ReleaseBot) == [e.ReleaseBot(channel=BOT)]
    assert stage.fate("alice") is LegFate.ANSWERED
    assert stage.told()[-1] is e.Phase.CONNECTED


def test_the_bot_drops_off_at_the_limit():
    assert handing_off().tick(60).ordered(e.ReleaseBot) == [e.ReleaseBot(channel=BOT)]


def test_whisper_briefs_the_winner_before_joining_and_then_releases_the_bot():
    stage = ringing(handoff=HandoffStyle.WHISPER).answers("alice")
    assert stage.ordered(e.Brief) == [e.Brief(channel=ALICE.id)]
    assert stage.ordered(e.Join) == []
    stage.does(e.LegBriefed(channel=ALICE.id), after=9)
    assert stage.ordered(e.Join) == [e.Join(lead=LEAD, channel=ALICE.id)]
    stage.joins("alice")
    assert stage.ordered(e.ReleaseBot) == [e.ReleaseBot(channel=BOT)]
    assert stage.machine.state is State.CONNECTED


def test_an_overview_without_end_is_cut_short():
    stage = ringing(handoff=HandoffStyle.WHISPER).answers("alice").tick(90)
    assert stage.ordered(e.Join) == [e.Join(lead=LEAD, channel=ALICE.id)]


def test_a_briefing_nobody_waits_for_is_ignored():
    assert ringing().answers("alice").does(e.LegBriefed(channel=ALICE.id)).last == ()


def test_announce_plays_the_overview_to_both():
    stage = handing_off(handoff=HandoffStyle.ANNOUNCE)
    assert stage.ordered(e.Announce) == [e.Announce(lead=LEAD)]
    assert stage.does(e.HandoffFinished()).ordered(e.ReleaseBot) == [e.ReleaseBot(channel=BOT)]


def test_a_bot_that_leaves_during_an_announcement_does_not_end_it():
    stage = handing_off(handoff=HandoffStyle.ANNOUNCE).does(e.BotHungUp(channel=BOT))
    assert stage.machine.state is State.HANDING_OFF


def test_a_bot_without_a_leg_of_its_own_is_replaced_by_an_announcement():
    stage = ringing(call=APP_CALL).answers("alice").joins("alice")
    assert stage.ordered(e.Announce) == [e.Announce(lead=LEAD)]
    assert stage.does(e.HandoffFinished()).ordered(e.ReleaseBot) == []


def test_a_bot_lost_while_phones_ring_is_replaced_by_an_announcement():
    stage = ringing().does(e.BotHungUp(channel=BOT)).answers("alice").joins("alice")
    assert stage.ordered(e.Announce) == [e.Announce(lead=LEAD)]


def test_an_agent_who_leaves_during_the_handoff_does_not_end_the_leads_call():
    stage = handing_off().ends("alice")
    assert stage.outcomes() == []
    assert stage.asked() == [GROUP]
    assert e.Phase.AGENT_LEFT in stage.told()


def test_who_took_the_lead_is_named_by_the_step_that_rang_them():
    stage = Stage().resolves()
    stage.rings(BOB).answers("bob").joins("bob").does(e.HandoffFinished())
    assert stage.outcomes() == [Connected(by=ConnectedBy.POOL_AGENT, leg=BOB)]
    assert stage.machine.legs[BOB.id].record.step is StepKind.GROUP
