"""Lamps, feature codes and messages: what agents' phones show, ask and are sent, against a scripted switch."""

import asyncio
from dataclasses import replace

import pytest

from callcontrol.adapters.freeswitch import FreeswitchPbx
from callcontrol.adapters.freeswitch.ledger import Ledger
from callcontrol.adapters.freeswitch.lines import Lines
from callcontrol.core.model import AgentId, AgentState, ChannelId, EndpointKind, LineState
from callcontrol.ports import AgentAsked, AgentWish, DoubtError, LinkDown, LinkUp, PortError, UnreachableError
from tests.adapters.freeswitch.scripted import QUICK, ScriptedFreeswitch, custom, event
from tests.adapters.phones import phone
from tests.adapters.reports import Daemon, until

ALICE = AgentId("alice")


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
    return list(
        Ledger(Lines(replace(QUICK, extension_dial="user/{address}-desk")).address_of).apply(told | headers)
    )


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
