"""The outbox by HTTP: looking, deciding, and what providers report."""

from datetime import UTC, datetime, timedelta

import pytest

from callcontrol.adapters.sms.http import HttpGateway
from callcontrol.adapters.sms.providers import PROVIDERS, Account
from callcontrol.adapters.web import Web
from callcontrol.ports import NewMessage, Setback
from tests.adapters.store import people as p
from tests.api.conftest import READ, REPORT_SECRET, Office, running

NOW = datetime.now(UTC)


async def queue(office: Office, *keys: str, **more: object) -> None:
    """Each to another address, unless one is given."""
    messages = [
        NewMessage(**{"dedupe_key": key, "to": f"+1303555010{n}", "body": key, "recipient": "owner", **more})
        for n, key in enumerate(keys)
    ]
    await p.enqueue(office.store, messages, NOW)


async def park(office: Office, why: str, *, doubtful: bool = False) -> None:
    """Whatever is due."""
    for message in await p.claim(office.store, 100, NOW, 60, via="twilio"):
        setback = Setback(why=why, retry_in_s=None, doubtful=doubtful)
        await office.store.message_failed(message, NOW, setback)


async def listed(office: Office, **query: object) -> list[str]:
    found = await office.http.get("/v1/outbox", params=query)
    assert found.status_code == 200, found.text
    return [message["body"] for message in found.json()["messages"]]


async def test_messages_are_listed_by_what_they_are(office: Office):
    await queue(office, "refused")
    await park(office, "no such number")
    await queue(office, "unsure")
    await park(office, "may have been sent: silence", doubtful=True)
    await queue(office, "waits", kind="webhook", to="crm")
    assert await listed(office) == ["waits", "unsure", "refused"]
    assert await listed(office, limit=1) == ["waits"]
    assert await listed(office, state="parked") == ["unsure", "refused"]
    assert await listed(office, state="parked", doubtful=True) == ["unsure"]
    assert await listed(office, gateway="twilio", doubtful=False) == ["refused"]
    assert await listed(office, kind="webhook") == ["waits"]
    assert await listed(office, to="+13035550100") == ["unsure", "refused"]
    assert await listed(office, transfer="t1") == []
    [first, *_] = (await office.http.get("/v1/outbox", params={"doubtful": True})).json()["messages"]
    assert (first["state"], first["doubtful"], first["last_error"], first["gateway"]) == (
        "parked",
        True,
        "may have been sent: silence",
        "twilio",
    )
    refused = await office.http.get("/v1/outbox", params={"state": "lost"})
    assert refused.status_code == 422


async def test_a_parked_message_is_sent_again_when_a_person_says_so(office: Office):
    await queue(office, "one")
    await park(office, "may have been sent: silence", doubtful=True)
    assert await p.claim(office.store, 10, NOW + timedelta(days=1), 60) == ()
    answer = await office.http.post("/v1/outbox/1/retry")
    assert answer.status_code == 202
    assert (answer.json()["state"], answer.json()["doubtful"], answer.json()["attempts"]) == (
        "queued",
        False,
        0,
    )
    assert office.outbox_woken.is_set()
    [claimed] = await p.claim(office.store, 10, NOW + timedelta(days=1), 60)
    await office.store.message_sent(claimed, NOW, "")
    late = await office.http.post("/v1/outbox/1/retry")
    assert (late.status_code, late.json()["detail"]) == (409, "too late: the message is sent")


async def test_a_discarded_message_is_never_sent_and_stays_in_the_list(office: Office):
    await queue(office, "one", "two")
    answer = await office.http.post("/v1/outbox/1/discard")
    assert (answer.status_code, answer.json()["state"]) == (200, "discarded")
    assert [message.body for message in await p.claim(office.store, 10, NOW, 60)] == ["two"]
    assert await listed(office, state="discarded") == ["one"]
    assert (await office.http.post("/v1/outbox/1/retry")).status_code == 409
    in_hand = await office.http.post("/v1/outbox/2/discard")
    assert in_hand.json()["detail"] == "too late: the message is claimed"


async def test_no_such_message_and_no_right(office: Office):
    for number in (7, 0, -1, 2**70):
        assert (await office.http.post(f"/v1/outbox/{number}/retry")).status_code == 404
    only_reads = {"Authorization": f"Bearer {READ}"}
    assert (await office.http.get("/v1/outbox", headers=only_reads)).status_code == 200
    assert (await office.http.post("/v1/outbox/1/retry", headers=only_reads)).status_code == 403
    nobody = {"Authorization": ""}
    assert (await office.http.get("/v1/outbox", headers=nobody)).status_code == 401


# --- delivery reports


@pytest.fixture
async def reported(tmp_path):
    """An office with Twilio, and a text that it took."""
    account = Account(account="AC1", secret="s3cret", sender="+1303")
    gateway = HttpGateway("twilio", PROVIDERS["twilio"](account), Web())
    async with running(tmp_path, reporters={"twilio": gateway, "mail": object()}) as office:
        await queue(office, "one")
        [message] = await p.claim(office.store, 10, NOW, 60, via="twilio")
        await office.store.message_sent(message, NOW, "SM1")
        yield office
    await gateway.close()


async def report(
    office: Office, gateway: str = "twilio", secret: str = REPORT_SECRET, message: str = "1", **form
):
    return await office.http.post(
        f"/v1/delivery-reports/{gateway}",
        params={"secret": secret, "message": message},
        data={"MessageSid": "SM1", "MessageStatus": "delivered"} | form,
        headers={"Authorization": ""},
    )


async def delivery(office: Office) -> tuple[str, str | None, str]:
    [found] = (await office.http.get("/v1/outbox")).json()["messages"]
    return found["state"], found["delivery"], found["delivery_detail"]


async def test_a_report_without_a_token_but_with_the_gateways_secret_is_taken(reported: Office):
    assert (await report(reported, MessageStatus="sent")).status_code == 204
    assert await delivery(reported) == ("sent", "on_its_way", "sent")
    assert (await report(reported)).status_code == 204
    assert await delivery(reported) == ("sent", "delivered", "delivered")
    assert (await report(reported, MessageStatus="sent")).status_code == 204
    assert await delivery(reported) == ("sent", "delivered", "delivered"), "reports may come out of order"


async def test_a_report_may_name_the_message_by_the_providers_id(reported: Office):
    said = await report(reported, message="", MessageStatus="undelivered", ErrorCode="30003")
    assert said.status_code == 204
    assert await delivery(reported) == ("sent", "undelivered", "undelivered 30003")


async def test_a_report_proves_that_what_may_have_been_sent_was(tmp_path):
    account = Account(account="AC1", secret="s3cret", sender="+1303")
    gateway = HttpGateway("twilio", PROVIDERS["twilio"](account), Web())
    async with running(tmp_path, reporters={"twilio": gateway}) as office:
        await queue(office, "one")
        await park(office, "may have been sent: silence", doubtful=True)
        assert (await report(office)).status_code == 204
        [found] = (await office.http.get("/v1/outbox")).json()["messages"]
        assert (found["state"], found["doubtful"], found["provider_id"]) == ("sent", False, "SM1")
    await gateway.close()


async def test_what_is_no_report_changes_nothing(reported: Office):
    assert (await report(reported, secret="wrong")).status_code == 401
    assert (await report(reported, secret="")).status_code == 401
    assert (await report(reported, gateway="plivo")).status_code == 401
    assert (await report(reported, gateway="mail")).status_code == 404
    assert (await report(reported, message="99")).status_code == 404
    assert (await report(reported, message="", MessageSid="SM9")).status_code == 404
    assert (await report(reported, MessageStatus="")).status_code == 204
    broken = await reported.http.post(
        "/v1/delivery-reports/twilio",
        params={"secret": REPORT_SECRET},
        content=b"[" * 50_000,
        headers={"Authorization": "", "Content-Type": "application/json"},
    )
    assert broken.status_code == 422
    assert await delivery(reported) == ("sent", None, "")
