"""Each provider's template against a server that behaves as its documentation says."""

import json
from urllib.parse import urlencode

import pytest

from callcontrol.adapters.sms.http import HttpGateway
from callcontrol.adapters.sms.providers import PROVIDERS, Account
from callcontrol.adapters.web import Web
from callcontrol.ports import BusyError, Delivery, PortError
from tests.adapters.sms.provider import Says, provider
from tests.adapters.sms.test_http import TEXT

REPORTS_TO = "https://cc.example/v1/delivery-reports/web?secret=s"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
async def server():
    async with provider() as found:
        yield found


def gateway(name: str, server, sender: str = "+15005550006") -> HttpGateway:
    account = Account(account="AC1", secret="s3cret", sender=sender, url=server.url)
    return HttpGateway("web", PROVIDERS[name](account), Web(answer_s=1), report_url=REPORTS_TO)


async def refused(one: HttpGateway, server, says: Says) -> PortError:
    server.will(says)
    with pytest.raises(PortError) as error:
        await one.send(TEXT)
    return error.value


async def test_twilio(server):
    one = gateway("twilio", server)
    server.will(Says(201, {"sid": "SM1", "status": "queued", "error_code": None}))
    assert await one.send(TEXT) == "SM1"
    [asked] = server.asked
    assert (asked.method, asked.path) == ("POST", "/2010-04-01/Accounts/AC1/Messages.json")
    assert asked.basic == "AC1:s3cret"
    assert asked.form == {
        "To": TEXT.to,
        "From": "+15005550006",
        "Body": TEXT.body,
        "StatusCallback": REPORTS_TO + "&message=7",
    }
    bad = {"code": 21211, "message": "Invalid 'To' Phone Number", "status": 400}
    error = await refused(one, server, Says(400, bad))
    assert (str(error), error.retryable) == ("400 21211 Invalid 'To' Phone Number", False)
    busy = await refused(one, server, Says(429, {"code": 20429, "message": "Too Many Requests"}))
    assert isinstance(busy, BusyError)
    told = one.report(
        urlencode({"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "30003"}).encode(),
        FORM,
        {"message": "7"},
    )
    assert (told.message_id, told.provider_id, told.delivery, told.detail) == (
        7,
        "SM1",
        Delivery.UNDELIVERED,
        "undelivered 30003",
    )
    await one.close()


async def test_twilio_by_a_messaging_service(server):
    one = gateway("twilio", server, sender="MG123")
    await one.send(TEXT)
    assert server.asked[0].form["MessagingServiceSid"] == "MG123"
    assert "From" not in server.asked[0].form
    await one.close()


async def test_vonage(server):
    one = gateway("vonage", server)
    server.will(Says(202, {"message_uuid": "aaaa"}))
    assert await one.send(TEXT) == "aaaa"
    [asked] = server.asked
    assert (asked.method, asked.path, asked.basic) == ("POST", "/v1/messages", "AC1:s3cret")
    assert asked.json == {
        "message_type": "text",
        "channel": "sms",
        "to": "13035550100",
        "from": "15005550006",
        "text": TEXT.body,
        "client_ref": "7",
        "webhook_url": REPORTS_TO + "&message=7",
    }
    bad = {"type": "https://...", "title": "Invalid params", "detail": "The value of `to` is invalid."}
    error = await refused(one, server, Says(422, bad))
    assert str(error) == "422 Invalid params The value of `to` is invalid."
    empty = await refused(one, server, Says(402, {"title": "Low balance"}))
    assert empty.retryable, "an account that is filled up again sends them"
    told = one.report(
        json.dumps({"message_uuid": "aaaa", "status": "delivered", "client_ref": "7"}).encode(),
        "application/json",
        {},
    )
    assert (told.message_id, told.delivery) == (7, Delivery.DELIVERED)
    await one.close()


async def test_plivo(server):
    one = gateway("plivo", server)
    server.will(Says(202, {"message": "message(s) queued", "message_uuid": ["db3c"], "api_id": "x"}))
    assert await one.send(TEXT) == "db3c"
    [asked] = server.asked
    assert (asked.method, asked.path, asked.basic) == ("POST", "/v1/Account/AC1/Message/", "AC1:s3cret")
    assert asked.json == {
        "src": "15005550006",
        "dst": "13035550100",
        "text": TEXT.body,
        "url": REPORTS_TO + "&message=7",
        "method": "POST",
    }
    error = await refused(one, server, Says(400, {"api_id": "x", "error": "dst is invalid"}))
    assert (str(error), error.retryable) == ("400 dst is invalid", False)
    form = urlencode({"MessageUUID": "db3c", "Status": "sent", "Units": "1"}).encode()
    assert one.report(form, FORM, {}).delivery is Delivery.ON_ITS_WAY
    await one.close()


async def test_telnyx(server):
    one = gateway("telnyx", server)
    server.will(Says(200, {"data": {"id": "4038", "to": [{"status": "queued"}]}}))
    assert await one.send(TEXT) == "4038"
    [asked] = server.asked
    assert (asked.method, asked.path) == ("POST", "/v2/messages")
    assert asked.headers["authorization"] == "Bearer s3cret"
    assert asked.json == {
        "from": "+15005550006",
        "to": TEXT.to,
        "text": TEXT.body,
        "webhook_url": REPORTS_TO + "&message=7",
    }
    errors = {"errors": [{"code": "40310", "title": "Invalid 'to' address", "detail": "no mobile number"}]}
    error = await refused(one, server, Says(422, errors))
    assert str(error) == "422 40310 Invalid 'to' address no mobile number"
    event = {
        "data": {
            "event_type": "message.finalized",
            "payload": {"id": "4038", "to": [{"status": "delivered"}]},
        }
    }
    told = one.report(json.dumps(event).encode(), "application/json; charset=utf-8", {"message": "7"})
    assert (told.message_id, told.provider_id, told.delivery) == (7, "4038", Delivery.DELIVERED)
    await one.close()


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_no_provider_is_taken_to_know_repeats(name):
    given = Account(account="AC1", secret="s3cret", sender="+15005550006")
    template = PROVIDERS[name](given)
    assert not template.keyed
    assert template.url.startswith("https://")
    assert "s3cret" not in repr(template)
    assert "s3cret" not in repr(given)
