"""Agents' phones on a real Asterisk: what they are doing, what they show, and the codes they dial."""

import asyncio
import time

import pytest

from callcontrol.core.model import AgentId, AgentState, EndpointKind, LineState
from callcontrol.ports import AgentAsked, AgentWish, ChannelUnknownError, LinkDown, LinkUp
from tests.adapters.asterisk.desk import Desk
from tests.adapters.phones import phone
from tests.lab import Lab, Ring
from tests.lab.ami import Message
from tests.lab.rendering import SOUNDS

ALICE = AgentId("alice")


async def line_is(desk: Desk, name: str, state: LineState) -> None:
    await desk.when(lambda: desk.pbx.line(phone(name)) is state)


# --- what they are doing


async def test_every_phone_is_known_from_the_start(desk: Desk, lab: Lab):
    assert desk.pbx.line(phone("alice")) is LineState.NOT_IN_USE
    assert desk.pbx.line(phone("eve")) is LineState.UNREGISTERED
    assert desk.pbx.line(phone("p042")) is LineState.NOT_IN_USE
    assert desk.pbx.line(phone("PJSIP/bob", EndpointKind.DIAL)) is LineState.NOT_IN_USE
    assert desk.pbx.line(phone("nobody")) is LineState.UNKNOWN
    assert desk.pbx.line(phone("+493023125001", EndpointKind.NUMBER)) is LineState.UNKNOWN


async def test_an_agent_on_another_call_is_in_use(desk: Desk, lab: Lab):
    await lab.phone("bob").will(Ring())
    calling = asyncio.create_task(lab.phone("alice").dials("102"))
    await line_is(desk, "bob", LineState.RINGING)
    await lab.phone("bob").answer()
    await line_is(desk, "bob", LineState.IN_USE)
    assert desk.pbx.line(phone("alice")) is LineState.IN_USE
    await (await calling).hang_up()
    await line_is(desk, "alice", LineState.NOT_IN_USE)
    await line_is(desk, "bob", LineState.NOT_IN_USE)


async def test_a_phone_that_signs_off_is_unregistered_until_it_is_back(desk: Desk, lab: Lab):
    await lab.phone("carol").unregister()
    await line_is(desk, "carol", LineState.UNREGISTERED)
    await lab.phone("carol").register()
    await line_is(desk, "carol", LineState.NOT_IN_USE)


async def test_a_phone_we_ring_is_told_as_it_is(desk: Desk, lab: Lab):
    await lab.phone("alice").will(Ring())
    await desk.ring("alice")
    await line_is(desk, "alice", LineState.RINGING)


async def test_what_happened_behind_a_cut_link_is_known_when_it_is_back(desk: Desk, lab: Lab):
    call = await lab.phone("alice").dials("102")
    await line_is(desk, "alice", LineState.IN_USE)
    since = len(desk.reports)
    lab.pbx.freeze()
    await desk.saw(LinkDown, within_s=6)
    lab.pbx.thaw()
    await call.hang_up()
    await lab.phone("dave").unregister()
    await desk.saw(LinkUp, since=since)
    await line_is(desk, "alice", LineState.NOT_IN_USE)
    await line_is(desk, "bob", LineState.NOT_IN_USE)
    await line_is(desk, "dave", LineState.UNREGISTERED)


async def test_a_restart_of_the_switch_leaves_the_truth(desk: Desk, lab: Lab):
    await lab.phone("alice").dials("102")
    await line_is(desk, "alice", LineState.IN_USE)
    await lab.pbx.restart()
    await desk.saw(LinkUp, since=1, within_s=5)
    since = time.monotonic()
    for name in ("alice", "bob", "carol", "dave"):
        await line_is(desk, name, LineState.NOT_IN_USE)
    print(f"phones known after a restart, s: {time.monotonic() - since:.2f}")
    assert time.monotonic() - since < 5, "Asterisk by itself takes up to a minute to ask them"
    assert desk.pbx.line(phone("eve")) is LineState.UNREGISTERED


async def test_a_change_is_known_within_milliseconds(desk: Desk, lab: Lab):
    """From the switch's own time stamp of the event until `line` says so."""
    told: list[float] = []  # by a connection of the lab's, sooner or later than ours

    def listen(message: Message) -> None:
        of_alice = message["Event"] == "DeviceStateChange" and message["Device"] == "PJSIP/alice"
        if of_alice and message["State"] != "NOT_INUSE":
            told.append(float(message["Timestamp"]))

    lab.pbx.ami.listeners.append(listen)
    took = []
    for _ in range(5):
        told.clear()
        before = desk.pbx.line(phone("alice"))
        calling = asyncio.create_task(lab.phone("alice").dials("102"))
        while desk.pbx.line(phone("alice")) is before:
            await asyncio.sleep(0)
        known_at = time.time()
        call = await calling
        await lab.wait_until(lambda: told, what="the lab's own connection to be told")
        took.append(1000 * (known_at - told[0]))
        await call.hang_up()
        await line_is(desk, "alice", LineState.NOT_IN_USE)
    lab.pbx.ami.listeners.remove(listen)
    print(f"event to line, ms: {[round(ms, 1) for ms in took]}")
    assert sorted(took)[2] < 500, "told, not looked for"


# --- lamps


@pytest.mark.parametrize(
    ("state", "shows", "device"),
    [
        (AgentState.AVAILABLE, "off", "NOT_INUSE"),
        (AgentState.UNAVAILABLE, "on", "INUSE"),
        (AgentState.OFF_DUTY, "on", "BUSY"),
        (AgentState.RESTING, "held", "ONHOLD"),
    ],
)
async def test_a_lamp_shows(desk: Desk, lab: Lab, state: AgentState, shows: str, device: str):
    lamp = await lab.lamp("alice")
    await desk.pbx.show(ALICE, AgentState.AVAILABLE if shows != "off" else AgentState.UNAVAILABLE)
    await lamp.until("off" if shows != "off" else "on")
    await desk.pbx.show(ALICE, state)
    await lamp.until(shows)
    assert await lab.pbx.variable_global("DEVICE_STATE(Custom:callcontrol-alice)") == device


async def test_each_agent_has_a_lamp_whatever_the_id(desk: Desk, lab: Lab):
    ids = [AgentId(name) for name in ("anna-lena.b_2", "Xaver", "nina9", "x" * 60)]
    lamps = [await lab.lamp(name) for name in ids]
    for agent in ids:
        await desk.pbx.show(agent, AgentState.RESTING)
    for lamp in lamps:
        await lamp.until("held")


async def test_a_lamp_outlives_a_reload_and_a_restart(desk: Desk, lab: Lab):
    lamp = await lab.lamp("alice")
    await desk.pbx.show(ALICE, AgentState.RESTING)
    await lamp.until("held")
    await lab.pbx.cli("dialplan reload")
    await desk.pbx.show(ALICE, AgentState.UNAVAILABLE)
    await lamp.until("on")
    await lab.pbx.restart()
    await desk.saw(LinkUp, since=1, within_s=5)
    again = await lab.lamp("alice")
    assert again.shows == "on", "the switch keeps it"
    await lab.pbx.set_global("DEVICE_STATE(Custom:callcontrol-alice)", "NOT_INUSE")  # or does not
    await desk.pbx.show(ALICE, AgentState.UNAVAILABLE)
    await again.until("on")


# --- codes


@pytest.mark.parametrize(
    ("code", "wish", "minutes"),
    [
        ("*50", AgentWish.AVAILABLE, 0),
        ("*51", AgentWish.UNAVAILABLE, 0),
        ("*52", AgentWish.STATUS, 0),
        ("*5330", AgentWish.REST, 30),
        ("*531", AgentWish.REST, 1),
        ("*53480", AgentWish.REST, 480),
    ],
)
async def test_a_code_asks_for(desk: Desk, lab: Lab, code: str, wish: AgentWish, minutes: int):
    await lab.phone("alice").dials(code)
    asked = await desk.saw(AgentAsked)
    assert (asked.address, asked.wish, asked.minutes) == ("alice", wish, minutes)


async def test_a_phone_that_hung_up_can_not_be_answered(desk: Desk, lab: Lab):
    await lab.phone("alice").dials("*52")
    asked = await desk.saw(AgentAsked)
    await lab.phone("alice").hang_up()

    async def gone() -> bool:
        return not await lab.pbx.channels()

    await lab.wait_until(gone)
    with pytest.raises(ChannelUnknownError):
        await desk.pbx.answer_agent(asked.channel, AgentState.AVAILABLE)


@pytest.mark.parametrize("state", list(AgentState))
async def test_the_phone_says_the_state(desk: Desk, lab: Lab, state: AgentState):
    await lab.phone("bob").dials("*52")
    asked = await desk.saw(AgentAsked)
    await desk.pbx.answer_agent(asked.channel, state)
    await lab.phone("bob").is_idle()
    assert lab.heard_prompt("bob", SOUNDS / f"agent-{state.value.replace('_', '-')}.ulaw")
    assert not lab.heard_prompt("bob", SOUNDS / "agent-unanswered.ulaw")


async def test_without_an_answer_the_phone_says_so_after_two_seconds(desk: Desk, lab: Lab):
    leg = await lab.phone("alice").dials("*50")
    await lab.phone("alice").is_idle()
    said_at = lab.heard_prompt("alice", SOUNDS / "agent-unanswered.ulaw")
    assert said_at is not None
    assert 1.8 < said_at - (leg.leg.talking_at or 0) < 3


@pytest.mark.parametrize("code", ["*53", "*530", "*53481", "*53000", "*539999", "*53abc"])
async def test_a_rest_of_no_good_length_is_asked_for_again(desk: Desk, lab: Lab, code: str):
    await lab.phone("alice").dials(code)
    await lab.wait_until(lambda: lab.heard_prompt("alice", SOUNDS / "agent-minutes.ulaw"))
    assert not lab.user_events("CallcontrolAgent")


async def test_only_the_own_agent_is_meant_whatever_the_caller_id_says(desk: Desk, lab: Lab):
    lines = (("Set", "CALLERID(all)=bob <bob>"), ("Goto", "callcontrol-codes,*51,1"))
    for priority, (app, data) in enumerate(lines, start=1):
        await lab.pbx.ami.action(
            "DialplanExtensionAdd",
            Context="agents",
            Extension="pretend",
            Priority=str(priority),
            Application=app,
            ApplicationData=data,
            Replace="yes",
        )
    await lab.phone("alice").dials("pretend")
    assert (await desk.saw(AgentAsked)).address == "alice"
    shown = await lab.wait_until(lambda: lab.user_events("CallcontrolAgent"))
    assert shown[0]["CallerIDNum"] == "bob"


async def test_a_code_ends_by_itself(desk: Desk, lab: Lab):
    """Its own deadline holds where a prompt would not end."""
    start = time.monotonic()
    await lab.phone("alice").dials("*52")
    asked = await desk.saw(AgentAsked)
    await lab.pbx.ami.action(
        "Redirect", Channel=asked.channel, Context="lab-hold", Exten="wait", Priority="1"
    )
    await lab.phone("alice").is_idle(20)
    assert 13 < time.monotonic() - start < 17
