"""What the phones are doing, as a scripted switch tells it."""

import asyncio
from dataclasses import replace

import pytest

from callcontrol.adapters.freeswitch import FreeswitchPbx
from callcontrol.adapters.freeswitch.lines import Lines, users
from callcontrol.core.model import Endpoint, EndpointKind, LineState
from callcontrol.ports import LinkUp
from tests.adapters.freeswitch.scripted import QUICK, ScriptedFreeswitch, rows, state
from tests.adapters.phones import phone
from tests.adapters.reports import Daemon, running, until

REGISTERED = {"Event-Name": "CUSTOM", "Event-Subclass": "sofia::register"}


def lines(extension_dial: str = "user/{address}", registered: str = "alice") -> Lines:
    known = Lines(replace(QUICK, extension_dial=extension_dial))
    known.begin([{"reg_user": registered, "token": "c1"}], [])
    return known


def call(callstate: str, channel: str = "1.1", *, inbound: bool = False) -> dict[str, str]:
    return {
        "Event-Name": "CHANNEL_CALLSTATE",
        "Unique-ID": channel,
        "Channel-Call-State": callstate,
        "Channel-Presence-ID": "alice@pbx.example",
        "Call-Direction": "inbound" if inbound else "outbound",
    }


@pytest.mark.parametrize(
    ("callstate", "inbound", "is_"),
    [
        ("RINGING", False, LineState.RINGING),
        ("EARLY", False, LineState.RINGING),
        ("RINGING", True, LineState.IN_USE),  # it dials
        ("ACTIVE", False, LineState.IN_USE),
        ("ACTIVE", True, LineState.IN_USE),
        ("HELD", False, LineState.IN_USE),
        ("UNHELD", False, LineState.IN_USE),
        ("HANGUP", False, LineState.NOT_IN_USE),
        ("DOWN", False, LineState.NOT_IN_USE),
    ],
)
def test_a_phone_is_as_its_call(callstate: str, inbound: bool, is_: LineState):
    known = lines()
    known.take(call(callstate, inbound=inbound))
    assert known.state(phone("alice")) is is_


def test_a_phone_with_several_calls_is_in_use_until_the_last_is_over():
    known = lines()
    for heard in (call("ACTIVE"), call("RINGING", "2.2"), call("HANGUP", "2.2")):
        known.take(heard)
        assert known.state(phone("alice")) is LineState.IN_USE
    known.take(call("HANGUP"))
    assert known.state(phone("alice")) is LineState.NOT_IN_USE


def test_a_user_is_registered_while_one_of_its_devices_is():
    known = lines()
    known.take({**REGISTERED, "from-user": "alice", "username": "alice", "call-id": "c2"})
    known.take({**REGISTERED, "Event-Subclass": "sofia::unregister", "from-user": "alice", "call-id": "c1"})
    assert known.state(phone("alice")) is LineState.NOT_IN_USE
    known.take({**REGISTERED, "Event-Subclass": "sofia::expire", "user": "alice", "call-id": "c2"})
    assert known.state(phone("alice")) is LineState.UNREGISTERED


@pytest.mark.parametrize(
    ("template", "user", "address"),
    [
        ("user/{address}", "alice", "alice"),
        ("user/{address}@pbx.example", "alice", "alice"),
        ("user/{address}-desk", "alice-desk", "alice"),
        ("sofia/internal/{address}%pbx.example", "alice", "alice"),
        ("user/{address}-desk", "bob", "bob"),
        ("sofia/gateway/pbx/{address}", "alice", "alice"),
    ],
)
def test_the_user_of_a_phone_follows_the_dial_template(template: str, user: str, address: str):
    assert lines(template).address_of(user) == address


@pytest.mark.parametrize(
    ("template", "endpoint"),
    [
        ("sofia/internal/{address}@10.0.0.1", phone("alice")),
        ("sofia/gateway/pbx/{address}", phone("alice")),
        ("user/{address}", phone("+4930123456", EndpointKind.NUMBER)),
        ("user/{address}", phone("sofia/internal/alice@10.0.0.1", EndpointKind.DIAL)),
    ],
)
def test_of_a_phone_that_is_not_dialled_where_it_registers_nothing_is_known(
    template: str, endpoint: Endpoint
):
    assert lines(template).state(endpoint) is LineState.UNKNOWN


def test_an_endpoint_that_names_a_user_is_that_users():
    assert lines().state(phone("user/alice@pbx.example", EndpointKind.DIAL)) is LineState.NOT_IN_USE
    assert lines().state(phone("sofia/internal/bob%pbx.example", EndpointKind.DIAL)) is LineState.UNREGISTERED


DIRECTORY = """
<domain name="pbx.example">
  <params><param value="{presence_id=x}sofia/internal/${dialed_user}%${dialed_domain}" name="dial-string"/></params>
  <user id="frank"/>
  <groups>
    <group name="desks"><users>
      <user id="alice" number-alias="101"/>
      <user id="wall"><params><param name="password" value="x"/>
        <param name="dial-string" value="sofia/internal/sip:wall@10.0.0.7"/></params></user>
    </users></group>
    <group name="sales"><params><param name="dial-string" value="sofia/gateway/branch/${dialed_user}"/></params><users>
      <user id="alice" type="pointer"/><user id="eve"/>
    </users></group>
  </groups>
</domain>
"""


def test_a_user_is_dialled_where_it_registers_unless_the_directory_says_otherwise():
    assert users(DIRECTORY) == {"frank": True, "alice": True, "wall": False, "eve": False}
    assert users("<domain name='x'><users><user id='bob'/></users></domain>") == {"bob": True}


@pytest.mark.parametrize(
    "said", ["can't find anything", "", "<domain>", "+OK", "<!DOCTYPE x SYSTEM 'file:///x'>"]
)
def test_a_directory_that_is_not_in_files_tells_nothing(said: str):
    assert users(said) is None


def test_of_a_phone_that_is_not_registered_the_directory_tells_more():
    known = lines()
    known.begin([], [], users(DIRECTORY))
    states = {name: known.state(phone(name)) for name in ("alice", "wall", "nobody")}
    assert states == {
        "alice": LineState.UNREGISTERED,
        "wall": LineState.NOT_IN_USE,  # it need not be
        "nobody": LineState.UNKNOWN,
    }


@pytest.mark.parametrize(
    ("settings", "domain"),
    [
        ({}, ""),
        ({"domain": "one.example"}, "one.example"),
        ({"extension_dial": "user/{address}@two.example"}, "two.example"),
        ({"extension_dial": "sofia/internal/{address}%two.example"}, "two.example"),
        ({"extension_dial": "sofia/internal/{address}@10.0.0.1"}, ""),
    ],
)
def test_the_phones_domain_is_that_of_the_settings(settings: dict[str, str], domain: str):
    assert Lines(replace(QUICK, **settings)).domain == domain


async def test_the_directory_of_the_switchs_own_domain_is_read(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    freeswitch.answers["xml_locate"] = lambda _: DIRECTORY
    await daemon.saw(LinkUp)
    assert (await freeswitch.saw("xml_locate")).rest == "directory domain name pbx.example"
    assert daemon.pbx.line(phone("wall")) is LineState.NOT_IN_USE


async def test_without_the_right_to_read_it_the_link_stands(freeswitch: ScriptedFreeswitch, daemon: Daemon):
    freeswitch.answers["xml_locate"] = lambda _: "-ERR permission denied"
    await daemon.saw(LinkUp)
    assert daemon.pbx.line(phone("wall")) is LineState.UNREGISTERED


def test_calls_of_nobody_are_not_kept():
    known = lines()
    known.take(call("ACTIVE") | {"Channel-Presence-ID": ""})
    for n in range(100):
        known.take(call("ACTIVE", str(n)))
        known.take(call("HANGUP", str(n)))
    assert not known._calls


def test_a_call_is_over_whatever_presence_it_ends_with():
    known = lines()
    known.take(call("ACTIVE"))
    known.take(call("HANGUP") | {"Channel-Presence-ID": "101@pbx.example"})
    assert known.state(phone("alice")) is LineState.NOT_IN_USE
    known.take(call("ACTIVE"))
    known.take(call("ACTIVE") | {"Channel-Presence-ID": "bob@pbx.example"})
    assert known.state(phone("alice")) is LineState.NOT_IN_USE
    known.take({"Event-Name": "CHANNEL_HANGUP", "Unique-ID": "1.1"})
    assert not known._calls


async def test_the_phones_are_known_when_the_link_is_up(freeswitch: ScriptedFreeswitch):
    freeswitch.channels |= {"1.1"}
    listed = {
        "registrations": rows({"reg_user": "alice", "token": "c1"}, {"reg_user": "bob", "token": "c2"}),
        "channels": rows(
            {"uuid": "1.1", "presence_id": "alice@x", "callstate": "ACTIVE", "direction": "outbound"}
        ),
        "bridged_calls": rows(),
    }
    freeswitch.answers["show"] = lambda command: listed[command.rest.split()[0]]
    pbx, seen = FreeswitchPbx(replace(QUICK, port=freeswitch.port)), []
    task = asyncio.create_task(
        pbx.run(lambda _: seen.append([pbx.line(phone(name)) for name in ("alice", "bob", "carol")]))
    )
    await until(lambda: seen)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert seen[0] == [LineState.IN_USE, LineState.NOT_IN_USE, LineState.UNREGISTERED]


async def test_a_change_is_known_as_it_comes_and_a_lost_link_leaves_the_last_state(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await daemon.saw(LinkUp)
    await freeswitch.say(state("1.1", "ACTIVE", Channel_Presence_ID="alice@x", Call_Direction="outbound"))
    await until(lambda: daemon.pbx.line(phone("alice")) is LineState.IN_USE)
    freeswitch.answers["auth"] = lambda _: None
    freeswitch.cut()
    await freeswitch.saw("auth", 2)
    assert daemon.pbx.line(phone("alice")) is LineState.IN_USE
    del freeswitch.answers["auth"]
    freeswitch.cut()
    await daemon.saw(LinkUp, 2)
    assert daemon.pbx.line(phone("alice")) is LineState.UNREGISTERED, "no longer listed"


def test_what_is_listed_again_holds_unless_an_event_has_told_otherwise_since():
    known = lines()
    known.take({**REGISTERED, "from-user": "bob", "call-id": "c2"})
    known.are_registered([{"reg_user": "carol", "token": "c3"}])
    there = {name: known.state(phone(name)) is LineState.NOT_IN_USE for name in ("alice", "bob", "carol")}
    assert there == {"alice": False, "bob": True, "carol": True}
    known.take({**REGISTERED, "Event-Subclass": "sofia::unregister", "from-user": "carol", "call-id": "c3"})
    known.are_registered([{"reg_user": "carol", "token": "c3"}])
    assert known.state(phone("carol")) is LineState.UNREGISTERED
    assert known.state(phone("bob")) is LineState.UNREGISTERED


def test_a_phone_is_known_by_whom_it_is_dialled_as_not_by_whose_password_it_knows():
    known = lines()
    known.take({**REGISTERED, "from-user": "bob", "username": "b0b-auth", "call-id": "c2"})
    assert known.state(phone("bob")) is LineState.NOT_IN_USE
    known.take(
        {**REGISTERED, "Event-Subclass": "sofia::expire", "user": "bob", "username": "bob", "call-id": "c2"}
    )
    assert known.state(phone("bob")) is LineState.UNREGISTERED


LOOKS = replace(QUICK, look_again_s=0.05, told_within_s=0.05)


async def test_a_call_that_is_told_of_after_its_end_keeps_no_phone_from_being_rung(
    freeswitch: ScriptedFreeswitch,
):
    """Several threads of the switch tell of one channel."""
    freeswitch.channels |= {"2.2"}
    async with running(FreeswitchPbx(replace(LOOKS, port=freeswitch.port))) as daemon:
        await daemon.saw(LinkUp)
        for channel, callstate in (("1.1", "HANGUP"), ("1.1", "ACTIVE"), ("2.2", "ACTIVE")):
            user = "alice@x" if channel == "1.1" else "bob@x"
            await freeswitch.say(state(channel, callstate, Channel_Presence_ID=user))
        await until(lambda: daemon.pbx.line(phone("alice")) is LineState.IN_USE)
        await until(lambda: daemon.pbx.line(phone("alice")) is not LineState.IN_USE)
        asked = freeswitch.names().count("uuid_exists")
        await freeswitch.saw("uuid_exists", asked + 4)
        assert daemon.pbx.line(phone("bob")) is LineState.IN_USE, "this one is there"


async def test_a_phone_that_registered_just_before_the_link_was_up_is_found_when_the_list_has_it(
    freeswitch: ScriptedFreeswitch,
):
    """The list is up to 200 ms behind, and the event was before our time."""
    async with running(FreeswitchPbx(replace(LOOKS, port=freeswitch.port))) as daemon:
        await daemon.saw(LinkUp)
        assert daemon.pbx.line(phone("alice")) is LineState.UNREGISTERED
        freeswitch.answers["show"] = lambda _: rows({"reg_user": "alice", "token": "c1"})
        await until(lambda: daemon.pbx.line(phone("alice")) is LineState.NOT_IN_USE)


async def test_a_switch_that_does_not_say_what_is_gone_ends_no_call_and_no_search(
    freeswitch: ScriptedFreeswitch,
):
    freeswitch.answers["uuid_exists"] = lambda _: "-ERR permission denied"
    async with running(FreeswitchPbx(replace(LOOKS, port=freeswitch.port))) as daemon:
        await daemon.saw(LinkUp)
        await freeswitch.say(state("1.1", "ACTIVE", Channel_Presence_ID="alice@x"))
        await freeswitch.saw("uuid_exists", 3)
        assert daemon.pbx.line(phone("alice")) is LineState.IN_USE
        del freeswitch.answers["uuid_exists"]
        await until(lambda: daemon.pbx.line(phone("alice")) is not LineState.IN_USE)
