"""Phones' states, lamps and feature codes: what is said, against a scripted switch."""

import asyncio
from dataclasses import replace

import pytest

from callcontrol.adapters.freeswitch import FreeswitchPbx
from callcontrol.adapters.freeswitch.ledger import Ledger
from callcontrol.adapters.freeswitch.lines import Lines, users
from callcontrol.core.model import AcceptBy, AgentId, AgentState, ChannelId, Endpoint, EndpointKind, LineState
from callcontrol.ports import AgentAsked, AgentWish, DoubtError, LinkDown, LinkUp, PortError, UnreachableError
from tests.adapters.freeswitch.scripted import QUICK, ScriptedFreeswitch, custom, event, rows, state
from tests.adapters.reports import Daemon, until

ALICE = AgentId("alice")
REGISTERED = {"Event-Name": "CUSTOM", "Event-Subclass": "sofia::register"}


def phone(address: str, kind: EndpointKind = EndpointKind.EXTENSION) -> Endpoint:
    return Endpoint(kind=kind, address=address, accept_by=AcceptBy.ANSWER)


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


# --- phones


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
    running = asyncio.create_task(
        pbx.run(lambda _: seen.append([pbx.line(phone(name)) for name in ("alice", "bob", "carol")]))
    )
    await until(lambda: seen)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
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


# --- lamps


async def lamp(freeswitch: ScriptedFreeswitch, count: int) -> tuple[str, str, str]:
    sent = await freeswitch.saw("sendevent", count)
    return sent.rest, sent.headers["from"], sent.headers["status"]


async def test_a_lamp_is_set_where_it_changes(freeswitch: ScriptedFreeswitch, daemon: Daemon):
    await daemon.saw(LinkUp)
    for shown in (AgentState.AVAILABLE, AgentState.AVAILABLE, AgentState.RESTING, AgentState.OFF_DUTY):
        await daemon.pbx.show(ALICE, shown)
    assert [await lamp(freeswitch, n) for n in (1, 2, 3)] == [
        ("PRESENCE_IN", "callcontrol-alice@pbx.example", "Available"),
        ("PRESENCE_IN", "callcontrol-alice@pbx.example", "hold"),
        ("PRESENCE_IN", "callcontrol-alice@pbx.example", "Busy"),
    ]
    assert freeswitch.names().count("sendevent") == 3


async def test_every_state_has_a_lamp(freeswitch: ScriptedFreeswitch, daemon: Daemon):
    await daemon.saw(LinkUp)
    for shown in AgentState:
        await daemon.pbx.show(ALICE, shown)
    assert freeswitch.names().count("sendevent") == len(AgentState)


async def test_a_phone_that_subscribes_later_is_told_and_nobody_elses_question_is_answered(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await daemon.saw(LinkUp)
    await daemon.pbx.show(ALICE, AgentState.RESTING)
    for asked in ("callcontrol-nobody@x", "alice@x", "callcontrol-@x", "", "callcontrol-alice@pbx.example"):
        await freeswitch.say(event("PRESENCE_PROBE", {"to": asked, "from": "1001@x"}))
    assert (await lamp(freeswitch, 2))[1:] == ("callcontrol-alice@pbx.example", "hold")
    await daemon.pbx.show(ALICE, AgentState.AVAILABLE)  # a round trip
    assert freeswitch.names().count("sendevent") == 3


async def test_a_restarted_switch_is_told_again_and_a_cut_link_is_not_enough(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await daemon.saw(LinkUp)
    await daemon.pbx.show(ALICE, AgentState.UNAVAILABLE)
    freeswitch.cut()
    await daemon.saw(LinkUp, 2)
    await daemon.pbx.show(ALICE, AgentState.UNAVAILABLE)
    assert freeswitch.names().count("sendevent") == 1
    freeswitch.started = "another start"
    freeswitch.cut()
    await daemon.saw(LinkUp, 3)
    await daemon.pbx.show(ALICE, AgentState.UNAVAILABLE)
    assert freeswitch.names().count("sendevent") == 2


async def test_a_lamp_that_could_not_be_set_is_set_the_next_time(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await daemon.saw(LinkUp)
    freeswitch.answers["sendevent"] = lambda _: "-ERR permission denied"
    with pytest.raises(PortError):
        await daemon.pbx.show(ALICE, AgentState.OFF_DUTY)
    del freeswitch.answers["sendevent"]
    await daemon.pbx.show(ALICE, AgentState.OFF_DUTY)
    assert freeswitch.names().count("sendevent") == 2


async def test_a_switch_without_a_domain_has_no_lamps_and_says_so(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await daemon.saw(LinkUp)
    freeswitch.answers["global_getvar"] = lambda _: ""
    with pytest.raises(PortError, match="set `domain`"):
        await daemon.pbx.show(ALICE, AgentState.AVAILABLE)


@pytest.mark.parametrize("agent", ["a@b", "a)=1", "", "a b", "a,b", "x" * 61, "ünal", "a\nb"])
async def test_an_id_that_no_extension_can_have_is_refused(agent: str):
    with pytest.raises(PortError, match="no lamp") as caught:
        await FreeswitchPbx(QUICK).show(AgentId(agent), AgentState.AVAILABLE)
    assert not caught.value.retryable


# --- codes


def asks(**headers: str) -> list[object]:
    told = {
        "Event-Name": "CUSTOM",
        "Event-Subclass": "callcontrol::agent",
        "Unique-ID": "1.1",
        "Caller-Caller-ID-Number": "bob",
        "variable_user_name": "alice-desk",
    }
    return list(Ledger(lines("user/{address}-desk").address_of).apply(told | headers))


def asked(wish: AgentWish, minutes: int = 0) -> list[object]:
    return [AgentAsked(channel=ChannelId("1.1"), address="alice", wish=wish, minutes=minutes)]


def test_a_code_is_a_wish_of_the_agent_whose_phone_the_switch_knows():
    assert asks(Wish="unavailable") == asked(AgentWish.UNAVAILABLE)
    assert asks(Wish="status", Minutes="20") == asked(AgentWish.STATUS)
    assert asks(Wish="rest", Minutes="480") == asked(AgentWish.REST, 480)


@pytest.mark.parametrize("minutes", ["", "0", "481", "9999999", "-5", "1.5", "ten"])
def test_a_rest_of_no_good_length_is_no_wish(minutes: str):
    assert asks(Wish="rest", Minutes=minutes) == []


def test_another_word_is_no_wish():
    assert asks(Wish="away") == []
    assert asks() == []


async def test_the_answer_goes_to_the_phone_that_asked(freeswitch: ScriptedFreeswitch, daemon: Daemon):
    await daemon.saw(LinkUp)
    await freeswitch.say(
        custom("callcontrol::agent", "1.1", {"Wish": "status", "variable_user_name": "alice"})
    )
    await daemon.saw(AgentAsked)
    await daemon.pbx.answer_agent(ChannelId("1.1"), AgentState.OFF_DUTY)
    assert (await freeswitch.saw("uuid_transfer")).rest == "1.1 say-off-duty XML callcontrol-agent"


# --- messages


async def registered(freeswitch: ScriptedFreeswitch, daemon: Daemon) -> None:
    await daemon.saw(LinkUp)
    where = {"username": "alice", "call-id": "c1", "profile-name": "internal", "from-host": "pbx.example"}
    await freeswitch.say(custom("sofia::register", "", where))
    await until(lambda: daemon.pbx.line(phone("alice")) is LineState.NOT_IN_USE)


async def test_a_message_is_sent_with_its_bytes_counted_so_that_nothing_in_it_is_an_order(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await registered(freeswitch, daemon)
    before = len(freeswitch.wire)
    body = "Missed: Lena ${system(id)} Grüße\n\napi system id\n\n"
    sending = asyncio.create_task(daemon.pbx.message(phone("alice"), body))
    head = (
        "sendevent SEND_MESSAGE\nprofile: internal\nuser: alice\nhost: pbx.example\n"
        f"content-type: text/plain;charset=UTF-8\ncontent-length: {len(body.encode())}\n\n"
    )
    await sending
    assert bytes(freeswitch.wire[before:]).decode() == head + body
    await daemon.pbx.show(ALICE, AgentState.AVAILABLE)
    assert "system" not in freeswitch.names()


async def test_a_phone_that_is_not_registered_or_a_text_too_long_is_refused(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await daemon.saw(LinkUp)
    with pytest.raises(UnreachableError, match="not registered"):
        await daemon.pbx.message(phone("alice"), "Hello")
    with pytest.raises(PortError, match="only a phone") as refused:
        await daemon.pbx.message(phone("+4930123456", EndpointKind.NUMBER), "Hello")
    assert not refused.value.retryable
    await registered(freeswitch, daemon)
    with pytest.raises(PortError, match="1200 bytes"):
        await daemon.pbx.message(phone("alice"), "ü" * 601)


async def test_a_message_that_nobody_has_confirmed_may_have_been_sent(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await registered(freeswitch, daemon)
    freeswitch.answers["sendevent"] = lambda _: None
    with pytest.raises(DoubtError, match="did not answer"):
        await daemon.pbx.message(phone("alice"), "Hello")
    sending = asyncio.create_task(daemon.pbx.message(phone("alice"), "Hello again"))
    await freeswitch.saw("sendevent", count=2)
    freeswitch.cut()
    with pytest.raises(DoubtError, match="link was lost"):
        await sending


async def test_a_message_that_never_left_or_was_refused_was_not_sent(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await registered(freeswitch, daemon)
    freeswitch.answers["sendevent"] = lambda _: "-ERR invalid event name"
    with pytest.raises(PortError, match="refused") as refused:
        await daemon.pbx.message(phone("alice"), "Hello")
    assert not isinstance(refused.value, DoubtError)
    freeswitch.answers["auth"] = lambda _: None
    freeswitch.cut()
    await daemon.saw(LinkDown)
    with pytest.raises(PortError, match="no link") as unlinked:
        await daemon.pbx.message(phone("alice"), "Hello")
    assert (unlinked.value.retryable, isinstance(unlinked.value, DoubtError)) == (True, False)
