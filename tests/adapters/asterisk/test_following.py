"""Which of all calls is followed, from AMI frames as Asterisk 22 says them."""

from collections.abc import Sequence

import pytest

from callcontrol.adapters.asterisk.following import Following, numbers_in
from callcontrol.adapters.asterisk.frames import Frame
from callcontrol.core.callback import CallAnswered, CallBegan, CallEnded, CallReport, Party
from callcontrol.core.model import ChannelId

LEAD = "+493023125001"
ALICE, LEG, OTHER = ChannelId("17.1"), ChannelId("17.2"), ChannelId("17.3")
OURS = ChannelId("a" * 36)


class Switch:
    """Says frames, and keeps what is made of them."""

    def __init__(self) -> None:
        self.following = Following(lambda device: device.partition("/")[2])
        self.following.wanted = lambda number: number in (LEAD, "00493023125001")
        self.reports: list[CallReport] = []

    def says(self, event: str, **fields: str) -> None:
        self.reports += self.following.apply({"Event": event, **fields}, self._is_ours)

    def lists(self, *rows: Frame) -> Sequence[CallReport]:
        return list(self.following.survey(rows, self._is_ours))

    def _is_ours(self, channel: ChannelId) -> bool:
        return channel == OURS

    def dials(
        self,
        string: str = f"{LEAD}@trunk",
        *,
        caller: str = ALICE,
        channel: str = "PJSIP/alice-00000001",
        number: str = "101",
        leg: str = LEG,
        rings: str = "PJSIP/trunk-00000002",
        **more: str,
    ) -> None:
        self.says(
            "DialBegin",
            Uniqueid=caller,
            Linkedid=caller,
            Channel=channel,
            CallerIDNum=number,
            DestUniqueid=leg,
            DestChannel=rings,
            DialString=string,
            **more,
        )

    def ends(self, status: str, leg: str = LEG) -> None:
        self.says("DialEnd", DestUniqueid=leg, DialStatus=status)

    def hangs_up(self, channel: str) -> None:
        self.says("Hangup", Uniqueid=channel)


def began(caller: Party, called: Party, leg: ChannelId = LEG, call: ChannelId = ALICE) -> CallBegan:
    return CallBegan(call=call, leg=leg, caller=caller, called=called)


DESK = Party(address="alice", number="101")
TRUNK = Party(address="trunk", number=LEAD)


def test_a_phone_calls_a_number_that_is_wanted():
    switch = Switch()
    switch.dials()
    switch.ends("ANSWER")
    switch.hangs_up(LEG)
    assert switch.reports == [
        began(DESK, TRUNK),
        CallAnswered(call=ALICE, leg=LEG),
        CallEnded(call=ALICE),
    ]
    switch.hangs_up(ALICE)
    assert len(switch.reports) == 3


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        ("BUSY", "busy"),
        ("NOANSWER", "rang out"),
        ("CANCEL", "the caller hung up first"),
        ("CONGESTION", "the network refused"),
        ("CHANUNAVAIL", "the line could not be reached"),
        ("DONTCALL", "dontcall"),
    ],
)
def test_an_unanswered_call_ends_with_its_caller_and_says_why(status, cause):
    switch = Switch()
    switch.dials()
    switch.ends(status)
    assert len(switch.reports) == 1
    switch.hangs_up(ALICE)
    assert switch.reports[-1] == CallEnded(call=ALICE, cause=cause)


def test_a_second_trunk_is_the_same_call():
    switch = Switch()
    switch.dials()
    switch.ends("CONGESTION")
    switch.dials(leg=OTHER)
    switch.ends("ANSWER", OTHER)
    switch.hangs_up(OTHER)
    assert [type(report) for report in switch.reports] == [CallBegan, CallBegan, CallAnswered, CallEnded]


def test_of_a_fork_only_the_wanted_leg_counts():
    switch = Switch()
    switch.dials()
    switch.dials("bob", leg=OTHER, rings="PJSIP/bob-00000003")
    switch.ends("ANSWER", OTHER)
    switch.ends("CANCEL")
    switch.hangs_up(ALICE)
    assert [type(report) for report in switch.reports] == [CallBegan, CallEnded]


def test_an_answered_lead_who_is_handed_on_stays_followed():
    switch = Switch()
    switch.dials()
    switch.ends("ANSWER")
    switch.hangs_up(ALICE)
    assert type(switch.reports[-1]) is CallAnswered
    switch.hangs_up(LEG)
    assert type(switch.reports[-1]) is CallEnded


def test_the_lead_calls_in_and_an_agent_is_rung():
    switch = Switch()
    switch.dials(
        "bob", caller="18.1", channel="PJSIP/trunk-00000009", number=LEAD, leg=LEG, rings="PJSIP/bob-00000003"
    )
    assert switch.reports == [
        began(Party(address="trunk", number=LEAD), Party(address="bob"), call=ChannelId("18.1"))
    ]


def test_what_a_local_channel_dials_is_the_leg_and_its_caller_is_the_phone():
    switch = Switch()
    switch.dials(f"{LEAD}@out/n", leg="17.8", rings=f"Local/{LEAD}@out-00000001;1")
    switch.dials(
        "0049@elsewhere", caller="17.9", channel=f"Local/{LEAD}@out-00000001;2", rings="PJSIP/trunk-00000002"
    )
    switch.ends("ANSWER")
    switch.ends("ANSWER", "17.8")
    switch.hangs_up("17.9")
    switch.hangs_up("17.8")
    assert switch.reports[0] == began(DESK, Party(number=LEAD), leg=ChannelId("17.8"))
    assert [type(report) for report in switch.reports] == [CallBegan, CallBegan, CallAnswered]
    assert {report.call for report in switch.reports} == {ALICE}
    switch.hangs_up(LEG)
    assert type(switch.reports[-1]) is CallEnded


def test_calls_from_and_to_others_are_not_followed():
    switch = Switch()
    switch.dials("+493023125002@trunk")
    switch.ends("ANSWER")
    switch.hangs_up(LEG)
    switch.hangs_up(ALICE)
    assert switch.reports == []


def test_a_number_that_is_waited_for_while_it_rings_is_followed_from_the_answer_on():
    switch = Switch()
    switch.following.wanted = lambda _number: False
    switch.dials()
    switch.following.wanted = lambda number: number == LEAD
    switch.ends("ANSWER")
    assert switch.reports == [began(DESK, TRUNK), CallAnswered(call=ALICE, leg=LEG)]


def test_nothing_is_kept_of_the_calls_of_others():
    switch = Switch()
    switch.dials("+493023125002@trunk")
    switch.ends("BUSY")
    switch.dials("+493023125002@trunk", caller="")
    switch.hangs_up(ALICE)
    assert not switch.following._passed
    assert not switch.following._calls


@pytest.mark.parametrize(
    "more",
    [
        {"caller": ""},  # an Originate
        {"caller": OURS},  # a leg of a transfer, that leaves by a Local channel
        {"Context": "callcontrol-lead"},  # a held lead, whom the dialplan brings to the fallback numbers
    ],
)
def test_our_own_calls_are_none_of_others(more):
    switch = Switch()
    switch.dials(**more)
    assert switch.reports == []


def test_a_channel_linked_to_a_leg_of_ours_is_ours():
    switch = Switch()
    switch.says(
        "DialBegin",
        Uniqueid="17.9",
        Linkedid=OURS,
        Channel="Local/x@out-01;2",
        DestUniqueid=LEG,
        DestChannel="PJSIP/trunk-02",
        DialString=f"{LEAD}@trunk",
    )
    assert switch.reports == []


@pytest.mark.parametrize(
    ("string", "numbers"),
    [
        ("+4930123456@trunk", ["+4930123456"]),
        ("trunk/sip:0049301234@10.0.0.1:5060", ["0049301234", "10.0.0.1", "5060"]),
        ("g1/030123456", ["030123456"]),
        ("030123456@out/n", ["030123456"]),
        ("alice", []),
        ("", []),
    ],
)
def test_a_dial_string_holds_numbers(string, numbers):
    assert list(numbers_in(string)) == numbers


# --- calls that are up already


def row(uid: str, name: str, *, app: str, data: str = "", number: str = "", **more: str) -> Frame:
    return {
        "Uniqueid": uid,
        "Linkedid": ALICE,
        "Channel": name,
        "ChannelState": "6",
        "CallerIDNum": number,
        "Application": app,
        "ApplicationData": data,
        "Duration": "00:01:05",
    } | more


CALLER = row(ALICE, "PJSIP/alice-00000001", app="Dial", data=f"PJSIP/{LEAD}@trunk,60,g", number="101")
RINGS = row(LEG, "PJSIP/trunk-00000002", app="AppDial", ChannelState="5")


def test_a_call_that_is_up_is_told_with_its_age():
    (call,) = Switch().lists(CALLER, RINGS)
    assert isinstance(call, CallBegan)
    assert (call.call, call.leg, call.caller, call.called, call.ago_s) == (ALICE, LEG, DESK, TRUNK, 65)


def test_one_that_is_answered_is_told_so_and_its_end_later():
    switch = Switch()
    told = switch.lists(CALLER, RINGS | {"ChannelState": "6"})
    assert [type(report) for report in told] == [CallBegan, CallAnswered]
    switch.hangs_up(LEG)
    assert switch.reports == [CallEnded(call=ALICE)]


def test_one_through_a_local_channel_is_found_however_it_is_listed():
    local = f"Local/{LEAD}@out-00000001"
    caller = CALLER | {"ApplicationData": f"Local/{LEAD}@out,60"}
    whole = [
        row("17.9", f"{local};2", app="Dial", data="PJSIP/0049@elsewhere"),
        row(LEG, "PJSIP/elsewhere-00000002", app="AppDial"),
        caller,
        row("17.8", f"{local};1", app="AppDial"),
    ]
    told = Switch().lists(*whole)
    assert {report.call for report in told} == {ALICE}
    assert [report.leg for report in told if isinstance(report, CallAnswered)] == [LEG]
    stepped_aside = Switch().lists(caller, RINGS | {"ChannelState": "6"})
    assert [type(report) for report in stepped_aside] == [CallBegan, CallAnswered]


def test_a_lead_in_a_queue_that_rings_an_agent_is_found():
    lead = row(ALICE, "PJSIP/trunk-00000001", app="Queue", data="sales,,,,60", number=LEAD)
    (call,) = Switch().lists(lead, row(LEG, "PJSIP/bob-00000002", app="AppQueue", ChannelState="5"))
    assert isinstance(call, CallBegan)
    assert (call.caller.number, call.called.address) == (LEAD, "bob")


def test_others_that_are_up_are_not_told():
    other = CALLER | {"ApplicationData": "PJSIP/+493023125002@trunk,60,g"}
    assert Switch().lists(other, RINGS) == []
    assert Switch().lists(RINGS) == []


def test_a_new_survey_forgets_what_is_gone():
    switch = Switch()
    switch.dials()
    assert switch.lists() == []
    switch.ends("ANSWER")
    assert len(switch.reports) == 1


def test_what_happens_while_the_list_is_on_its_way_is_told_after_it():
    switch = Switch()
    switch.following.hold()
    switch.ends("ANSWER")
    switch.hangs_up(LEG)
    assert switch.reports == []
    told = switch.lists(CALLER, RINGS)
    assert [type(report) for report in told] == [CallBegan, CallAnswered, CallEnded]
