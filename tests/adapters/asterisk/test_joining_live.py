"""Joining and handing off on a real Asterisk, by what each party hears."""

import asyncio
import struct
import uuid
from math import pi, sin
from pathlib import Path
from typing import Literal

import pytest

from callcontrol.core import events as e
from callcontrol.core.events import Why
from callcontrol.core.model import Call, ChannelId, TransferId
from callcontrol.ports import ChannelUnknownError, HandoffDone, PortError
from tests.adapters.asterisk.desk import Desk
from tests.lab import Lab, Ring
from tests.lab.parties import BY_NAME


@pytest.fixture
def sound(lab: Lab) -> Path:
    """Two seconds that the recordings know by name: the bot's tone."""
    hertz, rate = BY_NAME["bot"].tone_hz, 8000
    samples = [round(7000 * sin(2 * pi * hertz * n / rate)) for n in range(2 * rate)]
    path = lab.sounds_dir / "overview.sln"
    path.write_bytes(struct.pack(f"<{len(samples)}h", *samples))
    return path


# --- the bot is a leg of its own


@pytest.mark.parametrize("caller", ["lead", "bot"])
async def test_the_agent_joins_and_the_bot_leaves_whoever_had_called(desk: Desk, lab: Lab, caller: str):
    call = await lab.call(caller=caller)
    transfer_id, located = await desk.transfer(call.lead_channel)
    leg = await desk.joined("alice", located, transfer_id)
    await desk.hears("alice", {"lead", "bot"})
    await desk.hears("lead", {"alice", "bot"})
    assert located.bot is not None
    await desk.pbx.release_bot(located.bot)
    await desk.saw(e.BotHungUp, located.bot)
    await desk.hears("lead", {"alice"})
    await desk.hears("alice", {"lead"})
    assert lab.switch.bridged(leg.id, call.lead_channel)
    await desk.pbx.release_bot(located.bot)  # gone: no error


async def test_a_join_may_be_repeated(desk: Desk, lab: Lab):
    call = await lab.call()
    transfer_id, located = await desk.transfer(call.lead_channel)
    leg = await desk.joined("alice", located, transfer_id)
    await desk.pbx.join(located.lead, leg.id)
    await desk.hears("alice", {"lead", "bot"})
    assert [type(r) for r in desk.reports].count(e.Joined) == 2
    assert not desk.has_seen(e.JoinFailed)


async def test_an_agent_who_leaves_the_handoff_leaves_lead_and_bot_alone(desk: Desk, lab: Lab):
    call = await lab.call()
    transfer_id, located = await desk.transfer(call.lead_channel)
    await desk.joined("alice", located, transfer_id)
    await lab.phone("alice").hang_up()
    await desk.hears("lead", {"bot"})
    await desk.joined("bob", located, transfer_id)
    await desk.hears("lead", {"bot", "bob"})


async def test_a_bot_behind_a_local_channel_is_released_like_any_other(desk: Desk, lab: Lab):
    call = await lab.call(bot="local")
    transfer_id, located = await desk.transfer(call.lead_channel)
    await desk.joined("alice", located, transfer_id)
    await desk.hears("lead", {"alice", "bot"})
    assert located.bot is not None
    await desk.pbx.release_bot(located.bot)
    await desk.hears("lead", {"alice"})


async def test_joining_a_lead_who_is_gone_is_refused(desk: Desk, lab: Lab):
    call = await lab.call()
    transfer_id, located = await desk.transfer(call.lead_channel)
    leg = await desk.accepted("alice", located, transfer_id)
    await call.lead.hang_up()
    await desk.saw(e.LeadHungUp, located.lead)
    with pytest.raises(ChannelUnknownError):
        await desk.pbx.join(located.lead, leg.id)


async def test_a_bridge_that_vanishes_under_a_join_fails_it(desk: Desk, lab: Lab):
    call = await lab.call()
    transfer_id, located = await desk.transfer(call.lead_channel)
    leg = await desk.accepted("alice", located, transfer_id)
    desk.pbx._ledger.places.get(located.lead).name = "PJSIP/trunk-000000"  # as many names begin
    await desk.pbx.join(located.lead, leg.id)
    failed = await desk.saw(e.JoinFailed, leg.id)
    assert failed.why == "NONEXISTENT"
    await desk.is_at(leg.id, "callcontrol-leg", "accepted")


# --- going straight to the lead


async def test_who_may_go_straight_is_with_the_lead_without_being_told_to(desk: Desk, lab: Lab):
    call = await lab.call()
    transfer_id, located = await desk.transfer(call.lead_channel)
    leg = await desk.ring("alice", located, transfer_id, straight=True)
    await desk.saw(e.Joined, leg.id)
    await desk.hears("alice", {"lead", "bot"})
    await desk.hears("lead", {"alice", "bot"})
    assert not desk.has_seen(e.LegAnswered)
    await desk.pbx.hang_up(leg.id, Why.CANCELLED, answered=True)
    await desk.is_at(leg.id, "callcontrol-bye", "called-off")
    await desk.hears("lead", {"bot"})


@pytest.mark.parametrize("_again", range(5))
async def test_of_two_who_pick_up_at_the_same_instant_at_most_one_goes_straight(desk: Desk, lab: Lab, _again):
    """Mostly one does. Where each finds the other there, both wait to be chosen."""
    call = await lab.call()
    transfer_id, located = await desk.transfer(call.lead_channel)
    for who in ("bob", "carol"):
        await lab.phone(who).will(Ring())
    legs = [await desk.ring(who, located, transfer_id, straight=True) for who in ("bob", "carol")]
    both = (lab.phone("bob"), lab.phone("carol"))
    await lab.wait_until(lambda: all(phone.is_ringing for phone in both), what="both to ring")
    await lab.phone("bob").answer(lab.phone("carol"))
    for leg in legs:
        await desk.when(
            lambda leg=leg: desk.has_seen(e.Joined, leg.id) or desk.has_seen(e.LegAccepted, leg.id)
        )
    straight = [r.channel for r in desk.reports if isinstance(r, e.Joined)]
    assert len(straight) <= 1
    first, late = sorted(legs, key=lambda leg: leg.id not in straight)
    await desk.is_at(late.id, "callcontrol-leg", "accepted")
    if not straight:
        await desk.pbx.join(located.lead, first.id)
        await desk.saw(e.Joined, first.id)
    await lab.phone(first.label).hang_up()
    await desk.saw(e.LegEnded, first.id)
    await desk.pbx.join(located.lead, late.id)
    await desk.saw(e.Joined, late.id)
    await desk.hears("lead", {late.label, "bot"})


async def test_two_who_each_find_somebody_of_the_transfer_there_both_say_so_and_wait(desk: Desk, lab: Lab):
    call = await lab.call()
    transfer_id, located = await desk.transfer(call.lead_channel)
    there = {"Application": "Wait", "Data": "20", "Variable": f"GROUP(callcontrol)={transfer_id}"}
    await lab.pbx.ami.action("Originate", Channel="PJSIP/dave", Async="true", **there)
    for who in ("bob", "carol"):
        leg = await desk.ring(who, located, transfer_id, straight=True)
        await desk.saw(e.LegAccepted, leg.id)
        await desk.is_at(leg.id, "callcontrol-leg", "accepted")
    assert not desk.has_seen(e.Joined)


async def test_the_next_agent_goes_straight_too_where_the_first_has_left(desk: Desk, lab: Lab):
    call = await lab.call()
    transfer_id, located = await desk.transfer(call.lead_channel)
    for who in ("alice", "bob"):
        leg = await desk.ring(who, located, transfer_id, straight=True)
        await desk.saw(e.Joined, leg.id)
        await lab.phone(who).hang_up()
        await desk.saw(e.LegEnded, leg.id)
    assert not desk.has_seen(e.LegAnswered)


async def test_who_would_go_straight_to_a_lead_who_is_gone_or_alone_says_so_and_waits(desk: Desk, lab: Lab):
    call = await lab.call_app_bot("audiosocket")
    transfer_id, located = await desk.transfer(call.lead_channel)
    leg = await desk.ring("alice", located, transfer_id, straight=True)
    await desk.saw(e.LegAnswered, leg.id)
    await desk.is_at(leg.id, "callcontrol-leg", "accepted")
    await desk.pbx.join(located.lead, leg.id)
    await desk.saw(e.Joined, leg.id)
    gone = Call(lead=ChannelId("no-such-lead"), bot=None, pbx_started=located.pbx_started)
    other = await desk.ring("bob", gone, transfer_id, straight=True)
    await desk.saw(e.LegAnswered, other.id)


@pytest.mark.parametrize("exten", ["straight", "join"])
async def test_a_leg_that_was_told_no_lead_comes_into_nobodys_call(desk: Desk, lab: Lab, exten: str):
    call = await lab.call()
    leg = str(uuid.uuid4())
    place = {"Context": "callcontrol-leg", "Exten": exten, "Priority": "1", "Async": "true"}
    await lab.pbx.ami.action("Originate", Channel="PJSIP/alice", ChannelId=leg, **place)
    await desk.is_at(leg, "callcontrol-leg", "accepted")
    assert not lab.switch.bridged(leg, call.lead_channel)
    await lab.phone("alice").hang_up()


# --- the bot is an application on the lead's channel


async def lead_alone(
    desk: Desk, lab: Lab, kind: Literal["audiosocket", "agi"] = "audiosocket"
) -> tuple[TransferId, Call]:
    call = await lab.call_app_bot(kind)
    return await desk.transfer(call.lead_channel)


@pytest.mark.parametrize("kind", ["audiosocket", "agi"])
async def test_a_lead_in_no_bridge_is_brought_to_the_agent(
    desk: Desk, lab: Lab, kind: Literal["audiosocket", "agi"]
):
    transfer_id, located = await lead_alone(desk, lab, kind)
    leg = await desk.joined("alice", located, transfer_id)
    await desk.hears("lead", {"alice"})
    await desk.hears("alice", {"lead"})
    assert lab.switch.bridged(leg.id, located.lead)


async def test_an_agent_who_leaves_such_a_handoff_leaves_the_lead_on_hold_for_the_next(desk: Desk, lab: Lab):
    transfer_id, located = await lead_alone(desk, lab)
    await desk.joined("alice", located, transfer_id)
    await lab.phone("alice").hang_up()
    await desk.is_at(located.lead, "callcontrol-lead", "hold")
    await desk.hears("lead", {"moh"})
    await desk.joined("bob", located, transfer_id)
    await desk.hears("lead", {"bob"})


async def test_when_the_lead_of_such_a_call_hangs_up_the_agents_leg_ends(desk: Desk, lab: Lab):
    transfer_id, located = await lead_alone(desk, lab)
    leg = await desk.joined("alice", located, transfer_id)
    await lab.phone("lead").hang_up()
    await desk.saw(e.LeadHungUp, located.lead)
    await desk.saw(e.LegEnded, leg.id)
    await lab.phone("alice").is_idle()


async def test_a_held_lead_nobody_waits_for_is_let_go_when_the_transfer_is_forgotten(desk: Desk, lab: Lab):
    transfer_id, located = await lead_alone(desk, lab)
    leg = await desk.joined("alice", located, transfer_id)
    await lab.phone("alice").hang_up()
    await desk.saw(e.LegEnded, leg.id)
    desk.pbx.forget(transfer_id)
    await lab.phone("lead").is_idle()


async def test_after_the_handoff_an_agent_who_hangs_up_ends_such_a_call(desk: Desk, lab: Lab, sound: Path):
    transfer_id, located = await lead_alone(desk, lab)
    await desk.joined("alice", located, transfer_id)
    await desk.pbx.announce(transfer_id, located.lead, [sound])
    await desk.saw(HandoffDone, located.lead)
    await desk.variable_is(located.lead, "CALLCONTROL_CONNECTED", "1")
    await lab.phone("alice").hang_up()
    await lab.phone("lead").is_idle()


async def test_a_missed_lead_goes_where_the_engineer_says(desk: Desk, lab: Lab):
    _, located = await lead_alone(desk, lab)
    await desk.pbx.return_lead(located.lead, "")
    await desk.hears("lead", {"bot"})  # not in our hold: left alone
    await desk.pbx.return_lead(located.lead, "callcontrol-lead,hold,1")
    await desk.hears("lead", {"moh"})
    with pytest.raises(PortError):
        await desk.pbx.return_lead(located.lead, "callcontrol-lead,hold,1&x")


# --- words


@pytest.mark.parametrize("bot_leg", [True, False])
async def test_an_announcement_is_heard_by_both_and_ends_the_handoff(
    desk: Desk, lab: Lab, sound: Path, bot_leg: bool
):
    call = await (lab.call() if bot_leg else lab.call_app_bot("audiosocket"))
    if bot_leg:
        await call.bot.hush()
    transfer_id, located = await desk.transfer(call.lead_channel)
    leg = await desk.joined("alice", located, transfer_id)
    await desk.hears("alice", {"lead"})
    await desk.pbx.announce(transfer_id, located.lead, [sound, sound])
    await desk.hears("lead", {"alice", "bot"})
    await desk.hears("alice", {"lead", "bot"})
    await desk.saw(HandoffDone, located.lead, within_s=8)
    await desk.hears("lead", {"alice"})
    parties = {leg.id, located.lead} | ({located.bot} if located.bot else set())
    assert lab.switch.bridged(*parties)


async def test_an_announcement_stops_when_its_agent_leaves(desk: Desk, lab: Lab, sound: Path):
    call = await lab.call()
    await call.bot.hush()
    transfer_id, located = await desk.transfer(call.lead_channel)
    await desk.joined("alice", located, transfer_id)
    await desk.pbx.announce(transfer_id, located.lead, [sound, sound, sound])
    await desk.hears("lead", {"alice", "bot"})
    await lab.phone("alice").hang_up()
    await desk.hears("lead", set())
    await asyncio.sleep(0.3)
    assert not desk.has_seen(HandoffDone)


async def test_a_sound_that_is_not_there_ends_the_handoff_all_the_same(desk: Desk, lab: Lab):
    call = await lab.call()
    transfer_id, located = await desk.transfer(call.lead_channel)
    await desk.joined("alice", located, transfer_id)
    await desk.pbx.announce(transfer_id, located.lead, [Path("/nowhere/nothing.wav")])
    await desk.saw(HandoffDone, located.lead)
    with pytest.raises(PortError):
        await desk.pbx.announce(transfer_id, located.lead, [Path("/tmp/a&b,c.wav")])


async def test_a_whisper_is_for_the_agent_alone_and_a_star_plays_it_again(desk: Desk, lab: Lab, sound: Path):
    call = await lab.call()
    await call.bot.hush()
    transfer_id, located = await desk.transfer(call.lead_channel)
    leg = await desk.accepted("alice", located, transfer_id)
    await desk.pbx.brief(leg.id, sound)
    await desk.hears("alice", {"bot"})
    await desk.hears("lead", set())
    await asyncio.sleep(1.2)
    await lab.phone("alice").press("*")
    await asyncio.sleep(1.2)
    assert not desk.has_seen(e.LegBriefed), "two seconds of sound, begun again after one and a half"
    await desk.saw(e.LegBriefed, leg.id)
    await desk.is_at(leg.id, "callcontrol-leg", "briefed")
    await desk.pbx.join(located.lead, leg.id)
    await desk.saw(e.Joined, leg.id)
    await desk.variable_is(located.lead, "CALLCONTROL_CONNECTED", "1")


async def test_an_overdue_whisper_is_cut_short_by_the_join(desk: Desk, lab: Lab, sound: Path):
    transfer_id, located = await lead_alone(desk, lab)
    leg = await desk.accepted("alice", located, transfer_id)
    await desk.pbx.brief(leg.id, sound)
    await desk.hears("alice", {"bot"})
    await desk.pbx.join(located.lead, leg.id)
    await desk.saw(e.Joined, leg.id)
    await desk.hears("alice", {"lead"})
    assert await lab.pbx.variable(leg.id, "TIMEOUT(absolute)") in ("0", "0.000")


async def test_an_agent_on_a_joined_leg_can_be_told_goodbye(desk: Desk, lab: Lab):
    call = await lab.call()
    transfer_id, located = await desk.transfer(call.lead_channel)
    leg = await desk.joined("alice", located, transfer_id)
    await desk.pbx.hang_up(leg.id, Why.LEAD_HUNG_UP, answered=True)
    await desk.is_at(leg.id, "callcontrol-bye", "lead-gone")
    await desk.hears("lead", {"bot"})
    await desk.saw(e.LegEnded, leg.id, within_s=8)


async def test_a_handoff_the_agent_left_does_not_count_as_connected_nor_for_the_next_transfer(
    desk: Desk, lab: Lab
):
    call = await lab.call()
    first, located = await desk.transfer(call.lead_channel)
    leg = await desk.joined("alice", located, first)
    await lab.phone("alice").hang_up()
    await desk.saw(e.LegEnded, leg.id)
    desk.pbx.forget(first)
    await desk.variable_is(located.lead, "CALLCONTROL_TRANSFER", "")
    assert await lab.pbx.variable(located.lead, "CALLCONTROL_CONNECTED") == ""
    await lab.pbx.ami.action(
        "Setvar", Channel=located.lead, Variable="CALLCONTROL_CONNECTED", Value="1"
    )  # as an earlier transfer of the same call leaves it
    second, _ = await desk.transfer(call.lead_channel)
    await desk.variable_is(located.lead, "CALLCONTROL_TRANSFER", second)
    await desk.variable_is(located.lead, "CALLCONTROL_CONNECTED", "")
    await desk.hears("lead", {"bot"})
