from datetime import timedelta

from callcontrol.core import events as e
from callcontrol.core.model import (
    Connected,
    ConnectedBy,
    HandoffStyle,
    LegFate,
    Missed,
    MissedBecause,
    StepKind,
    TransferId,
)
from callcontrol.core.transfer import State
from tests.core.stage import (
    APP_CALL,
    ASSIGNED,
    BOT,
    CALL,
    FALLBACK,
    GROUP,
    LEAD,
    START,
    Stage,
    leg,
    mobile,
    settings,
)

ALICE, BOB, CAROL = leg("alice"), leg("bob"), leg("carol")
MOBILE = mobile("mobile")


def ringing(*legs, call=CALL, **chosen) -> Stage:
    return Stage(call, settings(**chosen)).rings(*(legs or (ALICE,)))


def handing_off(**chosen) -> Stage:
    return ringing(ALICE, **chosen).answers("alice").joins("alice")


def missed(because: MissedBecause) -> list[Missed]:
    return [Missed(because=because)]


# --- whom and when to ring


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


def test_a_join_report_about_another_leg_is_ignored():
    stage = ringing(ALICE, BOB).answers("alice")
    assert stage.joins("bob").last == ()
    assert stage.does(e.JoinFailed(channel=BOB.id)).last == ()


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


# --- endings


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
