"""One AMI session against a peer that misbehaves."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from callcontrol.adapters.asterisk.frames import MAX_FRAME, MAX_LINE, Frame
from callcontrol.adapters.asterisk.ledger import EVENTS
from callcontrol.adapters.asterisk.link import AmiLink
from callcontrol.adapters.orders import LinkError, LoginError, RefusedError, SilenceError
from callcontrol.ports import PortError
from tests.adapters.asterisk.scripted import QUICK, ScriptedAsterisk, frame, refused, rows, scripted, success
from tests.adapters.reports import until


@pytest.fixture
def heard() -> list[Frame]:
    return []


@pytest.fixture
async def link(asterisk: ScriptedAsterisk, heard: list[Frame]) -> AsyncIterator[AmiLink]:
    link = AmiLink(replace(QUICK, port=asterisk.port), heard.append, EVENTS)
    await link.open()
    yield link
    await link.close()


# --- opening


async def test_a_login_that_is_refused_says_so(asterisk: ScriptedAsterisk):
    asterisk.answers["Login"] = lambda action: refused(action, "Authentication failed")
    with pytest.raises(LoginError, match="Authentication failed"):
        await AmiLink(replace(QUICK, port=asterisk.port), print, EVENTS).open()


async def test_a_peer_that_says_nothing_is_given_up(asterisk: ScriptedAsterisk):
    asterisk.answers["Login"] = lambda _: None
    with pytest.raises(LinkError, match="did not answer the login"):
        await AmiLink(replace(QUICK, port=asterisk.port, connect_timeout_s=0.1), print, EVENTS).open()


async def test_a_closed_port_is_no_link():
    with pytest.raises(LinkError):
        await AmiLink(replace(QUICK, port=1), print, EVENTS).open()


async def test_a_peer_that_hangs_up_during_the_login_is_no_link(asterisk: ScriptedAsterisk):
    asterisk.answers["Login"] = lambda _: asterisk.cut()  # type: ignore[func-returns-value]
    with pytest.raises(LinkError):
        await AmiLink(replace(QUICK, port=asterisk.port), print, EVENTS).open()


async def test_a_peer_that_is_no_asterisk_is_no_link():
    async def http(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server = await asyncio.start_server(http, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(LinkError, match="greet"):
        await AmiLink(replace(QUICK, port=port), print, EVENTS).open()
    server.close()


async def test_the_link_may_be_encrypted_and_then_the_peer_must_prove_who_it_is(tmp_path: Path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    asked = (
        "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    command = ["openssl", *asked.split(), "-keyout", str(key), "-out", str(certificate)]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(certificate, key)
    async with scripted(theirs) as asterisk:
        ours = ssl.create_default_context(cafile=str(certificate))
        link = AmiLink(replace(QUICK, port=asterisk.port, tls=ours), print, EVENTS)
        await link.open()
        await link.action("Ping")
        await link.close()
        strangers = replace(QUICK, port=asterisk.port, tls=ssl.create_default_context())
        with pytest.raises(LinkError, match="certificate"):
            await AmiLink(strangers, print, EVENTS).open()


# --- what arrives


async def test_letters_split_over_two_packets_stay_whole(
    asterisk: ScriptedAsterisk, link: AmiLink, heard: list[Frame]
):
    data = frame("Event: Hangup", "CallerIDName: Jürgen 🏡").encode()
    for n in range(len(data)):
        await asterisk.say(data[n : n + 1])
        await asyncio.sleep(0)
    await until(lambda: heard)
    assert heard[0]["CallerIDName"] == "Jürgen 🏡"


async def test_bytes_that_are_no_letters_lose_only_themselves(
    asterisk: ScriptedAsterisk, link: AmiLink, heard: list[Frame]
):
    await asterisk.say(b"Event: Hangup\r\nCallerIDName: J\xfcrgen\r\nCause: 16\r\n\r\n")
    await until(lambda: heard)
    assert heard == [{"Event": "Hangup", "CallerIDName": "J\ufffdrgen", "Cause": "16"}]


async def test_of_two_headers_with_one_name_the_first_counts(
    asterisk: ScriptedAsterisk, link: AmiLink, heard: list[Frame]
):
    await asterisk.say(
        frame("Event: UserEvent", "Uniqueid: 1.1", "Uniqueid: 2.2", "Event: Hangup", "Response: x")
    )
    await until(lambda: heard)
    assert heard == [{"Event": "UserEvent", "Uniqueid": "1.1", "Response": "x"}]


@pytest.mark.parametrize("event", ["UserEvent", "OriginateResponse"])
async def test_an_event_that_a_caller_can_forge_answers_no_action(
    asterisk: ScriptedAsterisk, link: AmiLink, heard: list[Frame], event: str
):
    asterisk.answers["Originate"] = lambda _: None
    waiting = asyncio.create_task(link.action("Originate", {"Async": "true"}))
    action = await asterisk.saw("Originate")
    await asterisk.say(frame(f"Event: {event}", f"ActionID: {action['ActionID']}", "Response: Success"))
    await until(lambda: heard)
    assert not waiting.done()
    await asterisk.say(success(action))
    await waiting


async def test_malformed_frames_are_dropped_and_the_link_lives(
    asterisk: ScriptedAsterisk, link: AmiLink, heard: list[Frame]
):
    for nonsense in ("", "\r\n", "no colon at all", ": no key", "Event", "Event:Hangup", "\0\0\0", "A: b"):
        await asterisk.say(nonsense + "\r\n\r\n")
    await asterisk.say(frame("Event: Hangup", "Uniqueid: 1.1"))
    await until(lambda: heard and heard[-1].get("Uniqueid") == "1.1")
    await link.action("Ping")


async def test_events_nobody_asked_for_are_dropped_unread(
    asterisk: ScriptedAsterisk, link: AmiLink, heard: list[Frame]
):
    await asterisk.say(frame("Event: VarSet", "Variable: x") * 100 + frame("Event: Hangup"))
    await until(lambda: heard)
    assert [event["Event"] for event in heard] == ["Hangup"]


@pytest.mark.parametrize(
    "flood",
    [
        b"Event: Hangup\r\nX: " + b"x" * (MAX_LINE + 1),
        b"Event: Hangup\r\n" + b"X: y\r\n" * (MAX_FRAME // 6 + 1),
        b"Event: Hangup\r\nX: " + b"x" * (MAX_LINE + 1) + b"\r\n\r\n",
    ],
    ids=["a line without end", "a frame without end", "a long line"],
)
async def test_what_is_beyond_all_measure_ends_the_link(
    asterisk: ScriptedAsterisk, link: AmiLink, flood: bytes
):
    await asterisk.say(flood)
    async with asyncio.timeout(2):
        assert "more than" in await link.lost


async def test_a_bug_in_what_handles_an_event_does_not_end_the_link(asterisk: ScriptedAsterisk):
    def broken(_: Frame) -> None:
        raise ZeroDivisionError

    link = AmiLink(replace(QUICK, port=asterisk.port), broken, EVENTS)
    await link.open()
    await asterisk.say(frame("Event: Hangup") * 3)
    await link.action("Ping")
    await link.close()


# --- what is sent


async def test_a_list_is_returned_row_by_row(asterisk: ScriptedAsterisk, link: AmiLink):
    items = [f"Event: CoreShowChannel\r\nUniqueid: {n}" for n in range(3)]
    asterisk.answers["CoreShowChannels"] = lambda action: rows(action, "CoreShowChannelsComplete", *items)
    reply = await link.action("CoreShowChannels", many=True)
    assert [row["Uniqueid"] for row in reply.rows] == ["0", "1", "2"]


async def test_a_refusal_is_an_error_with_its_words(asterisk: ScriptedAsterisk, link: AmiLink):
    asterisk.answers["Redirect"] = lambda action: refused(action, "Channel does not exist: x")
    asterisk.answers["Status"] = lambda action: refused(action, "No such channel")
    with pytest.raises(RefusedError, match="does not exist"):
        await link.action("Redirect", {"Channel": "x"})
    with pytest.raises(RefusedError, match="No such channel"):
        await link.action("Status", {"Channel": "x"}, many=True)


async def test_no_answer_within_its_time_is_an_error_and_a_late_one_harms_nobody(
    asterisk: ScriptedAsterisk, link: AmiLink
):
    asterisk.answers["Hangup"] = lambda _: None
    with pytest.raises(SilenceError):
        await link.action("Hangup", {"Channel": "x"})
    await asterisk.say(success(asterisk.actions[-1]))
    await link.action("Ping")
    assert link._session.protocol.responses == {}


async def test_a_cut_fails_what_was_under_way_at_once_and_says_that_it_may_be_done(
    asterisk: ScriptedAsterisk, link: AmiLink
):
    asterisk.answers["Originate"] = lambda _: None
    waiting = asyncio.create_task(link.action("Originate", {"Async": "true"}))
    await asterisk.saw("Originate")
    asterisk.cut()
    with pytest.raises(LinkError) as caught:
        await waiting
    assert caught.value.maybe_done
    with pytest.raises(LinkError) as caught:
        await link.action("Ping")
    assert not caught.value.maybe_done


async def test_a_cancelled_action_leaves_nothing_behind(asterisk: ScriptedAsterisk, link: AmiLink):
    asterisk.answers["Hangup"] = lambda _: None
    waiting = asyncio.create_task(link.action("Hangup", {"Channel": "x"}))
    await asterisk.saw("Hangup")
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert link._session.protocol.responses == {}
    assert link._waiting == {}


async def test_a_peer_that_has_gone_silent_is_noticed(asterisk: ScriptedAsterisk):
    link = AmiLink(replace(QUICK, port=asterisk.port, ping_interval_s=0.05), print, EVENTS)
    await link.open()
    await asterisk.saw("Ping", 2)
    asterisk.answers["Ping"] = lambda _: None
    async with asyncio.timeout(1):
        assert await link.lost == "the switch did not answer a ping"
    await link.close()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("CallerID", '"x" <1>\r\nAction: Command'),
        ("CallerID", "x\nApplication: System"),
        ("CallerID", "x\r"),
        ("CallerID", "x\0"),
        ("Variable", "x" * 1000),
        ("Variable", "ü" * 500),
        ("Variable", "\ud800"),
        ("Caller\r\nID", "x"),
        ("Key: x", "x"),
        ("Channel", "/.*/"),
    ],
)
async def test_what_could_be_more_than_one_header_is_not_sent(
    asterisk: ScriptedAsterisk, link: AmiLink, key: str, value: str
):
    sent = len(asterisk.wire)
    with pytest.raises(PortError) as caught:
        await link.action("Originate", {key: value, "Async": "true"})
    with pytest.raises(PortError):
        await link.action("Originate", {key: ["fine", value], "Async": "true"})
    assert not caught.value.retryable
    assert len(asterisk.wire) == sent
    await link.action("Ping")


async def test_the_secret_is_in_no_repr():
    assert "s3cret" not in repr(QUICK)
