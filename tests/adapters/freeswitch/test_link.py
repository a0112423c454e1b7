"""One ESL session against a peer that misbehaves."""

import asyncio
import gc
import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from callcontrol.adapters.freeswitch.frames import MAX_BODY, MAX_COMMAND, MAX_HEAD, Event
from callcontrol.adapters.freeswitch.ledger import EVENTS
from callcontrol.adapters.freeswitch.link import NUDGE_S, EslLink
from callcontrol.adapters.orders import LinkError, LoginError, RefusedError, SilenceError
from callcontrol.ports import PortError
from tests.adapters.freeswitch.scripted import QUICK, ScriptedFreeswitch, event, framed
from tests.adapters.reports import until


@pytest.fixture
def heard() -> list[Event]:
    return []


@pytest.fixture
async def link(freeswitch: ScriptedFreeswitch, heard: list[Event]) -> AsyncIterator[EslLink]:
    link = EslLink(replace(QUICK, port=freeswitch.port), heard.append)
    await link.open(EVENTS)
    yield link
    await link.close()


def ignore(_: Event) -> None:
    pass


# --- opening


async def test_a_login_that_is_refused_says_so(freeswitch: ScriptedFreeswitch):
    freeswitch.answers["auth"] = lambda _: "-ERR invalid"
    with pytest.raises(LoginError, match="-ERR invalid"):
        await EslLink(replace(QUICK, port=freeswitch.port), ignore).open(EVENTS)


async def test_a_user_of_the_directory_logs_in_with_the_name(freeswitch: ScriptedFreeswitch):
    link = EslLink(replace(QUICK, port=freeswitch.port, username="callcontrol@callcontrol"), ignore)
    await link.open(EVENTS)
    assert freeswitch.commands[0].rest == "callcontrol@callcontrol:s3cret"
    await link.close()


async def test_only_the_events_that_are_read_are_asked_for(freeswitch: ScriptedFreeswitch, link: EslLink):
    asked = (await freeswitch.saw("event")).rest.split()
    assert asked[0] == "json"
    assert set(asked) & {"ALL", "CHANNEL_STATE", "CHANNEL_EXECUTE", "HEARTBEAT", "API"} == set()
    assert len(asked) < 25


@pytest.mark.parametrize("greeting", [b"", b"Content-Type: auth/requ", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_a_peer_that_asks_for_no_password_is_given_up(freeswitch: ScriptedFreeswitch, greeting: bytes):
    freeswitch.greeting = greeting
    with pytest.raises(LinkError, match="does not answer"):
        await EslLink(replace(QUICK, port=freeswitch.port, connect_timeout_s=0.1), ignore).open(EVENTS)


async def test_a_peer_that_does_not_answer_the_login_is_given_up(freeswitch: ScriptedFreeswitch):
    freeswitch.answers["auth"] = lambda _: None
    with pytest.raises(LinkError, match="does not answer"):
        await EslLink(replace(QUICK, port=freeswitch.port, connect_timeout_s=0.1), ignore).open(EVENTS)


async def test_a_closed_port_is_no_link():
    with pytest.raises(LinkError, match="refused"):
        await EslLink(replace(QUICK, port=1), ignore).open(EVENTS)


async def test_a_peer_that_hangs_up_during_the_login_is_no_link(freeswitch: ScriptedFreeswitch):
    freeswitch.answers["auth"] = lambda _: freeswitch.cut()  # type: ignore[func-returns-value]
    with pytest.raises(LinkError):
        await EslLink(replace(QUICK, port=freeswitch.port), ignore).open(EVENTS)


async def test_a_peer_whose_list_of_allowed_addresses_has_us_not_says_so(freeswitch: ScriptedFreeswitch):
    freeswitch.greeting = framed(b"Access Denied, go away.\n", "text/rude-rejection")
    with pytest.raises(LinkError, match="Access Denied"):
        await EslLink(replace(QUICK, port=freeswitch.port), ignore).open(EVENTS)


# --- haste


async def test_a_switch_that_looks_for_events_now_and_then_is_nudged_while_somebody_waits(
    freeswitch: ScriptedFreeswitch,
):
    waiting = True
    link = EslLink(replace(QUICK, port=freeswitch.port), ignore, lambda: waiting)
    await link.open(EVENTS)
    await until(lambda: freeswitch.newlines > 10)
    assert await link.api("uuid_exists", "x") == "false", "orders are taken all the same"
    waiting = False
    await link.api("uuid_exists", "x")
    before = freeswitch.newlines
    await asyncio.sleep(10 * NUDGE_S)
    assert freeswitch.newlines <= before + 1, "one may have been under way"
    await link.close()


# --- what arrives


async def test_letters_split_over_two_packets_stay_whole(
    freeswitch: ScriptedFreeswitch, link: EslLink, heard: list[Event]
):
    data = event("CUSTOM", {"Caller-Caller-ID-Name": "Jürgen 🏡"})
    for n in range(len(data)):
        await freeswitch.say(data[n : n + 1])
        await asyncio.sleep(0)
    await until(lambda: heard)
    assert heard[0]["Caller-Caller-ID-Name"] == "Jürgen 🏡"


async def test_bytes_that_are_no_letters_lose_only_themselves(
    freeswitch: ScriptedFreeswitch, link: EslLink, heard: list[Event]
):
    await freeswitch.say(framed(b'{"Event-Name": "CUSTOM", "Name": "J\xfcrgen", "Key": "1"}'))
    await until(lambda: heard)
    assert heard == [{"Event-Name": "CUSTOM", "Name": "J\ufffdrgen", "Key": "1"}]
    await link.api("uptime")


async def test_a_newline_in_a_variable_forges_no_header(
    freeswitch: ScriptedFreeswitch, link: EslLink, heard: list[Event]
):
    forged = (
        "x\nEvent-Name: CHANNEL_HANGUP\nUnique-ID: victim\n\nContent-Type: command/reply\nReply-Text: +OK\n\n"
    )
    await freeswitch.say(event("CUSTOM", {"Unique-ID": "mine", "variable_name": forged}))
    await until(lambda: heard)
    assert heard == [{"Event-Name": "CUSTOM", "Unique-ID": "mine", "variable_name": forged}]


async def test_of_two_headers_of_a_frame_with_one_name_the_first_counts(
    freeswitch: ScriptedFreeswitch, link: EslLink, heard: list[Event]
):
    data = json.dumps({"Event-Name": "CUSTOM"}).encode()
    await freeswitch.say(
        f"Content-Length: {len(data)}\nContent-Type: text/event-json\nContent-Length: 9\n\n".encode() + data
    )
    await until(lambda: heard)


@pytest.mark.parametrize(
    "nonsense",
    [b"", b"[]", b"{}", b"null", b'{"Event-Name": 1}', b'{"Event-Name":', b"[" * 100_000, b"\xff\xfe", b"\0"],
    ids=lambda data: repr(data[:20]),
)
async def test_what_is_no_event_is_dropped_and_the_link_lives(
    freeswitch: ScriptedFreeswitch, link: EslLink, heard: list[Event], nonsense: bytes
):
    await freeswitch.say(framed(nonsense) + event("CUSTOM", Key="1"))
    await until(lambda: heard)
    assert heard == [{"Event-Name": "CUSTOM", "Key": "1"}]
    await link.api("uptime")


@pytest.mark.parametrize(
    "flood",
    [
        b"x" * (MAX_HEAD + 1),
        b"X: " + b"x" * (MAX_HEAD + 1) + b"\n\n",
        f"Content-Type: text/event-json\nContent-Length: {MAX_BODY + 1}\n\n".encode(),
        b"Content-Type: text/event-json\nContent-Length: -1\n\n",
        b"Content-Type: text/event-json\nContent-Length: 1e3\n\n",
        b"Content-Type: text/event-json\nContent-Length: \n\n",
        b"Content-Type: command/reply\nReply-Text: +OK\n\n",
        framed(b"Disconnected, goodbye.\n", "text/disconnect-notice"),
        framed(
            b"2026 [CRIT] mod_event_socket.c:392 Lost [17] events! Event Queue size: [0/100000]\n", "log/data"
        ),
    ],
    ids=[
        "a head without end",
        "a long line",
        "a body beyond all measure",
        "a negative length",
        "a length in another notation",
        "no length",
        "a reply to nothing",
        "a goodbye",
        "lost events",
    ],
)
async def test_what_can_not_be_trusted_ends_the_link(
    freeswitch: ScriptedFreeswitch, link: EslLink, flood: bytes
):
    await freeswitch.say(flood)
    async with asyncio.timeout(2):
        assert await link.lost
    with pytest.raises(LinkError):
        await link.api("uptime")


async def test_another_line_of_the_switchs_log_is_nothing_to_us(
    freeswitch: ScriptedFreeswitch, link: EslLink
):
    await freeswitch.say(framed(b"[CRIT] something Lost track of\n", "log/data"))
    await link.api("uptime")


async def test_an_end_in_the_middle_of_a_body_ends_the_link_at_once(
    freeswitch: ScriptedFreeswitch, link: EslLink
):
    spent = os.times()
    await freeswitch.say(b"Content-Type: text/event-json\nContent-Length: 1000\n\n{")
    for writer in freeswitch._writers:
        writer.close()
    async with asyncio.timeout(1):
        assert await link.lost == "the switch closed the connection"
    await asyncio.sleep(0.2)
    assert os.times().user - spent.user < 0.15, "nothing goes round and round"


async def test_a_bug_in_what_handles_an_event_does_not_end_the_link(freeswitch: ScriptedFreeswitch):
    def broken(_: Event) -> None:
        raise ZeroDivisionError

    link = EslLink(replace(QUICK, port=freeswitch.port), broken)
    await link.open(EVENTS)
    await freeswitch.say(event("CUSTOM") * 3)
    await link.api("uptime")
    await link.close()


async def test_events_and_replies_come_in_the_order_of_the_wire(
    freeswitch: ScriptedFreeswitch, link: EslLink, heard: list[Event]
):
    freeswitch.answers["uuid_exists"] = lambda command: command.rest
    asked = [asyncio.create_task(link.api("uuid_exists", str(n))) for n in range(200)]
    for n in range(200):
        await freeswitch.say(event("CUSTOM", Key=str(n)))
    assert await asyncio.gather(*asked) == [str(n) for n in range(200)]
    await until(lambda: len(heard) == 200)
    assert [told["Key"] for told in heard] == [str(n) for n in range(200)]


# --- what is sent


async def test_a_refusal_is_an_error_with_its_words(freeswitch: ScriptedFreeswitch, link: EslLink):
    freeswitch.answers["uuid_kill"] = lambda _: "-ERR No such channel!\n"
    freeswitch.answers["system"] = lambda _: "-ERR permission denied"
    freeswitch.answers["uuid_bridge"] = lambda _: "-USAGE: <uuid> <other_uuid>"
    for command, said in (("uuid_kill", "No such channel"), ("system", "denied"), ("uuid_bridge", "USAGE")):
        with pytest.raises(RefusedError, match=said):
            await link.api(command, "x")


async def test_a_job_is_given_the_id_we_chose(freeswitch: ScriptedFreeswitch, link: EslLink):
    await link.bgapi("job-1", "originate", "user/alice", "&park")
    sent = await freeswitch.saw("originate")
    assert (sent.kind, sent.rest, sent.headers) == ("bgapi", "user/alice &park", {"Job-UUID": "job-1"})


async def test_no_answer_within_its_time_is_an_error_and_a_late_one_harms_nobody(
    freeswitch: ScriptedFreeswitch, link: EslLink
):
    freeswitch.answers["uuid_kill"] = lambda _: None
    with pytest.raises(SilenceError):
        await link.api("uuid_kill", "x")
    freeswitch.answers["uuid_exists"] = lambda _: None
    asked = asyncio.create_task(link.api("uuid_exists", "y"))
    await freeswitch.saw("uuid_exists")
    await freeswitch.say(b"Content-Type: api/response\nContent-Length: 4\n\nlate")
    await freeswitch.say(b"Content-Type: api/response\nContent-Length: 4\n\ntrue")
    assert await asked == "true"


async def test_a_cut_fails_what_was_under_way_at_once_and_says_that_it_may_be_done(
    freeswitch: ScriptedFreeswitch, link: EslLink
):
    freeswitch.answers["originate"] = lambda _: None
    waiting = asyncio.create_task(link.bgapi("job", "originate", "x"))
    await freeswitch.saw("originate")
    freeswitch.cut()
    with pytest.raises(LinkError) as caught:
        await waiting
    assert caught.value.maybe_done
    with pytest.raises(LinkError) as caught:
        await link.api("uptime")
    assert not caught.value.maybe_done


async def test_a_cancelled_command_leaves_nothing_behind(freeswitch: ScriptedFreeswitch, link: EslLink):
    freeswitch.answers["uuid_kill"] = lambda _: None
    waiting = asyncio.create_task(link.api("uuid_kill", "x"))
    await freeswitch.saw("uuid_kill")
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert link._waiting == set()


async def test_a_long_command_arrives_whole(freeswitch: ScriptedFreeswitch, link: EslLink):
    longest = "x" * (MAX_COMMAND - len("echo "))
    await asyncio.gather(*(link.api("echo", longest) for _ in range(50)))
    assert freeswitch.names().count("echo") == 50
    assert {command.rest for command in freeswitch.commands if command.name == "echo"} == {longest}


async def test_a_peer_that_has_gone_silent_is_noticed(freeswitch: ScriptedFreeswitch):
    link = EslLink(replace(QUICK, port=freeswitch.port, ping_interval_s=0.05), ignore)
    await link.open(EVENTS)
    await freeswitch.saw("uptime", 2)
    freeswitch.answers["uptime"] = lambda _: None
    async with asyncio.timeout(1):
        assert await link.lost == "the switch did not answer a ping"
    await link.close()


@pytest.mark.parametrize(
    "word",
    [
        "x\n\napi system id",
        "x\nJob-UUID: y",
        "x\r",
        "x\0",
        "${system(id)}",
        "a${x",
        "\ud800",
        "ü" * MAX_COMMAND,
    ],
    ids=lambda word: repr(word[:20]),
)
async def test_what_could_be_more_than_one_command_or_is_expanded_is_not_sent(
    freeswitch: ScriptedFreeswitch, link: EslLink, word: str
):
    sent = len(freeswitch.wire)
    for order in (
        lambda: link.api("uuid_kill", word),
        lambda: link.bgapi("job", "originate", word),
        lambda: link.bgapi(word, "originate"),
        lambda: link.send_event("CUSTOM", {"Key": word}),
        lambda: link.send_event(word, {}),
    ):
        with pytest.raises(PortError) as caught:
            await order()
        assert not caught.value.retryable
    assert len(freeswitch.wire) == sent
    await link.api("uptime")


async def test_the_secret_is_in_no_repr():
    assert "s3cret" not in repr(QUICK)


async def test_a_hundred_sessions_leave_no_descriptor_and_no_thread(freeswitch: ScriptedFreeswitch):
    async def session() -> None:
        link = EslLink(replace(QUICK, port=freeswitch.port), ignore)
        await link.open(EVENTS)
        await link.close()
        await until(lambda: not freeswitch._writers)

    def held() -> tuple[int, int]:
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir())), len(list(Path("/proc/self/task").iterdir()))

    await session()
    before = held()
    for _ in range(100):
        await session()
    await until(lambda: held() <= before)
