"""Phones' states, lamps and feature codes: what is said, against a scripted switch."""

import asyncio
from dataclasses import replace

import pytest

from callcontrol.adapters.asterisk import AsteriskPbx
from callcontrol.adapters.asterisk.ledger import Ledger
from callcontrol.adapters.asterisk.lines import Lines
from callcontrol.core.model import AgentId, AgentState, ChannelId, Endpoint, EndpointKind, LineState
from callcontrol.ports import AgentAsked, AgentWish, LinkUp, PortError
from tests.adapters.asterisk.scripted import QUICK, Answer, ScriptedAsterisk, frame, refused, rows
from tests.adapters.phones import phone
from tests.adapters.reports import Daemon, until

ALICE = AgentId("alice")


def change(device: str, state: str) -> str:
    return frame("Event: DeviceStateChange", f"Device: {device}", f"State: {state}")


def devices(**states: str) -> Answer:
    items = [
        f"Event: DeviceStateChange\r\nDevice: PJSIP/{name}\r\nState: {state}"
        for name, state in states.items()
    ]
    return lambda action: rows(action, "DeviceStateListComplete", *items)


def lines(extension_dial: str = "PJSIP/{address}") -> Lines:
    return Lines(replace(QUICK, extension_dial=extension_dial))


def says(device: str, state: str = "INUSE") -> dict[str, str]:
    return {"Event": "DeviceStateChange", "Device": device, "State": state}


# --- phones


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("NOT_INUSE", LineState.NOT_IN_USE),
        ("RINGING", LineState.RINGING),
        ("INUSE", LineState.IN_USE),
        ("BUSY", LineState.IN_USE),
        ("ONHOLD", LineState.IN_USE),
        ("RINGINUSE", LineState.IN_USE),
        ("UNAVAILABLE", LineState.UNREGISTERED),
        ("INVALID", LineState.UNREGISTERED),
        ("UNKNOWN", LineState.UNKNOWN),
        ("of a later version", LineState.UNKNOWN),
    ],
)
def test_a_device_state_means(said: str, state: LineState):
    known = lines()
    known.take(says("PJSIP/alice", said))
    assert known.state(phone("alice")) is state


@pytest.mark.parametrize(
    ("template", "device", "endpoint"),
    [
        ("PJSIP/{address}", "PJSIP/alice", phone("alice")),
        ("PJSIP/{address}-desk", "PJSIP/alice-desk", phone("alice")),
        ("PJSIP/{address}/sip:{address}@10.0.0.1", "PJSIP/alice", phone("alice")),
        ("SIP/{address}", "SIP/alice", phone("alice")),
        ("SIP/{address}", "PJSIP/alice", phone("PJSIP/alice", EndpointKind.DIAL)),
        ("Local/{address}@agents/n", "PJSIP/alice", phone("PJSIP/alice", EndpointKind.DIAL)),
    ],
)
def test_the_device_of_a_phone_follows_the_dial_template(template: str, device: str, endpoint: Endpoint):
    known = lines(template)
    known.take(says(device))
    assert known.state(endpoint) is LineState.IN_USE


@pytest.mark.parametrize(
    ("template", "endpoint"),
    [
        ("PJSIP/{address}", phone("nobody")),
        ("PJSIP/{address}", phone("+4930123456", EndpointKind.NUMBER)),
        ("PJSIP/{address}", phone("PJSIP/+4930123456@alice", EndpointKind.DIAL)),
        ("PJSIP/{address}", phone("Local/alice@agents/n", EndpointKind.DIAL)),
        ("PJSIP/{address}@alice", phone("alice")),
        ("Local/{address}@agents/n", phone("alice")),
    ],
)
def test_of_anything_else_nothing_is_known(template: str, endpoint: Endpoint):
    known = lines(template)
    for device in ("PJSIP/alice", "Local/alice@agents", "PJSIP/+4930123456"):
        known.take(says(device))
    assert known.state(endpoint) is LineState.UNKNOWN


def test_what_is_no_phone_is_not_kept():
    known = lines()
    for device in ("Queue:sales_avail", "Custom:callcontrol-alice", "confbridge:1", "Local/1@x", ""):
        known.take(says(device))
    assert not known._states


@pytest.mark.parametrize(
    ("template", "device", "address"),
    [
        ("PJSIP/{address}", "PJSIP/alice", "alice"),
        ("PJSIP/{address}-desk", "PJSIP/alice-desk", "alice"),
        ("PJSIP/{address}-desk", "PJSIP/-desk", "-desk"),
        ("PJSIP/{address}-desk", "PJSIP/bob", "bob"),
        ("Local/{address}@agents/n", "PJSIP/alice", "alice"),
    ],
)
def test_the_extension_of_a_phone_follows_the_dial_template(template: str, device: str, address: str):
    assert lines(template).address_of(device) == address


async def test_the_phones_are_known_when_the_link_is_up(asterisk: ScriptedAsterisk):
    asterisk.answers["DeviceStateList"] = devices(alice="INUSE", bob="UNAVAILABLE")
    pbx, seen = AsteriskPbx(replace(QUICK, port=asterisk.port)), []
    running = asyncio.create_task(
        pbx.run(lambda _: seen.append((pbx.line(phone("alice")), pbx.line(phone("bob")))))
    )
    await until(lambda: seen)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert seen[0] == (LineState.IN_USE, LineState.UNREGISTERED)


async def test_a_change_is_known_as_it_comes(asterisk: ScriptedAsterisk, daemon: Daemon):
    await daemon.saw(LinkUp)
    assert daemon.pbx.line(phone("alice")) is LineState.UNKNOWN
    await asterisk.say(change("PJSIP/alice", "RINGING"))
    await until(lambda: daemon.pbx.line(phone("alice")) is LineState.RINGING)


async def test_a_lost_link_leaves_the_last_state_and_the_next_link_the_true_one(
    asterisk: ScriptedAsterisk, daemon: Daemon
):
    asterisk.answers["DeviceStateList"] = devices(alice="NOT_INUSE", bob="NOT_INUSE", carol="NOT_INUSE")
    await daemon.saw(LinkUp)
    asterisk.answers["CoreStatus"] = lambda _: None  # the next session does not get far
    asterisk.answers["DeviceStateList"] = lambda _: None
    asterisk.cut()
    await asterisk.saw("DeviceStateList", 2)
    assert daemon.pbx.line(phone("alice")) is LineState.NOT_IN_USE
    del asterisk.answers["CoreStatus"]
    asterisk.answers["DeviceStateList"] = devices(alice="INUSE", bob="NOT_INUSE")
    await daemon.saw(LinkUp, 2)
    assert daemon.pbx.line(phone("alice")) is LineState.IN_USE
    assert daemon.pbx.line(phone("bob")) is LineState.NOT_IN_USE
    assert daemon.pbx.line(phone("carol")) is LineState.UNKNOWN, "no longer listed"


async def test_what_changes_while_the_phones_are_listed_counts(asterisk: ScriptedAsterisk, daemon: Daemon):
    listed = devices(alice="NOT_INUSE")
    asterisk.answers["DeviceStateList"] = lambda action: (
        (listed(action) or "") + change("PJSIP/alice", "INUSE")
    )
    await daemon.saw(LinkUp)
    await until(lambda: daemon.pbx.line(phone("alice")) is LineState.IN_USE)


async def test_a_switch_that_can_not_list_them_is_used_all_the_same(
    asterisk: ScriptedAsterisk, daemon: Daemon
):
    asterisk.answers["DeviceStateList"] = lambda action: refused(action, "Invalid/unknown command")
    await daemon.saw(LinkUp)
    await asterisk.say(change("PJSIP/alice", "INUSE"))
    await until(lambda: daemon.pbx.line(phone("alice")) is LineState.IN_USE)


async def test_the_phones_of_a_started_switch_are_asked_whether_they_are_there(
    asterisk: ScriptedAsterisk, daemon: Daemon
):
    asterisk.answers["DeviceStateList"] = devices(alice="UNAVAILABLE", bob="NOT_INUSE", carol="INVALID")
    asterisk.answers["PJSIPQualify"] = lambda action: refused(action, "Unable to retrieve endpoint")
    await asterisk.saw("PJSIPQualify", 4)
    await until(lambda: daemon.pbx._supervisor._looked_after)
    asterisk.cut()  # no start
    await daemon.saw(LinkUp, 2)
    asterisk.started = "11:00:00"
    asterisk.cut()
    await asterisk.saw("PJSIPQualify", 8)
    asked = [action["Endpoint"] for action in asterisk.actions if action["Action"] == "PJSIPQualify"]
    assert asked == ["alice", "carol"] * 4


async def test_phones_that_a_starting_switch_has_not_loaded_yet_are_found_later(
    asterisk: ScriptedAsterisk, daemon: Daemon
):
    asterisk.answers["DeviceStateList"] = lambda action: refused(action, "Invalid/unknown command")
    await daemon.saw(LinkUp)
    await asterisk.saw("DeviceStateList", 2)
    asterisk.answers["DeviceStateList"] = devices(alice="NOT_INUSE")
    await until(lambda: daemon.pbx.line(phone("alice")) is LineState.NOT_IN_USE)


# --- lamps


async def lamp(asterisk: ScriptedAsterisk, count: int) -> tuple[str, str]:
    action = await asterisk.saw("Setvar", count)
    return action["Variable"], action["Value"]


async def test_a_lamp_is_set_where_it_changes(asterisk: ScriptedAsterisk, daemon: Daemon):
    await daemon.saw(LinkUp)
    for state in (AgentState.AVAILABLE, AgentState.AVAILABLE, AgentState.RESTING, AgentState.AVAILABLE):
        await daemon.pbx.show(ALICE, state)
    assert [await lamp(asterisk, n) for n in (1, 2, 3)] == [
        ("DEVICE_STATE(Custom:callcontrol-alice)", "NOT_INUSE"),
        ("DEVICE_STATE(Custom:callcontrol-alice)", "ONHOLD"),
        ("DEVICE_STATE(Custom:callcontrol-alice)", "NOT_INUSE"),
    ]
    assert asterisk.names().count("Setvar") == 3


async def test_a_restarted_switch_is_told_again_and_a_cut_link_is_not_enough(
    asterisk: ScriptedAsterisk, daemon: Daemon
):
    await daemon.saw(LinkUp)
    await daemon.pbx.show(ALICE, AgentState.UNAVAILABLE)
    asterisk.cut()
    await daemon.saw(LinkUp, 2)
    await daemon.pbx.show(ALICE, AgentState.UNAVAILABLE)
    assert asterisk.names().count("Setvar") == 1
    asterisk.started = "11:00:00"
    asterisk.cut()
    await daemon.saw(LinkUp, 3)
    await daemon.pbx.show(ALICE, AgentState.UNAVAILABLE)
    assert asterisk.names().count("Setvar") == 2


async def test_a_lamp_that_could_not_be_set_is_set_the_next_time(asterisk: ScriptedAsterisk, daemon: Daemon):
    await daemon.saw(LinkUp)
    asterisk.answers["Setvar"] = lambda action: refused(action, "Variable not set")
    with pytest.raises(PortError):
        await daemon.pbx.show(ALICE, AgentState.OFF_DUTY)
    del asterisk.answers["Setvar"]
    await daemon.pbx.show(ALICE, AgentState.OFF_DUTY)
    assert (await lamp(asterisk, 2))[1] == "BUSY"


@pytest.mark.parametrize("agent", ["a@b", "a)=1", "", "a b", "a,b", "x" * 61, "ünal"])
async def test_an_id_that_no_device_can_have_is_refused(agent: str):
    with pytest.raises(PortError, match="no lamp") as caught:
        await AsteriskPbx(QUICK).show(AgentId(agent), AgentState.AVAILABLE)
    assert not caught.value.retryable


# --- codes


def asks(**fields: str) -> list[object]:
    event = {
        "Event": "UserEvent",
        "UserEvent": "CallcontrolAgent",
        "Channel": "PJSIP/alice-desk-00000001",
        "Uniqueid": "1.1",
        "Address": "alice-desk",
    }
    ledger = Ledger(lines("PJSIP/{address}-desk").address_of)
    return list(ledger.apply(event | fields))


def asked(wish: AgentWish, minutes: int = 0) -> list[object]:
    return [AgentAsked(channel=ChannelId("1.1"), address="alice", wish=wish, minutes=minutes)]


def test_a_code_is_a_wish_of_the_agent_at_that_phone():
    assert asks(Wish="unavailable") == asked(AgentWish.UNAVAILABLE)
    assert asks(Wish="status", Minutes="20") == asked(AgentWish.STATUS)
    assert asks(Wish="rest", Minutes="480") == asked(AgentWish.REST, 480)


@pytest.mark.parametrize("minutes", ["", "0", "481", "9999999", "-5", "1.5", "ten"])
def test_a_rest_of_no_good_length_is_no_wish(minutes: str):
    assert asks(Wish="rest", Minutes=minutes) == []


def test_another_word_is_no_wish():
    assert asks(Wish="away") == []
    assert asks() == []


async def test_the_answer_goes_to_the_phone_that_asked(asterisk: ScriptedAsterisk, daemon: Daemon):
    await daemon.saw(LinkUp)
    lines = ("Channel: PJSIP/alice-00000001", "Uniqueid: 1.1", "Address: alice", "Wish: available")
    await asterisk.say(frame("Event: UserEvent", "UserEvent: CallcontrolAgent", *lines))
    await daemon.saw(AgentAsked)
    await daemon.pbx.answer_agent(ChannelId("1.1"), AgentState.OFF_DUTY)
    told = await asterisk.saw("Setvar")
    assert (told["Channel"], told["Variable"], told["Value"]) == (
        "PJSIP/alice-00000001",
        "CALLCONTROL_STATE",
        "off_duty",
    )
