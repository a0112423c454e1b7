"""Lead, agent and bot: who is put together with whom, and what is said of it."""

import asyncio
from pathlib import Path

import pytest

from callcontrol.core import events as e
from callcontrol.ports import ChannelUnknownError, HandoffDone, LinkDown, LinkUp, PortError
from tests.adapters.freeswitch.scene import BOT, CALL, LEAD, LEG, TRANSFER, order, watched
from tests.adapters.freeswitch.scripted import ScriptedFreeswitch, custom, event, state
from tests.adapters.reports import Daemon, until


async def test_a_lead_with_its_bot_is_located_without_a_question(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await watched(freeswitch, daemon)
    asked = len(freeswitch.commands)
    assert await daemon.pbx.locate(LEAD) == CALL
    assert len(freeswitch.commands) == asked
    freeswitch.answers["auth"] = lambda _: None
    freeswitch.cut()
    await daemon.saw(LinkDown)
    with pytest.raises(PortError, match="no link"):
        await daemon.pbx.locate(LEAD)


async def test_a_lead_whose_bot_may_die_is_told_where_to_go_then(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await watched(freeswitch, daemon)
    assert (await freeswitch.saw("uuid_setvar_multi")).rest == (
        f"{LEAD} CALLCONTROL_CONNECTED=;CALLCONTROL_AGENT=;CALLCONTROL_TRANSFER=t-1;"
        "transfer_after_bridge=s:XML:callcontrol-bot-gone"
    )
    daemon.pbx.forget(TRANSFER)
    assert (await freeswitch.saw("uuid_setvar_multi", 2)).rest == (
        f"{LEAD} CALLCONTROL_TRANSFER=;transfer_after_bridge=;CALLCONTROL_AGENT="
    )


async def test_somebody_elses_ear_on_the_lead_is_no_join(freeswitch: ScriptedFreeswitch, daemon: Daemon):
    """A supervisor may listen in while an agent's phone rings."""
    await watched(freeswitch, daemon)
    await daemon.pbx.ring(order())
    await freeswitch.say(EAR + state(LEG, "RINGING"))
    await daemon.saw(e.LegRinging)
    assert daemon.kinds() == [LinkUp, e.LegRinging]


EAR = event(
    "MEDIA_BUG_START", {"Unique-ID": LEAD, "Media-Bug-Function": "eavesdrop", "Media-Bug-Target": LEAD}
)


async def picked_up(freeswitch: ScriptedFreeswitch, daemon: Daemon) -> asyncio.Task[None]:
    """And chosen, before its leg comes to our dialplan."""
    await watched(freeswitch, daemon)
    await daemon.pbx.ring(order())
    await freeswitch.say(state(LEG, "ACTIVE"))
    await daemon.saw(e.LegAccepted)
    joining = asyncio.create_task(daemon.pbx.join(LEAD, LEG))
    assert (await freeswitch.saw("uuid_setvar_multi", 3)).rest == f"{LEG} CALLCONTROL_LEAD={LEAD}"
    return joining


async def test_a_leg_that_is_chosen_in_time_goes_to_the_lead_by_itself(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    joining = await picked_up(freeswitch, daemon)
    await freeswitch.say(EAR)
    await daemon.saw(e.Joined)
    await joining
    assert "uuid_transfer" not in freeswitch.names()


async def test_a_leg_that_came_to_the_dialplan_before_it_was_chosen_is_sent_to_the_lead(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    joining = await picked_up(freeswitch, daemon)
    await freeswitch.say(custom("callcontrol::leg_answered", LEG, {"Accepted": "1"}))
    await joining
    assert (await freeswitch.saw("uuid_transfer")).rest == f"{LEG} join XML callcontrol-leg"
    assert e.Joined not in daemon.kinds()


async def test_a_leg_that_found_nobody_to_join_is_not_sent_there_again(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    joining = await picked_up(freeswitch, daemon)
    await freeswitch.say(custom("callcontrol::join_failed", LEG, {"Leg": LEG, "Why": "three_way"}))
    await daemon.saw(e.JoinFailed)
    await joining
    assert "uuid_transfer" not in freeswitch.names()


async def test_the_late_news_that_an_agent_has_left_does_not_hide_that_the_next_has_joined(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    joining = await picked_up(freeswitch, daemon)
    stop = {"Unique-ID": LEAD, "Media-Bug-Function": "eavesdrop", "Media-Bug-Target": LEAD}
    await freeswitch.say(event("MEDIA_BUG_STOP", stop) + EAR)
    await daemon.saw(e.Joined)
    await joining
    assert "uuid_transfer" not in freeswitch.names()


async def test_the_switch_is_hurried_until_a_leg_is_joined_and_no_longer(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await watched(freeswitch, daemon)
    assert freeswitch.newlines == 0
    await daemon.pbx.ring(order())
    await until(lambda: freeswitch.newlines > 3)
    await freeswitch.say(state(LEG, "ACTIVE") + custom("callcontrol::leg_answered", LEG, {"Accepted": "1"}))
    await daemon.saw(e.LegAccepted)
    await daemon.pbx.join(LEAD, LEG)
    await freeswitch.say(EAR)
    await daemon.saw(e.Joined)
    assert not daemon.pbx._ledger.in_haste()


async def test_a_join_that_fails_says_so(freeswitch: ScriptedFreeswitch, daemon: Daemon):
    await watched(freeswitch, daemon)
    await daemon.pbx.ring(order())
    await freeswitch.say(state(LEG, "ACTIVE") + custom("callcontrol::leg_answered", LEG, {"Accepted": "1"}))
    await daemon.saw(e.LegAccepted)
    await daemon.pbx.join(LEAD, LEG)
    failed = {"Leg": LEG, "Why": "three_way"}
    await freeswitch.say(custom("callcontrol::join_failed", LEG, failed))
    await daemon.saw(e.JoinFailed)
    assert daemon.reports[-1] == e.JoinFailed(channel=LEG, why="three_way")


async def test_releasing_the_bot_brings_lead_and_agent_together_first(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await watched(freeswitch, daemon)
    await daemon.pbx.ring(order())
    await freeswitch.say(state(LEG, "ACTIVE") + custom("callcontrol::leg_answered", LEG, {"Accepted": "1"}))
    await daemon.saw(e.LegAccepted)
    await daemon.pbx.join(LEAD, LEG)
    await freeswitch.say(EAR)
    await daemon.saw(e.Joined)
    await daemon.pbx.release_bot(BOT)
    ended = [(c.name, c.rest) for c in freeswitch.commands if c.name in ("uuid_bridge", "uuid_kill")]
    assert ended == [("uuid_bridge", f"{LEAD} {LEG}"), ("uuid_kill", f"{BOT} NORMAL_CLEARING")]


async def test_a_bot_that_dies_after_an_agent_has_left_the_handoff_does_not_make_it_an_agents_call(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await watched(freeswitch, daemon)
    await daemon.pbx.ring(order())
    await freeswitch.say(state(LEG, "ACTIVE") + custom("callcontrol::leg_answered", LEG, {"Accepted": "1"}))
    await daemon.saw(e.LegAccepted)
    await daemon.pbx.join(LEAD, LEG)
    await freeswitch.say(EAR)
    await daemon.saw(e.Joined)
    await freeswitch.say(state(LEG, "HANGUP", Hangup_Cause="NORMAL_CLEARING") + state(BOT, "HANGUP"))
    await daemon.saw(e.BotHungUp)
    with pytest.raises(ChannelUnknownError):  # a round trip
        await daemon.pbx.locate("nobody")
    assert not any("CALLCONTROL_CONNECTED=1" in command.rest for command in freeswitch.commands)


async def test_a_lead_who_takes_the_bot_along_has_hung_up_first_whatever_the_order_of_the_events(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await watched(freeswitch, daemon)
    await freeswitch.say(state(BOT, "HANGUP", Hangup_Cause="NORMAL_CLEARING"))
    await freeswitch.say(state(LEAD, "HANGUP", Hangup_Cause="NORMAL_CLEARING"))
    await daemon.saw(e.BotHungUp)
    assert daemon.kinds() == [LinkUp, e.LeadHungUp, e.BotHungUp]


async def test_an_agent_who_leaves_silences_the_announcement_which_is_not_told_as_said(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await watched(freeswitch, daemon)
    await daemon.pbx.ring(order())
    await freeswitch.say(state(LEG, "ACTIVE") + custom("callcontrol::leg_answered", LEG, {"Accepted": "1"}))
    await daemon.saw(e.LegAccepted)
    await daemon.pbx.join(LEAD, LEG)
    await freeswitch.say(event("CHANNEL_BRIDGE", {"Bridge-A-Unique-ID": LEAD, "Bridge-B-Unique-ID": LEG}))
    await daemon.saw(e.Joined)
    await daemon.pbx.announce(TRANSFER, LEAD, [Path("/s/a.wav"), Path("/s/b.wav")])
    played = [c.rest for c in freeswitch.commands if c.name == "uuid_displace"]
    assert played == [f"{who} start file_string:///s/a.wav!/s/b.wav 0 mux" for who in (LEAD, LEG)]
    await freeswitch.say(state(LEG, "HANGUP", Hangup_Cause="NORMAL_CLEARING"))
    stopped = await freeswitch.saw("uuid_displace", 3)
    assert stopped.rest == f"{LEAD} stop file_string:///s/a.wav!/s/b.wav"
    bug = {"Media-Bug-Function": "displace", "Media-Bug-Target": "file_string:///s/a.wav!/s/b.wav"}
    await freeswitch.say(event("MEDIA_BUG_STOP", {"Unique-ID": LEAD, **bug}) + state(BOT, "HANGUP"))
    await daemon.saw(e.BotHungUp)
    assert HandoffDone not in daemon.kinds()
