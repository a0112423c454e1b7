"""Webhooks over real sockets, checked by the snippet that docs/webhooks.md gives to whoever receives them."""

import base64
import json
import re
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest

from callcontrol.adapters.web import Web
from callcontrol.adapters.webhook import WebhookGateway
from callcontrol.ports import BusyError, DoubtError, Message, MessageKind, PortError
from tests.adapters.sms.provider import CUTS_OFF, DROPS, HANGS, Says, provider

MANUAL = Path(__file__).parents[3] / "docs" / "webhooks.md"
SECRET = "a-secret-of-more-than-24-letters"
HOOK = Message(
    id=7,
    dedupe_key="hook:crm:transfer.missed:t1",
    kind=MessageKind.WEBHOOK,
    recipient="webhook",
    to="crm",
    gateway="webhook:crm",
    body='{"type":"transfer.missed","data":{"lead":{"name":"Zoë 😀"}}}',
    attempts=1,
)


@pytest.fixture
async def server():
    async with provider() as found:
        yield found


@pytest.fixture
async def gateway(server):
    made = WebhookGateway(f"{server.url}/hooks?x=1", SECRET, Web(answer_s=0.3, connect_s=0.3))
    yield made
    await made.close()


@pytest.fixture(scope="module")
def verify():
    """As the manual has it."""
    (snippet,) = re.findall(r"^```python\n(.*?)^```$", MANUAL.read_text(), re.MULTILINE | re.DOTALL)
    written: dict = {}
    exec(compile(snippet, str(MANUAL), "exec"), written)
    return written["verify"]


async def test_a_webhook_is_what_the_manuals_snippet_takes_for_ours(server, gateway, verify):
    sent = await gateway.send(HOOK)
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.body.decode()) == ("POST", "/hooks?x=1", HOOK.body)
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["webhook-id"] == sent
    assert verify(SECRET, asked.headers, asked.body, set())


async def test_what_was_tampered_with_is_refused(server, gateway, verify):
    await gateway.send(HOOK)
    (asked,) = server.asked
    changed = asked.headers | {"webhook-timestamp": str(int(time.time()) + 1)}
    renamed = asked.headers | {"webhook-id": "msg_other"}
    unsigned = asked.headers | {"webhook-signature": "v1,"}
    assert not verify(SECRET, asked.headers, asked.body.replace(b"missed", b"connected"), set())
    assert not verify(SECRET, changed, asked.body, set())
    assert not verify(SECRET, renamed, asked.body, set())
    assert not verify(SECRET, unsigned, asked.body, set())
    assert not verify(SECRET + "x", asked.headers, asked.body, set())


async def test_what_is_old_or_comes_from_the_future_is_refused(server, gateway, verify):
    await gateway.send(HOOK)
    (asked,) = server.asked
    for off in (-301, 301):
        assert not verify(SECRET, asked.headers, asked.body, set(), time.time() + off)
    assert verify(SECRET, asked.headers, asked.body, set(), time.time() + 290)


async def test_what_is_replayed_or_repeated_is_taken_once(server, gateway, verify):
    server.will(Says(500), Says(200))
    with pytest.raises(BusyError):
        await gateway.send(HOOK)
    await gateway.send(HOOK)
    first, repeat = server.asked
    seen: set = set()
    assert verify(SECRET, first.headers, first.body, seen)
    assert not verify(SECRET, first.headers, first.body, seen)
    assert not verify(SECRET, repeat.headers, repeat.body, seen)
    assert seen == {first.headers["webhook-id"]}


async def test_a_repeat_is_signed_with_the_time_it_is_sent_at(server, verify):
    times = iter([1_000.9, 9_000.2])
    gateway = WebhookGateway(server.url, SECRET, Web(), clock_s=lambda: next(times))
    await gateway.send(HOOK)
    await gateway.send(HOOK)
    await gateway.close()
    first, repeat = server.asked
    assert [asked.headers["webhook-timestamp"] for asked in server.asked] == ["1000", "9000"]
    assert verify(SECRET, repeat.headers, repeat.body, set(), 9_000)
    assert first.headers["webhook-signature"] != repeat.headers["webhook-signature"]


async def test_a_secret_in_the_standards_own_form_is_its_bytes(server, verify):
    secret = "whsec_" + base64.b64encode(bytes(range(24))).decode()
    gateway = WebhookGateway(server.url, secret, Web())
    await gateway.send(HOOK)
    await gateway.close()
    (asked,) = server.asked
    assert verify(secret, asked.headers, asked.body, set())
    with pytest.raises(ValueError, match=r"base64|padding"):
        WebhookGateway(server.url, "whsec_no base64!", Web())


async def test_the_standards_own_example_has_our_signature():
    """From the specification's tests: https://github.com/standard-webhooks/standard-webhooks."""
    from callcontrol.adapters.webhook import signed  # noqa: PLC0415

    body = b'{"test": 2432232314}'
    headers = signed(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("status", [401, 404, 408, 409, 425, 429, 500, 502, 503, 504])
async def test_what_may_be_better_later_is_tried_again(server, gateway, status):
    server.will(Says(status, headers={"Retry-After": "7"}))
    with pytest.raises(BusyError, match=f"said {status}") as busy:
        await gateway.send(HOOK)
    assert (busy.value.retryable, busy.value.retry_after_s) == (True, 7.0)


async def test_a_date_is_a_time_to_wait_too(server, gateway):
    at = format_datetime(datetime.fromtimestamp(time.time() + 60, UTC), usegmt=True)
    server.will(Says(503, headers={"Retry-After": at}))
    with pytest.raises(BusyError) as busy:
        await gateway.send(HOOK)
    assert 50 < (busy.value.retry_after_s or 0) <= 60


@pytest.mark.parametrize("status", [400, 405, 410, 413, 422])
async def test_what_is_refused_for_ever_is_parked(server, gateway, status):
    server.will(Says(status))
    with pytest.raises(PortError, match=f"said {status}") as refused:
        await gateway.send(HOOK)
    assert not refused.value.retryable


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(server, gateway, status):
    async with provider() as elsewhere:
        server.will(Says(status, headers={"Location": f"{elsewhere.url}/internal"}))
        with pytest.raises(PortError, match="redirects are not followed") as refused:
            await gateway.send(HOOK)
        assert not refused.value.retryable
        assert elsewhere.asked == []
    assert len(server.asked) == 1


@pytest.mark.parametrize("answer", [HANGS, DROPS])
async def test_an_endpoint_that_says_nothing_is_in_doubt_and_may_be_asked_again(server, gateway, answer):
    server.will(answer)
    with pytest.raises(DoubtError):
        await gateway.send(HOOK)
    assert gateway.keyed  # so that the outbox does


async def test_an_answer_that_is_cut_off_was_an_answer(server, gateway):
    server.will(CUTS_OFF)
    assert await gateway.send(HOOK)


async def test_nobody_there_is_tried_again():
    gateway = WebhookGateway("http://127.0.0.1:9/x", SECRET, Web(connect_s=0.3))
    with pytest.raises(PortError) as away:
        await gateway.send(HOOK)
    await gateway.close()
    assert away.value.retryable


def test_the_manuals_example_is_json():
    (example,) = re.findall(r"^```json\n(.*?)^```$", MANUAL.read_text(), re.MULTILINE | re.DOTALL)
    assert json.loads(example)["data"]["lead"]["id"] == "lead-1"
