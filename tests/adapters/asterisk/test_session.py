"""The link over time: surveys, losses, and coming back. The peer is scripted, the sockets are real."""

import asyncio

import pytest

from callcontrol.adapters.asterisk import AsteriskPbx
from callcontrol.core import events as e
from callcontrol.core.events import Doing, Why
from callcontrol.core.model import AcceptBy, Call, ChannelId, Endpoint, EndpointKind, Leg, TransferId
from callcontrol.ports import CallerId, ChannelUnknownError, LinkDown, LinkUp, PortError, RingOrder
from tests.adapters.asterisk.scripted import QUICK, Answer, ScriptedAsterisk, frame, refused, rows, success
from tests.adapters.reports import Daemon, until

LEAD, BOT, LEG = ChannelId("1700000000.1"), ChannelId("1700000000.2"), ChannelId("a" * 36)
CALL = Call(lead=LEAD, bot=BOT, pbx_started="2026-01-01 10:00:00")
TRANSFER = TransferId("t-1")


def order(name: str = "Lena", address: str = "alice", by: AcceptBy = AcceptBy.ANSWER) -> RingOrder:
    endpoint = Endpoint(kind=EndpointKind.EXTENSION, address=address, accept_by=by)
    return RingOrder(
        transfer_id=TRANSFER,
        leg=Leg(id=LEG, agent_id=None, label="Alice", endpoint=endpoint),
        lead=LEAD,
        caller=CallerId(name=name, number="+4930123456"),
        ring_timeout_s=35.0,
        accept_timeout_s=20.0,
    )


def row(channel: str, *, bridge: str = "", place: str = "from-trunk,1", state: str = "6") -> str:
    context, _, exten = place.partition(",")
    lines = [f"Channel: PJSIP/{channel}", f"Uniqueid: {channel}", f"ChannelState: {state}"]
    lines += [f"Context: {context}", f"Exten: {exten}", f"BridgeId: {bridge}"]
    return "\r\n".join(["Event: CoreShowChannel", *lines])


def lists(*items: str) -> Answer:
    return lambda action: rows(action, "CoreShowChannelsComplete", *items)


# --- up and down


async def test_the_survey_tells_what_every_channel_is_doing(asterisk: ScriptedAsterisk, daemon: Daemon):
    asterisk.answers["CoreShowChannels"] = lists(
        row(LEAD, bridge="b1"),
        row(BOT, bridge="b1"),
        row("leg1", place="callcontrol-leg,answer", state="5"),
        row("leg2", place="callcontrol-ask,s"),
        row("leg3", place="callcontrol-leg,accepted"),
        row("leg4", place="callcontrol-leg,briefed"),
        row("leg5", place="callcontrol-leg,join", bridge="b1"),
    )
    await daemon.saw(LinkUp)
    survey = daemon.reports[0].survey  # type: ignore[union-attr]
    assert survey.pbx_started == "2026-01-01 10:00:00"
    assert {key: alive.doing for key, alive in survey.alive.items() if key.startswith("leg")} == {
        "leg1": Doing.RINGING,
        "leg2": Doing.ANSWERED,
        "leg3": Doing.ACCEPTED,
        "leg4": Doing.BRIEFED,
        "leg5": Doing.ACCEPTED,
    }
    assert survey.alive[LEAD].bridged_with == {BOT, "leg5"}
    assert survey.alive[ChannelId("leg3")].bridged_with == frozenset()


async def test_events_that_come_before_the_survey_are_told_after_it(
    asterisk: ScriptedAsterisk, daemon: Daemon
):
    daemon.pbx.watch(TRANSFER, CALL)

    def slowly(action: dict[str, str]) -> str:
        return frame("Event: Hangup", f"Uniqueid: {BOT}", "Cause: 16") + rows(
            action, "CoreShowChannelsComplete", row(LEAD), row(BOT)
        )

    asterisk.answers["CoreShowChannels"] = slowly
    await daemon.saw(e.BotHungUp)
    assert daemon.kinds() == [LinkUp, e.BotHungUp]


async def test_a_lost_link_is_reported_once_and_made_again(asterisk: ScriptedAsterisk, daemon: Daemon):
    await daemon.saw(LinkUp)
    assert daemon.pbx.linked
    asterisk.cut()
    await daemon.saw(LinkUp, 2)
    assert daemon.kinds() == [LinkUp, LinkDown, LinkUp]


async def test_without_a_link_a_verb_says_that_it_may_be_tried_again():
    with pytest.raises(PortError) as caught:
        await AsteriskPbx(QUICK).ring(order())
    assert caught.value.retryable


async def test_a_refused_login_is_not_tried_again_at_once(asterisk: ScriptedAsterisk, daemon: Daemon):
    asterisk.answers["Login"] = lambda action: refused(action, "Authentication failed")
    await asterisk.saw("Login")
    await asyncio.sleep(0.15)
    assert asterisk.sessions == 1
    assert daemon.reports == []
    del asterisk.answers["Login"]
    await daemon.saw(LinkUp)


async def test_a_switch_that_is_shutting_down_is_asked_again_soon(asterisk: ScriptedAsterisk, daemon: Daemon):
    asterisk.answers["Login"] = lambda action: refused(action, "Asterisk is shutting down.")
    await asterisk.saw("Login", 4)


async def test_nothing_is_sent_twice_when_the_link_is_cut_under_way(
    asterisk: ScriptedAsterisk, daemon: Daemon
):
    await daemon.saw(LinkUp)
    asterisk.answers["Originate"] = lambda _: None
    ringing = asyncio.create_task(daemon.pbx.ring(order()))
    await asterisk.saw("Originate")
    asterisk.cut()
    with pytest.raises(PortError) as caught:
        await ringing
    assert caught.value.retryable, "the next survey tells whether the order arrived"
    await daemon.saw(LinkUp, 2)
    with pytest.raises(ChannelUnknownError):  # a round trip
        await daemon.pbx.locate("nobody")
    assert asterisk.names().count("Originate") == 1


async def test_a_ring_order_that_is_not_answered_rings_nobody_in_the_end(
    asterisk: ScriptedAsterisk, daemon: Daemon
):
    await daemon.saw(LinkUp)
    asterisk.answers["Originate"] = lambda _: None
    with pytest.raises(PortError, match="did not answer"):
        await daemon.pbx.ring(order())
    assert (await asterisk.saw("Hangup"))["Channel"] == LEG


async def test_a_leg_of_an_earlier_process_is_taken_up_from_the_survey(
    asterisk: ScriptedAsterisk, daemon: Daemon
):
    daemon.pbx.watch(TRANSFER, CALL)
    daemon.pbx.watch_leg(TRANSFER, CALL, order().leg)
    asterisk.answers["CoreShowChannels"] = lists(row(LEAD), row(LEG, place="callcontrol-leg,accepted"))
    await daemon.saw(LinkUp)
    await asterisk.say(frame("Event: Hangup", f"Uniqueid: {LEG}", "Cause: 127", "Cause-txt: Interworking"))
    await daemon.saw(e.LegEnded)
    assert daemon.reports[-1] == e.LegEnded(channel=LEG, by=e.EndedBy.NORMAL, cause="127 Interworking")


async def test_a_leg_the_survey_does_not_list_is_gone(asterisk: ScriptedAsterisk, daemon: Daemon):
    daemon.pbx.watch_leg(TRANSFER, CALL, order().leg)
    await daemon.saw(LinkUp)
    assert daemon.reports[0].survey.alive == {}  # type: ignore[union-attr]
    asterisk.answers["Hangup"] = lambda action: refused(action, "No such channel")
    await daemon.pbx.hang_up(LEG, Why.CANCELLED, answered=False)


# --- the bytes of a ring order


HOSTILE = [
    "Lena\r\nAction: Command\r\nCommand: core stop now",
    "Lena\nApplication: System",
    "Lena\0",
    'Lena" <0900123>',
    "Lena,CALLCONTROL_LEAD=evil",
    "${SHELL(id)}",
    "$[1+1]",
    "Lena & Co",
    "Robert'); DROP TABLE leads;--",
    "🏡",
    "x" * 10_000,
    "\ud800",
]


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_name_that_was_not_cleaned_is_not_put_on_the_wire(
    asterisk: ScriptedAsterisk, daemon: Daemon, name: str
):
    await daemon.saw(LinkUp)
    before = bytes(asterisk.wire)
    with pytest.raises(PortError, match="not cleaned"):
        await daemon.pbx.ring(order(name))
    assert asterisk.wire == before


async def test_a_ring_order_says_this_and_nothing_else(asterisk: ScriptedAsterisk, daemon: Daemon):
    await daemon.saw(LinkUp)
    await daemon.pbx.ring(order("Lena Müller-O'Hara Jr.", by=AcceptBy.KEY))
    action = await asterisk.saw("Originate")
    del action["ActionID"]
    assert action == {
        "Action": "Originate",
        "Async": "true",
        "CallerID": '"Lena Müller-O\'Hara Jr." <+4930123456>',
        "Channel": "PJSIP/alice",
        "ChannelId": LEG,
        "Context": "callcontrol-leg",
        "Exten": "key",
        "Priority": "1",
        "Timeout": "37000",
        "Variable": "\n".join(
            [
                f"CALLCONTROL_TRANSFER={TRANSFER}",
                "FORWARD_CONTEXT=callcontrol-no-forward",
                "CALLCONTROL_ACCEPT_S=20",
                f"CALLCONTROL_LEAD={LEAD}",
            ]
        ),
    }


# --- finding channels


def status(*channels: str) -> Answer:
    """Answers like Asterisk: to a unique id with the first channel whose id begins like it."""

    def answer(action: dict[str, str]) -> str:
        asked = action.get("Channel", "")
        alike = [each for each in channels if each.startswith(asked)]
        found = alike[:1] if asked else alike
        if not found:
            return refused(action, "No such channel")
        items = [
            f"Event: Status\r\nChannel: PJSIP/x-{each}\r\nUniqueid: {each}\r\nBridgeID: b1" for each in found
        ]
        return rows(action, "StatusComplete", *items)

    return answer


async def test_a_channel_whose_id_only_begins_alike_is_not_taken_for_it(
    asterisk: ScriptedAsterisk, daemon: Daemon
):
    await daemon.saw(LinkUp)
    asterisk.answers["Status"] = status(f"{LEAD}5", LEAD, f"{LEAD}6")
    members = [
        f"Event: BridgeInfoChannel\r\nChannel: PJSIP/x-{each}\r\nUniqueid: {each}" for each in (LEAD, BOT)
    ]
    asterisk.answers["BridgeInfo"] = lambda action: rows(action, "BridgeInfoComplete", *members)
    located = await daemon.pbx.locate(LEAD)
    assert (located.lead, located.bot) == (LEAD, BOT)
    daemon.pbx.watch(TRANSFER, located)
    await daemon.pbx.release_bot(BOT)
    assert (await asterisk.saw("Hangup"))["Channel"] == f"PJSIP/x-{BOT}", (
        "by its name, which is compared whole"
    )
    with pytest.raises(ChannelUnknownError):
        await daemon.pbx.locate("1700000000")


async def test_a_call_that_events_have_told_of_is_not_asked_for(asterisk: ScriptedAsterisk, daemon: Daemon):
    asterisk.answers["CoreShowChannels"] = lists(row(LEAD, bridge="b1"), row(BOT, bridge="b1"))
    await daemon.saw(LinkUp)
    assert await daemon.pbx.locate(LEAD) == CALL
    assert await daemon.pbx.locate(f"PJSIP/{LEAD}") == CALL
    assert "Status" not in asterisk.names()


async def test_a_call_of_which_events_have_not_told_all_is_asked_for(
    asterisk: ScriptedAsterisk, daemon: Daemon
):
    asterisk.answers["CoreShowChannels"] = lists(row(LEAD, bridge="b1"), row(BOT, bridge="b1"))
    await daemon.saw(LinkUp)
    await asterisk.say(frame("Event: BridgeLeave", f"Uniqueid: {BOT}", f"Channel: PJSIP/{BOT}"))
    asterisk.answers["Status"] = status(LEAD)
    asterisk.answers["BridgeInfo"] = lambda action: rows(action, "BridgeInfoComplete")
    await until(lambda: not daemon.pbx._ledger.places.get(BOT).bridge)  # type: ignore[union-attr]
    assert (await daemon.pbx.locate(LEAD)).bot is None
    assert asterisk.names().count("Status") == 1


async def test_a_channel_that_was_renamed_is_ordered_by_its_new_name(
    asterisk: ScriptedAsterisk, daemon: Daemon
):
    asterisk.answers["CoreShowChannels"] = lists(row(LEAD, bridge="b1"), row(BOT, bridge="b1"))
    await daemon.saw(LinkUp)
    await asterisk.say(
        frame("Event: Rename", f"Uniqueid: {BOT}", f"Channel: PJSIP/{BOT}", "Newname: PJSIP/new")
    )
    await until(lambda: daemon.pbx._ledger.places.find("PJSIP/new"))
    await daemon.pbx.release_bot(BOT)
    assert (await asterisk.saw("Hangup"))["Channel"] == "PJSIP/new"


async def test_a_bot_that_dies_after_an_agent_has_left_the_handoff_does_not_make_it_an_agents_call(
    asterisk: ScriptedAsterisk, daemon: Daemon
):
    asterisk.answers["CoreShowChannels"] = lists(row(LEAD, bridge="b1"), row(BOT, bridge="b1"))
    await daemon.saw(LinkUp)
    daemon.pbx.watch(TRANSFER, CALL)
    await daemon.pbx.ring(order())
    leg = f"Uniqueid: {LEG}"
    await asterisk.say(frame("Event: BridgeEnter", leg, "Channel: PJSIP/alice-1", "BridgeUniqueid: b1"))
    await daemon.saw(e.Joined)
    await asterisk.say(frame("Event: Hangup", leg, "Cause: 16"))
    await daemon.saw(e.LegEnded)
    await asterisk.say(frame("Event: Hangup", f"Uniqueid: {BOT}", "Cause: 16"))
    await daemon.saw(e.BotHungUp)
    await daemon.pbx.hang_up(LEG, Why.CALL_OVER, answered=True)  # a round trip
    told = [action for action in asterisk.actions if action.get("Variable") == "CALLCONTROL_CONNECTED"]
    assert not any(action["Value"] == "1" for action in told)


# --- verbs whose answer is bad news


async def test_hanging_up_what_is_gone_is_no_error_and_is_told(asterisk: ScriptedAsterisk, daemon: Daemon):
    await daemon.saw(LinkUp)
    await daemon.pbx.ring(order())
    asterisk.answers["Hangup"] = lambda action: refused(action, "No such channel")
    hanging_up = asyncio.create_task(daemon.pbx.hang_up(LEG, Why.CANCELLED, answered=False))
    await asterisk.saw("Hangup", 3)  # its channel may be on its way
    asterisk.answers["Hangup"] = success
    await hanging_up
    assert asterisk.actions[-1]["Cause"] == "16"


async def test_a_failed_originate_without_a_channel_is_unreachable(
    asterisk: ScriptedAsterisk, daemon: Daemon
):
    await daemon.saw(LinkUp)
    await daemon.pbx.ring(order())
    lines = ["Event: OriginateResponse", "Response: Failure", "Channel: PJSIP/alice", "Reason: 0"]
    await asterisk.say(frame(*lines, f"Uniqueid: {LEG}"))
    await daemon.saw(e.LegEnded)
    assert daemon.reports[-1].by is e.EndedBy.UNREACHABLE  # type: ignore[union-attr]


async def test_the_hangup_of_a_failed_originate_counts_even_when_it_comes_later(
    asterisk: ScriptedAsterisk, daemon: Daemon
):
    await daemon.saw(LinkUp)
    await daemon.pbx.ring(order())
    lines = ["Event: OriginateResponse", "Response: Failure", "Channel: PJSIP/alice", "Reason: 0"]
    await asterisk.say(frame(*lines, f"Uniqueid: {LEG}"))
    await asterisk.say(frame("Event: Hangup", f"Uniqueid: {LEG}", "Cause: 17", "Cause-txt: User busy"))
    await daemon.saw(e.LegEnded)
    await asyncio.sleep(0.15)
    ends = [report for report in daemon.reports if isinstance(report, e.LegEnded)]
    assert ends == [e.LegEnded(channel=LEG, by=e.EndedBy.BUSY, cause="17 User busy")]


async def test_events_about_channels_of_others_are_nobodys_business(
    asterisk: ScriptedAsterisk, daemon: Daemon
):
    await daemon.saw(LinkUp)
    for event in ("Newstate", "Hangup", "BridgeEnter", "BridgeLeave", "OriginateResponse"):
        await asterisk.say(frame(f"Event: {event}", "Uniqueid: 9.9", "ChannelState: 5", "Response: Failure"))
    await asterisk.say(frame("Event: UserEvent", "UserEvent: CallcontrolLegAccepted", "Uniqueid: 9.9"))
    await asterisk.say(frame("Event: UserEvent", "UserEvent: CallcontrolJoinFailed", "Leg: 9.9"))
    await asterisk.say(frame("Event: UserEvent", "UserEvent: SomebodyElses", "Uniqueid: 9.9"))
    await asyncio.sleep(0.15)
    assert daemon.kinds() == [LinkUp]
    assert daemon.pbx._ledger.legs == {}
