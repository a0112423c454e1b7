"""Agents' phones on a real FreeSWITCH: what they are doing, what they show, and the codes they dial."""

import asyncio
import uuid

import pytest

from callcontrol.core.model import AgentId, AgentState, EndpointKind, LineState
from callcontrol.ports import AgentAsked, LinkDown, LinkUp
from tests.adapters.asterisk.test_phones_live import (
    line_is,
    phone,
    test_a_code_asks_for,
    test_a_phone_that_signs_off_is_unregistered_until_it_is_back,
    test_a_phone_we_ring_is_told_as_it_is,
    test_a_rest_of_no_good_length_is_asked_for_again,
    test_an_agent_on_another_call_is_in_use,
    test_the_phone_says_the_state,
    test_without_an_answer_the_phone_says_so_after_two_seconds,
)
from tests.adapters.freeswitch.desk import FreeswitchDesk
from tests.lab import Lab

__all__ = [  # the same scenarios
    "test_a_code_asks_for",
    "test_a_phone_that_signs_off_is_unregistered_until_it_is_back",
    "test_a_phone_we_ring_is_told_as_it_is",
    "test_a_rest_of_no_good_length_is_asked_for_again",
    "test_an_agent_on_another_call_is_in_use",
    "test_the_phone_says_the_state",
    "test_without_an_answer_the_phone_says_so_after_two_seconds",
]
RESTING_SHOWS = "held"  # with `presence-hold-state` of the profile at confirmed; else it blinks
ALICE = AgentId("alice")


async def test_every_phone_is_known_from_the_start(desk: FreeswitchDesk, lab: Lab):
    await line_is(desk, "alice", LineState.NOT_IN_USE)
    await line_is(desk, "bob", LineState.NOT_IN_USE)
    assert desk.pbx.line(phone("eve")) is LineState.UNREGISTERED
    assert desk.pbx.line(phone("p042")) is LineState.NOT_IN_USE, "dialled at an address"
    assert desk.pbx.line(phone("user/bob", EndpointKind.DIAL)) is LineState.NOT_IN_USE
    assert desk.pbx.line(phone("nobody")) is LineState.UNKNOWN
    assert desk.pbx.line(phone("+493023125001", EndpointKind.NUMBER)) is LineState.UNKNOWN


async def test_what_happened_behind_a_cut_link_is_known_when_it_is_back(desk: FreeswitchDesk, lab: Lab):
    call = await lab.phone("alice").dials("102")
    await line_is(desk, "alice", LineState.IN_USE)
    since = len(desk.reports)
    lab.switch.freeze()
    await desk.saw(LinkDown, within_s=6)
    lab.switch.thaw()
    await call.hang_up()
    await lab.phone("dave").unregister()
    await desk.saw(LinkUp, since=since)
    await line_is(desk, "alice", LineState.NOT_IN_USE)
    await line_is(desk, "bob", LineState.NOT_IN_USE)
    await line_is(desk, "dave", LineState.UNREGISTERED)


@pytest.mark.parametrize(
    ("state", "shows"),
    [
        (AgentState.AVAILABLE, "off"),
        (AgentState.UNAVAILABLE, "on"),
        (AgentState.OFF_DUTY, "on"),
        (AgentState.RESTING, RESTING_SHOWS),
    ],
)
async def test_a_lamp_shows(desk: FreeswitchDesk, lab: Lab, state: AgentState, shows: str):
    lamp = await lab.lamp("alice")
    await desk.pbx.show(ALICE, AgentState.AVAILABLE if shows != "off" else AgentState.UNAVAILABLE)
    await lamp.until("off" if shows != "off" else "on")
    await desk.pbx.show(ALICE, state)
    await lamp.until(shows)
    later = await lab.lamp("alice")
    await later.until(shows)


async def test_each_agent_has_a_lamp(desk: FreeswitchDesk, lab: Lab):
    ids = [AgentId(name) for name in ("anna-lena.b_2", "Xaver", "nina9", "x" * 60)]
    lamps = [await lab.lamp(name) for name in ids]
    for agent in ids:
        await desk.pbx.show(agent, AgentState.UNAVAILABLE)
    for lamp in lamps:
        await lamp.until("on")


async def test_only_the_own_agent_is_meant_whatever_the_caller_id_says(desk: FreeswitchDesk, lab: Lab):
    """The phone is the user that has proved who it is, and its dialplan may show what it likes."""
    asking = asyncio.create_task(lab.phone("alice").dials("*51"))
    asked = await desk.saw(AgentAsked)
    assert asked.address == "alice"
    assert await desk.variable(asked.channel, "user_name") == "alice"
    await asking


async def test_a_call_that_is_not_there_any_more_makes_no_phone_in_use_for_long(
    desk: FreeswitchDesk, lab: Lab
):
    """As where the switch tells of it after its end. Forged; of alice's own call it is told that it goes on."""
    call = await lab.phone("alice").dials("102")
    await line_is(desk, "alice", LineState.IN_USE)
    late = {"Unique-ID": str(uuid.uuid4()), "Channel-Call-State": "ACTIVE", "Channel-Presence-ID": "carol@x"}
    told = "".join(f"\n{name}: {value}" for name, value in late.items())
    await desk.esl.command(f"sendevent CHANNEL_CALLSTATE{told}")
    await line_is(desk, "carol", LineState.IN_USE)
    await line_is(desk, "carol", LineState.NOT_IN_USE)
    assert desk.pbx.line(phone("alice")) is LineState.IN_USE
    await call.hang_up()


async def test_a_restart_of_the_switch_leaves_the_truth(desk: FreeswitchDesk, lab: Lab):
    lamp = await lab.lamp("alice")
    await desk.pbx.show(ALICE, AgentState.UNAVAILABLE)
    await lamp.until("on")
    await lab.restart()
    await desk.saw(LinkUp, since=1, within_s=15)
    for name in ("alice", "bob", "carol", "dave"):
        await line_is(desk, name, LineState.NOT_IN_USE)
    again = await lab.lamp("alice")
    await desk.pbx.show(ALICE, AgentState.UNAVAILABLE)
    await again.until("on")
