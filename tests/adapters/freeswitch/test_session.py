"""The link over time: surveys, losses, and coming back; and the bytes of every order. The peer is scripted."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from itertools import chain, repeat

import pytest

from callcontrol.adapters.freeswitch import FreeswitchPbx
from callcontrol.core import events as e
from callcontrol.core.callback import CallAnswered, CallBegan, CallEnded, Party
from callcontrol.core.events import Doing
from callcontrol.core.model import ChannelId
from callcontrol.ports import ChannelUnknownError, LinkDown, LinkUp, PortError
from tests.adapters.freeswitch.scene import BOT, CALL, LEAD, LEG, TRANSFER, lists, order, row, watched
from tests.adapters.freeswitch.scripted import QUICK, Command, ScriptedFreeswitch, event, framed, state
from tests.adapters.reports import Daemon, running

LOOKS = replace(QUICK, look_again_s=0.05, told_within_s=0.05)


def looks_again(freeswitch: ScriptedFreeswitch) -> AbstractAsyncContextManager[Daemon]:
    """A daemon that soon searches for channels that are gone."""
    return running(FreeswitchPbx(replace(LOOKS, port=freeswitch.port)))


# --- up and down


async def test_the_survey_tells_what_every_channel_is_doing(freeswitch: ScriptedFreeswitch, daemon: Daemon):
    three = {"application": "three_way", "application_data": LEAD}
    freeswitch.channels |= {LEAD, BOT, *(f"leg{n}" for n in range(1, 6))}
    freeswitch.answers["show"] = lists(
        row(LEAD),
        row(BOT),
        row("leg1", "default,alice", "RINGING"),
        row("leg2", "callcontrol-leg,key"),
        row("leg3", "callcontrol-leg,accepted"),
        row("leg4", "callcontrol-leg,briefed"),
        row("leg5", "callcontrol-leg,join", **three),
        pairs=((LEAD, BOT),),
    )
    await daemon.saw(LinkUp)
    survey = daemon.reports[0].survey  # type: ignore[union-attr]
    assert survey.pbx_started == "first-start"
    assert {key: alive.doing for key, alive in survey.alive.items() if key.startswith("leg")} == {
        "leg1": Doing.RINGING,
        "leg2": Doing.ANSWERED,
        "leg3": Doing.ACCEPTED,
        "leg4": Doing.BRIEFED,
        "leg5": Doing.ACCEPTED,
    }
    assert survey.alive[LEAD].bridged_with == {BOT, "leg5"}
    assert survey.alive[ChannelId("leg5")].bridged_with == {LEAD}
    assert survey.alive[ChannelId("leg3")].bridged_with == frozenset()


async def test_a_channel_that_the_lists_do_not_have_yet_is_asked_for_before_it_is_taken_for_gone(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    variables = {"context": "callcontrol-leg", "destination_number": "accepted", "answer_epoch": "1795694400"}
    freeswitch.answers["uuid_exists"] = lambda command: "true" if command.rest == LEG else "false"
    freeswitch.answers["uuid_getvar"] = lambda command: variables[command.rest.split()[1]]
    daemon.pbx.watch(TRANSFER, CALL)
    daemon.pbx.watch_leg(TRANSFER, CALL, order().leg)
    await daemon.saw(LinkUp)
    alive = daemon.reports[0].survey.alive  # type: ignore[union-attr]
    assert {key: found.doing for key, found in alive.items()} == {LEG: Doing.ACCEPTED}


async def test_a_channel_that_the_lists_still_have_is_not_taken_for_alive(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    freeswitch.channels |= {LEAD}
    freeswitch.answers["show"] = lists(row(LEAD), row(BOT), pairs=((LEAD, BOT),))
    await daemon.saw(LinkUp)
    alive = daemon.reports[0].survey.alive  # type: ignore[union-attr]
    assert {key: found.bridged_with for key, found in alive.items()} == {LEAD: frozenset()}


async def test_events_that_come_before_the_survey_are_told_after_it(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    daemon.pbx.watch(TRANSFER, CALL)

    def slowly(command: object) -> str:
        freeswitch.tell(state(BOT, "HANGUP", Hangup_Cause="NORMAL_CLEARING"))
        return lists(row(LEAD), row(BOT))(command)  # type: ignore[arg-type, return-value]

    freeswitch.answers["show"] = slowly
    await daemon.saw(e.BotHungUp)
    assert daemon.kinds() == [LinkUp, e.BotHungUp]


async def test_a_lost_link_is_reported_once_and_made_again(freeswitch: ScriptedFreeswitch, daemon: Daemon):
    await daemon.saw(LinkUp)
    assert daemon.pbx.linked
    freeswitch.cut()
    await daemon.saw(LinkUp, 2)
    assert daemon.kinds() == [LinkUp, LinkDown, LinkUp]


async def test_lost_events_lead_to_another_survey(freeswitch: ScriptedFreeswitch, daemon: Daemon):
    await daemon.saw(LinkUp)
    await freeswitch.say(framed(b"[CRIT] Lost [3] events! Event Queue size: [1/100000]\n", "log/data"))
    await daemon.saw(LinkUp, 2)
    assert daemon.reports[1] == LinkDown(why="the switch lost events")


async def test_a_leg_and_a_lead_that_ended_without_a_word_are_told_of(freeswitch: ScriptedFreeswitch):
    async with looks_again(freeswitch) as daemon:
        await watched(freeswitch, daemon)
        freeswitch.channels |= {BOT}
        await daemon.pbx.ring(order())
        await daemon.saw(e.LegEnded)
        await daemon.saw(e.LeadHungUp)
        ended = next(report for report in daemon.reports if isinstance(report, e.LegEnded))
        assert (ended.channel, ended.by) == (LEG, e.EndedBy.UNREACHABLE)
        assert e.BotHungUp not in daemon.kinds()


async def test_a_leg_whose_channel_is_slowly_made_is_not_taken_for_gone(freeswitch: ScriptedFreeswitch):
    answers = chain(["false"], repeat("true"))
    freeswitch.answers["uuid_exists"] = lambda _: next(answers)
    async with looks_again(freeswitch) as daemon:
        await daemon.saw(LinkUp)
        await daemon.pbx.ring(order())
        await freeswitch.saw("uuid_exists", 5)
        assert daemon.kinds() == [LinkUp]


async def test_a_call_of_others_that_ended_without_a_word_is_told_of(freeswitch: ScriptedFreeswitch):
    async with looks_again(freeswitch) as daemon:
        await daemon.saw(LinkUp)
        await wants_the_number(daemon)
        freeswitch.channels |= {"desk-1", "leg-1"}
        await freeswitch.say(event("CHANNEL_ORIGINATE", DIALS) + state("leg-1", "ACTIVE"))
        ends = {"Bridge-A-Unique-ID": "desk-1", "Bridge-B-Unique-ID": "leg-1"}
        await freeswitch.say(event("CHANNEL_BRIDGE", ends))
        await daemon.saw(CallAnswered)
        freeswitch.channels.clear()
        await daemon.saw(CallEnded)
        assert not daemon.pbx._supervisor._held, "nobody is looked for any more"


async def test_a_refused_login_is_not_tried_again_at_once(freeswitch: ScriptedFreeswitch, daemon: Daemon):
    freeswitch.answers["auth"] = lambda _: "-ERR invalid"
    await freeswitch.saw("auth")
    await asyncio.sleep(0.15)
    assert freeswitch.sessions == 1
    assert daemon.reports == []
    del freeswitch.answers["auth"]
    await daemon.saw(LinkUp)


async def test_nothing_is_sent_twice_when_the_link_is_cut_under_way(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await daemon.saw(LinkUp)
    freeswitch.answers["originate"] = lambda _: None
    ringing = asyncio.create_task(daemon.pbx.ring(order()))
    await freeswitch.saw("originate")
    freeswitch.cut()
    with pytest.raises(PortError) as caught:
        await ringing
    assert caught.value.retryable, "the next survey tells whether the order arrived"
    await daemon.saw(LinkUp, 2)
    with pytest.raises(ChannelUnknownError):  # a round trip
        await daemon.pbx.locate("nobody")
    assert freeswitch.names().count("originate") == 1


async def test_a_ring_order_that_is_not_answered_rings_nobody_in_the_end(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await daemon.saw(LinkUp)
    freeswitch.answers["originate"] = lambda _: None
    with pytest.raises(PortError, match="did not answer"):
        await daemon.pbx.ring(order())
    assert (await freeswitch.saw("uuid_kill")).rest == f"{LEG} ORIGINATOR_CANCEL"


async def test_a_switch_that_shuts_down_has_not_lost_everybody_at_once(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await daemon.saw(LinkUp)
    daemon.pbx.watch(TRANSFER, CALL)
    for channel in (LEAD, BOT):
        await freeswitch.say(state(channel, "HANGUP", Hangup_Cause="SYSTEM_SHUTDOWN"))
    await freeswitch.say(framed(b"Disconnected, goodbye.\n", "text/disconnect-notice"))
    await daemon.saw(LinkUp, 2)
    assert daemon.kinds() == [LinkUp, LinkDown, LinkUp]


# --- calls of others

NUMBER = "+493023125001"
DIALS = {
    "Unique-ID": "leg-1",
    "Other-Leg-Unique-ID": "desk-1",
    "Caller-Caller-ID-Number": "101",
    "Caller-Destination-Number": NUMBER,
}
BEGAN = CallBegan(
    call=ChannelId("desk-1"),
    leg=ChannelId("leg-1"),
    caller=Party(address="alice", number="101"),
    called=Party(number=NUMBER),
)


async def wants_the_number(daemon: Daemon) -> None:
    await daemon.pbx.follow(lambda number: number == NUMBER)


async def test_a_call_to_a_number_that_is_waited_for_is_told_with_the_phone_that_dials(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await daemon.saw(LinkUp)
    await wants_the_number(daemon)
    await freeswitch.say(state("desk-1", "RINGING", Channel_Presence_ID="alice@x", Call_Direction="inbound"))
    await freeswitch.say(event("CHANNEL_ORIGINATE", DIALS))
    await freeswitch.say(state("leg-1", "ACTIVE"))
    ends = {"Bridge-A-Unique-ID": "desk-1", "Bridge-B-Unique-ID": "leg-1"}
    await freeswitch.say(event("CHANNEL_BRIDGE", ends))
    await freeswitch.say(state("leg-1", "HANGUP", Hangup_Cause="NORMAL_CLEARING"))
    await daemon.saw(CallEnded)
    assert BEGAN in daemon.reports
    assert CallAnswered(call=BEGAN.call, leg=BEGAN.leg) in daemon.reports


def a_call_that_is_up(freeswitch: ScriptedFreeswitch) -> None:
    desk = row("desk-1", direction="inbound", presence_id="alice@x", application="bridge", cid_num="101")
    leg = row("leg-1", direction="outbound", call_uuid="desk-1", dest=NUMBER, cid_num="101")
    freeswitch.answers["show"] = lists(desk, leg)
    freeswitch.channels |= {"desk-1", "leg-1"}


async def test_a_call_that_is_up_is_told_at_once_and_with_each_link(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await daemon.saw(LinkUp)
    a_call_that_is_up(freeswitch)
    await wants_the_number(daemon)
    assert daemon.kinds() == [LinkUp, CallBegan, CallAnswered]
    freeswitch.cut()
    await daemon.saw(CallAnswered, 2)
    assert daemon.kinds()[3:] == [LinkDown, LinkUp, CallBegan, CallAnswered]


async def test_a_call_whose_loopback_channel_steps_aside_while_it_is_listed_is_one_call(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await daemon.saw(LinkUp)
    a_call_that_is_up(freeswitch)
    whole = freeswitch.answers["show"]
    desk = row("desk-1", direction="inbound", presence_id="alice@x", application="bridge", cid_num="101")
    half = row("far-1", direction="inbound", name="loopback/x-b", call_uuid="far-1", application="bridge")
    leg = row("leg-1", direction="outbound", call_uuid="far-1", dest=NUMBER, cid_num="101")
    shown = chain([lists(desk, half, leg)], repeat(whole))

    def show(command: Command) -> str | None:
        return next(shown)(command)

    freeswitch.answers["show"] = show
    await wants_the_number(daemon)
    assert [report.call for report in daemon.reports if isinstance(report, CallBegan)] == ["desk-1"]


async def test_a_list_that_is_refused_keeps_nothing_that_happens_from_being_told(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await daemon.saw(LinkUp)
    freeswitch.answers["show"] = lambda _: "-ERR"
    with pytest.raises(PortError):
        await wants_the_number(daemon)
    await freeswitch.say(event("CHANNEL_ORIGINATE", DIALS))
    await daemon.saw(CallBegan)
