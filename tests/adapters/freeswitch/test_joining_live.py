"""Joining and handing off on a real FreeSWITCH, by what each party hears."""

import asyncio
from pathlib import Path

import pytest

from callcontrol.core import events as e
from callcontrol.ports import PortError
from tests.adapters.asterisk.test_joining_live import (
    lead_alone,
    test_a_bot_behind_a_local_channel_is_released_like_any_other,
    test_a_held_lead_nobody_waits_for_is_let_go_when_the_transfer_is_forgotten,
    test_a_join_may_be_repeated,
    test_a_lead_in_no_bridge_is_brought_to_the_agent,
    test_a_missed_lead_goes_where_the_engineer_says,
    test_a_whisper_is_for_the_agent_alone_and_a_star_plays_it_again,
    test_after_the_handoff_an_agent_who_hangs_up_ends_such_a_call,
    test_an_agent_on_a_joined_leg_can_be_told_goodbye,
    test_an_agent_who_leaves_such_a_handoff_leaves_the_lead_on_hold_for_the_next,
    test_an_agent_who_leaves_the_handoff_leaves_lead_and_bot_alone,
    test_an_announcement_is_heard_by_both_and_ends_the_handoff,
    test_an_announcement_stops_when_its_agent_leaves,
    test_joining_a_lead_who_is_gone_is_refused,
    test_the_agent_joins_and_the_bot_leaves_whoever_had_called,
    test_when_the_lead_of_such_a_call_hangs_up_the_agents_leg_ends,
)
from tests.adapters.freeswitch.desk import FreeswitchDesk
from tests.lab import Lab

__all__ = [  # the same scenarios
    "test_a_bot_behind_a_local_channel_is_released_like_any_other",
    "test_a_held_lead_nobody_waits_for_is_let_go_when_the_transfer_is_forgotten",
    "test_a_join_may_be_repeated",
    "test_a_lead_in_no_bridge_is_brought_to_the_agent",
    "test_a_missed_lead_goes_where_the_engineer_says",
    "test_a_whisper_is_for_the_agent_alone_and_a_star_plays_it_again",
    "test_after_the_handoff_an_agent_who_hangs_up_ends_such_a_call",
    "test_an_agent_on_a_joined_leg_can_be_told_goodbye",
    "test_an_agent_who_leaves_such_a_handoff_leaves_the_lead_on_hold_for_the_next",
    "test_an_agent_who_leaves_the_handoff_leaves_lead_and_bot_alone",
    "test_an_announcement_is_heard_by_both_and_ends_the_handoff",
    "test_an_announcement_stops_when_its_agent_leaves",
    "test_joining_a_lead_who_is_gone_is_refused",
    "test_the_agent_joins_and_the_bot_leaves_whoever_had_called",
    "test_when_the_lead_of_such_a_call_hangs_up_the_agents_leg_ends",
]


@pytest.mark.parametrize("caller", ["lead", "bot"])
async def test_a_bot_that_hangs_up_itself_leaves_lead_and_agent_together(
    desk: FreeswitchDesk, lab: Lab, caller: str
):
    call = await lab.call(caller=caller)  # type: ignore[arg-type]
    transfer_id, located = await desk.transfer(call.lead_channel)
    leg = await desk.joined("alice", located, transfer_id)
    await desk.hears("alice", {"lead", "bot"})
    await call.bot.hang_up()
    await desk.saw(e.BotHungUp, located.bot)
    await desk.hears("lead", {"alice"})
    await desk.hears("alice", {"lead"})
    assert lab.switch.bridged(leg.id, call.lead_channel)
    await lab.phone("alice").hang_up()
    await desk.saw(e.LegEnded, leg.id)
    desk.pbx.forget(transfer_id)
    await desk.saw(e.LegEnded, leg.id)


async def test_a_bot_that_dies_while_agents_ring_leaves_the_lead_on_hold_for_them(
    desk: FreeswitchDesk, lab: Lab
):
    call = await lab.call()
    transfer_id, located = await desk.transfer(call.lead_channel)
    await desk.variable_is(located.lead, "CALLCONTROL_TRANSFER", transfer_id)
    await call.bot.hang_up()
    await desk.saw(e.BotHungUp, located.bot)
    await desk.is_at(located.lead, "callcontrol-lead", "hold")
    await desk.hears("lead", {"moh"})
    await desk.joined("alice", located, transfer_id)
    await desk.hears("lead", {"alice"})


async def test_a_bot_that_leaves_as_it_is_being_released_is_no_trouble(desk: FreeswitchDesk, lab: Lab):
    """It says that it has spoken, and hangs up: the two orders meet."""
    call = await lab.call()
    transfer_id, located = await desk.transfer(call.lead_channel)
    leg = await desk.joined("alice", located, transfer_id)
    await desk.hears("alice", {"lead", "bot"})
    assert located.bot is not None
    await asyncio.gather(call.bot.hang_up(), desk.pbx.release_bot(located.bot))
    await desk.saw(e.BotHungUp, located.bot)
    await desk.hears("lead", {"alice"})
    await desk.hears("alice", {"lead"})
    assert lab.switch.bridged(leg.id, call.lead_channel)


async def test_a_sound_that_is_not_there_is_refused(desk: FreeswitchDesk, lab: Lab):
    call = await lab.call()
    transfer_id, located = await desk.transfer(call.lead_channel)
    await desk.joined("alice", located, transfer_id)
    for missing in ("/nowhere/nothing.wav", "/tmp/a&b,c.wav"):
        with pytest.raises(PortError):
            await desk.pbx.announce(transfer_id, located.lead, [Path(missing)])
    await desk.hears("lead", {"alice", "bot"})


async def test_an_overdue_whisper_is_cut_short_by_the_join(desk: FreeswitchDesk, lab: Lab, sound: Path):
    transfer_id, located = await lead_alone(desk, lab)
    leg = await desk.accepted("alice", located, transfer_id)
    await desk.pbx.brief(leg.id, sound)
    await desk.hears("alice", {"bot"})
    await desk.pbx.join(located.lead, leg.id)
    await desk.saw(e.Joined, leg.id)
    await desk.hears("alice", {"lead"})
    tasks = await desk.esl.api("show tasks")
    assert leg.id not in tasks, "nothing takes it away later"


async def test_a_transfer_that_has_failed_leaves_lead_and_bot_as_they_were(desk: FreeswitchDesk, lab: Lab):
    call = await lab.call()
    transfer_id, located = await desk.transfer(call.lead_channel)
    leg = await desk.joined("alice", located, transfer_id)
    await lab.phone("alice").hang_up()
    await desk.saw(e.LegEnded, leg.id)
    desk.pbx.forget(transfer_id)
    await desk.variable_is(located.lead, "CALLCONTROL_TRANSFER", "")
    await desk.variable_is(located.lead, "transfer_after_bridge", "")
    assert await desk.variable(located.lead, "CALLCONTROL_CONNECTED") == ""
    await desk.hears("lead", {"bot"})
    await call.bot.hang_up()
    await lab.phone("lead").is_idle()
