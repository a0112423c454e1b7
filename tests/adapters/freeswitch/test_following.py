"""Which of all calls is followed, from events as FreeSWITCH 1.10 says them."""

import pytest

from callcontrol.adapters.freeswitch.following import Following, numbers_in, torn
from callcontrol.adapters.freeswitch.frames import Row
from callcontrol.core.callback import CallAnswered, CallBegan, CallEnded, Party
from callcontrol.core.model import ChannelId
from tests.adapters.freeswitch.calls import (
    ALICE,
    DESK,
    FAR,
    LEAD,
    LEG,
    NEAR,
    OTHER,
    OURS,
    OUTSIDE,
    Switch,
    began,
)


def test_a_phone_calls_a_number_that_is_wanted():
    switch = Switch()
    switch.dials()
    switch.is_up(state="RINGING")
    switch.answers()
    switch.hangs_up(LEG)
    assert switch.reports == [
        began(DESK, OUTSIDE),
        CallAnswered(call=ALICE, leg=LEG),
        CallEnded(call=ALICE),
    ]
    switch.hangs_up(ALICE)
    assert len(switch.reports) == 3


@pytest.mark.parametrize(
    ("told", "cause"),
    [
        ("USER_BUSY", "busy"),
        ("CALL_REJECTED", "declined"),
        ("NO_ANSWER", "rang out"),
        ("NORMAL_CIRCUIT_CONGESTION", "the network refused"),
        ("UNALLOCATED_NUMBER", "the line could not be reached"),
        ("ORIGINATOR_CANCEL", "the caller hung up first"),
    ],
)
def test_an_unanswered_call_ends_with_its_caller_and_says_why(told, cause):
    switch = Switch()
    switch.dials()
    switch.hangs_up(LEG, told)
    assert len(switch.reports) == 1
    switch.hangs_up(ALICE, told)
    assert switch.reports[-1] == CallEnded(call=ALICE, cause=cause)


def test_a_caller_who_gives_up_is_told_before_the_leg_that_rang_for_it():
    switch = Switch()
    switch.dials()
    switch.hangs_up(LEG, "USER_BUSY")
    switch.dials(leg=OTHER)
    switch.hangs_up(ALICE, "ORIGINATOR_CANCEL")
    switch.hangs_up(OTHER, "ORIGINATOR_CANCEL")
    assert switch.reports[2:] == [CallEnded(call=ALICE, cause="the caller hung up first")]


def test_a_second_trunk_is_the_same_call():
    switch = Switch()
    switch.dials()
    switch.hangs_up(LEG, "NORMAL_TEMPORARY_FAILURE")
    switch.dials(leg=OTHER)
    switch.answers(OTHER)
    switch.hangs_up(OTHER)
    assert switch.kinds == [CallBegan, CallBegan, CallAnswered, CallEnded]


def test_of_a_fork_only_the_wanted_leg_counts():
    switch = Switch()
    switch.dials()
    switch.dials("bob%pbx.example", leg=OTHER, user="bob")
    switch.answers(OTHER)
    switch.hangs_up(LEG, "LOSE_RACE")
    switch.hangs_up(ALICE)
    assert switch.kinds == [CallBegan, CallEnded]


def test_early_sound_is_no_answer():
    switch = Switch()
    switch.dials()
    switch.is_up(state="EARLY")
    switch.bridges()
    assert switch.kinds == [CallBegan]
    switch.is_up()
    assert switch.kinds == [CallBegan, CallAnswered]


def test_who_picks_up_and_is_not_put_through_has_not_answered():
    """A voicemail, where a key is asked for."""
    switch = Switch()
    switch.dials()
    switch.is_up()
    switch.hangs_up(LEG, "LOSE_RACE")
    switch.hangs_up(ALICE)
    assert switch.kinds == [CallBegan, CallEnded]


def test_an_answered_lead_who_is_handed_on_stays_followed():
    switch = Switch()
    switch.dials()
    switch.answers()
    switch.hangs_up(ALICE)
    assert switch.kinds == [CallBegan, CallAnswered]
    switch.is_up(state="HELD")
    switch.bridges("b-1", LEG)
    switch.hangs_up(LEG)
    assert switch.kinds == [CallBegan, CallAnswered, CallEnded]


def test_the_lead_calls_in_and_an_agent_is_rung():
    switch = Switch()
    switch.dials("bob%pbx.example", caller="i-1", own=LEAD, shown="+4930555", user="bob")
    assert switch.reports == [began(Party(number=LEAD), Party(address="bob"), call=ChannelId("i-1"))]


@pytest.mark.parametrize("named", ["variable_cc_member_session_uuid", "variable_ent_originate_aleg_uuid"])
def test_a_leg_that_a_queue_or_a_wider_fork_rings_belongs_to_who_waits(named):
    switch = Switch()
    switch.dials("bob%pbx.example", caller="", own="", shown=LEAD, user="bob", headers={named: "i-1"})
    assert switch.reports == [began(Party(number=LEAD), Party(address="bob"), call=ChannelId("i-1"))]


@pytest.mark.parametrize(("outer", "inner"), [(LEAD, "0049"), ("0049", LEAD), (LEAD, LEAD)])
def test_what_a_loopback_channel_dials_is_the_leg_and_its_caller_is_the_phone(outer, inner):
    switch = Switch()
    switch.dials(outer, leg=NEAR, far_half=FAR)
    switch.dials(inner, caller=FAR, own="101")
    switch.answers(caller=FAR)
    switch.answers(NEAR)
    inside = [report for report in switch.reports if not isinstance(report, CallBegan) or report.leg == LEG]
    assert inside == [began(DESK, Party(number=inner)), CallAnswered(call=ALICE, leg=LEG)]
    assert {report.call for report in switch.reports} == {ALICE}
    switch.hangs_up(FAR)  # it steps aside
    switch.hangs_up(NEAR)
    switch.bridges()
    assert switch.kinds[-1] is CallAnswered
    switch.hangs_up(LEG)
    assert switch.kinds[-1] is CallEnded
    assert not switch.following._behind


def test_calls_from_and_to_others_are_not_followed():
    switch = Switch()
    switch.dials("+493023125002")
    switch.answers()
    switch.hangs_up(LEG)
    switch.hangs_up(ALICE)
    assert switch.reports == []


@pytest.mark.parametrize("early", [False, True])
def test_a_number_that_is_waited_for_while_it_rings_is_followed_from_the_answer_on(early):
    switch = Switch()
    switch.following.wanted = lambda _number: False
    switch.dials()
    if early:
        switch.bridges()
    switch.following.wanted = lambda number: number == LEAD
    switch.is_up()
    if not early:
        switch.bridges()
    assert switch.reports == [began(DESK, OUTSIDE), CallAnswered(call=ALICE, leg=LEG)]


def test_one_that_is_waited_for_while_it_rings_and_is_busy_was_called_all_the_same():
    switch = Switch()
    switch.following.wanted = lambda _number: False
    switch.dials()
    switch.following.wanted = lambda number: number == LEAD
    switch.hangs_up(LEG, "USER_BUSY")
    switch.hangs_up(ALICE, "USER_BUSY")
    assert switch.reports == [began(DESK, OUTSIDE), CallEnded(call=ALICE, cause="busy")]


def nothing_kept_by(following: Following) -> bool:
    return not any((following._passed, following._calls, following._legs, following._behind))


def test_nothing_is_kept_of_the_calls_of_others():
    switch = Switch()
    switch.dials("+493023125002")
    switch.hangs_up(LEG, "USER_BUSY")
    switch.dials("+493023125002")
    switch.answers()
    switch.dials("+493023125002", leg=NEAR, far_half=FAR)
    switch.hangs_up(FAR)
    switch.hangs_up(ALICE)
    assert nothing_kept_by(switch.following)


def test_nothing_is_kept_of_a_call_that_is_over():
    switch = Switch()
    switch.dials()
    switch.dials(leg=OTHER)
    switch.hangs_up(ALICE)
    switch.is_up(LEG)
    assert nothing_kept_by(switch.following)


@pytest.mark.parametrize(
    "headers",
    [
        {"Other-Leg-Unique-ID": ""},  # an originate
        {"Other-Leg-Unique-ID": OURS},
        {
            "Caller-Context": "callcontrol-fallback"
        },  # a held lead, whom the dialplan brings to the fallback numbers
    ],
)
def test_our_own_calls_are_none_of_others(headers):
    switch = Switch()
    switch.dials(headers=headers)
    assert switch.reports == []


def test_a_leg_of_ours_that_leaves_by_loopback_channels_is_ours():
    switch = Switch()
    switch.dials("0171", caller="", shown=LEAD, leg=OURS, far_half=FAR)
    switch.dials("0171", caller=FAR, own=LEAD, shown=LEAD, leg=NEAR, far_half="further")
    switch.dials("0171", caller="further", own=LEAD, shown=LEAD)
    assert switch.reports == []


@pytest.mark.parametrize(
    ("dialled", "numbers"),
    [
        (LEAD, [LEAD]),
        ("%2B493023125001", [LEAD]),
        ("sip:0049301234@10.0.0.1:5060", ["0049301234", "10.0.0.1", "5060"]),
        ("101%pbx.example", ["101"]),
        ("alice%127.0.0.1", ["127.0.0.1"]),
        ("", []),
    ],
)
def test_what_is_dialled_holds_numbers(dialled, numbers):
    assert list(numbers_in(dialled)) == numbers


# --- calls that are up already


def row(uuid: str, name: str, *, call: str, dest: str, **more: str) -> Row:
    return {
        "uuid": uuid,
        "name": name,
        "call_uuid": call,
        "dest": dest,
        "direction": "outbound",
        "cid_num": "101",
        "context": "agents",
        "callstate": "ACTIVE",
        "created_epoch": "1795698914",
    } | more


CALLER = row(ALICE, "sofia/internal/alice@pbx.example", call=ALICE, dest="900493023125001", direction="inbound",
             application="bridge", cid_num="alice")  # fmt: skip
RINGS = row(LEG, "sofia/external/+493023125001", call=ALICE, dest=LEAD, callstate="RINGING")
TALKS = {**RINGS, "callstate": "ACTIVE"}
HALVES = (
    row(FAR, "loopback/+493023125001-b", call=FAR, dest=LEAD, direction="inbound", application="bridge"),
    row(NEAR, "loopback/+493023125001-a", call=ALICE, dest=LEAD),
)


def test_a_call_that_is_up_is_told_with_its_age():
    (call,) = Switch().lists(CALLER, RINGS)
    assert isinstance(call, CallBegan)
    assert (call.call, call.leg, call.caller, call.called, call.ago_s) == (ALICE, LEG, DESK, OUTSIDE, 65.5)


def test_one_that_is_answered_is_told_so_and_its_end_later():
    switch = Switch()
    assert [type(report) for report in switch.lists(CALLER, TALKS)] == [CallBegan, CallAnswered]
    switch.hangs_up(LEG)
    assert switch.reports == [CallEnded(call=ALICE)]


def test_one_through_a_loopback_channel_is_found_however_it_is_listed():
    told = Switch().lists({**TALKS, "call_uuid": FAR}, *HALVES, CALLER)
    assert {report.call for report in told} == {ALICE}
    assert [report.leg for report in told if isinstance(report, CallAnswered)] == [LEG]
    assert {report.caller for report in told if isinstance(report, CallBegan)} == {DESK}
    stepped_aside = {**CALLER, "application": "uuid_bridge"}, {**TALKS, "application": "uuid_bridge"}
    assert [type(report) for report in Switch().lists(*stepped_aside)] == [CallBegan, CallAnswered]


def test_one_through_a_loopback_channel_that_steps_aside_while_it_is_listed_is_found():
    told = Switch().lists({**TALKS, "call_uuid": FAR}, *HALVES, CALLER, gone=(NEAR, FAR))
    assert [report for report in told if report.leg == LEG] == [
        CallBegan(call=ALICE, leg=LEG, caller=DESK, called=OUTSIDE, ago_s=65.5),
        CallAnswered(call=ALICE, leg=LEG),
    ]


@pytest.mark.parametrize(
    ("rows", "is_torn"),
    [
        ((CALLER, *HALVES, {**TALKS, "call_uuid": FAR}), False),
        ((CALLER, HALVES[0], {**TALKS, "call_uuid": FAR}), True),
        ((CALLER, HALVES[1], {**TALKS, "call_uuid": FAR}), True),
        ((CALLER, {**TALKS, "call_uuid": FAR}), True),
        ((CALLER, TALKS), False),
    ],
)
def test_a_list_that_shows_half_of_what_steps_aside_is_told_from_a_whole_one(rows, is_torn):
    assert torn(rows) is is_torn
    callers = {report.call for report in Switch().lists(*rows) if isinstance(report, CallBegan)}
    assert callers <= {ALICE}, "nobody else has dialled"


def test_a_leg_that_is_still_listed_but_gone_is_not_told():
    assert Switch().lists(CALLER, TALKS, gone=(LEG,)) == []


def test_a_lead_who_has_come_to_an_agent_by_a_queue_is_found():
    lead = row(ALICE, "sofia/external/lead", call=ALICE, dest="300", direction="inbound", cid_num=LEAD)
    agent = row(LEG, "sofia/internal/bob", call=ALICE, dest="bob%pbx", presence_id="bob@pbx", cid_num=LEAD)
    call, _ = Switch().lists(lead, agent)
    assert isinstance(call, CallBegan)
    assert (call.caller.number, call.called.address) == (LEAD, "bob")


@pytest.mark.parametrize(
    "rows",
    [
        (CALLER, {**TALKS, "dest": "+493023125002"}),
        (TALKS,),  # whom its caller has handed on
        (CALLER, {**TALKS, "uuid": OURS}),
        (CALLER, {**TALKS, "context": "callcontrol-leg"}),
        (row(ALICE, "sofia/internal/bob", call=ALICE, dest="bob", application="uuid_bridge"), TALKS),
    ],
)
def test_others_that_are_up_are_not_told(rows):
    assert Switch().lists(*rows) == []


def test_a_leg_of_ours_that_has_left_by_a_loopback_channel_is_not_told():
    far, near = HALVES
    ours = {**near, "uuid": OURS, "call_uuid": OURS}
    assert Switch().lists(far, ours, {**TALKS, "call_uuid": FAR}) == []


def test_a_new_survey_forgets_what_is_gone():
    switch = Switch()
    switch.dials()
    assert switch.lists() == []
    switch.answers()
    assert len(switch.reports) == 1


def test_what_happens_while_the_list_is_on_its_way_is_told_after_it():
    switch = Switch()
    switch.following.hold()
    switch.answers()
    switch.hangs_up(LEG)
    assert switch.reports == []
    told = switch.lists(CALLER, RINGS)
    assert [type(report) for report in told] == [CallBegan, CallAnswered, CallEnded]
