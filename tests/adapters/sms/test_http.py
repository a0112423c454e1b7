"""Texts by HTTP, against servers on loopback that behave as providers do, well and badly."""

import socket
import ssl
from dataclasses import replace
from email.utils import formatdate

import pytest
import trustme

from callcontrol.adapters.sms.filling import fill
from callcontrol.adapters.sms.http import HttpGateway, Reports, Rule, Template
from callcontrol.adapters.web import Web
from callcontrol.core.model import TransferId
from callcontrol.ports import BusyError, Delivery, DeliveryReport, DoubtError, Message, PortError
from tests.adapters.sms.provider import CUTS_OFF, DROPS, HANGS, Says, provider

TEXT = Message(
    id=7,
    dedupe_key="t1:missed:owner",
    transfer_id=TransferId("t1"),
    recipient="owner",
    to="+13035550100",
    body='Lea "Zwo"\n& {to} ü 😀 \\',
    attempts=1,
)


@pytest.fixture
async def server():
    async with provider() as found:
        yield found


@pytest.fixture
async def gateway_of(server):
    made = []

    def gateway(template: Template | None = None, *, report_url: str = "", **more) -> HttpGateway:
        given = template or Template(url="/send", json={"to": "{to}", "text": "{body}"}, provider_id="id")
        given = replace(given, url=given.url if "://" in given.url else server.url + given.url, **more)
        made.append(HttpGateway("web", given, Web(answer_s=0.3, connect_s=0.3), report_url=report_url))
        return made[-1]

    yield gateway
    for one in made:
        await one.close()


async def test_what_is_put_in_is_escaped_for_where_it_stands(server, gateway_of):
    server.will(Says(200, {"id": 12}))
    gateway = gateway_of(
        Template(
            url="/send/{body}?n={to}",
            headers={"X-Key": "{key}", "X-Who": "{recipient} {unknown}"},
            json={"a": ["{body}", {"n": 1, "to": "{to_digits}"}], "empty": "{report_url}"},
            provider_id="id",
        )
    )
    assert await gateway.send(TEXT) == "12"
    [asked] = server.asked
    assert asked.path == (
        "/send/Lea%20%22Zwo%22%0A%26%20%7Bto%7D%20%C3%BC%20%F0%9F%98%80%20%5C?n=%2B13035550100"
    )
    assert asked.json == {"a": [TEXT.body, {"n": 1, "to": "13035550100"}]}
    assert asked.headers["x-key"] == "t1:missed:owner"
    assert asked.headers["x-who"] == "owner {unknown}"


async def test_a_form_is_a_form(server, gateway_of):
    await gateway_of(Template(url="/", form={"To": "{to}", "Body": "{body}", "None": "{report_url}"})).send(
        TEXT
    )
    [asked] = server.asked
    assert asked.form == {"To": "+13035550100", "Body": TEXT.body}


async def test_a_value_can_add_no_header(server, gateway_of):
    gateway = gateway_of(Template(url="/", headers={"X-Text": "{body}"}))
    with pytest.raises(PortError, match="line breaks") as refused:
        await gateway.send(TEXT)
    assert not refused.value.retryable
    assert server.asked == []


async def test_a_filled_in_value_is_no_template():
    assert fill("{a}{b}{c}", {"a": "{b}", "b": "{a}"}) == "{b}{a}{c}"


@pytest.mark.parametrize("status", [429, 500, 503, 408, 401])
async def test_a_server_that_says_later_is_asked_again(server, gateway_of, status):
    server.will(Says(status, {"error": "slow down"}))
    with pytest.raises(BusyError, match=f"{status} slow down") as refused:
        await gateway_of(error=("error",)).send(TEXT)
    assert (refused.value.retryable, refused.value.retry_after_s) == (True, None)


async def test_it_may_say_when_to_ask_again(server, gateway_of):
    for header, least, most in (("7", 7, 7), (formatdate(usegmt=True), 0, 0), ("soon", None, None)):
        server.will(Says(429, headers={"Retry-After": header}))
        with pytest.raises(BusyError) as refused:
            await gateway_of().send(TEXT)
        said = refused.value.retry_after_s
        assert said == least == most or least <= said <= most


@pytest.mark.parametrize("status", [400, 404, 422, 302])
async def test_a_refusal_is_final_and_says_why(server, gateway_of, status):
    server.will(
        Says(status, {"code": 21211, "message": "no\nsuch number"}, {"Location": "http://127.0.0.1:1/"})
    )
    with pytest.raises(PortError, match=f"^{status} 21211 no such number$") as refused:
        await gateway_of(error=("code", "message")).send(TEXT)
    assert not refused.value.retryable
    assert len(server.asked) == 1


@pytest.mark.parametrize("fate", [HANGS, DROPS, Says(502), Says(504)])
async def test_a_text_that_went_out_without_an_answer_may_have_been_sent(server, gateway_of, fate):
    server.will(fate)
    with pytest.raises(DoubtError, match=r"^may have been sent: "):
        await gateway_of().send(TEXT)
    assert len(server.asked) == 1, "and it is not sent again"


async def test_an_answer_cut_off_after_its_status_counts(server, gateway_of):
    server.will(CUTS_OFF)
    assert await gateway_of().send(TEXT) == ""


async def test_a_server_that_takes_no_connection_was_sent_nothing(gateway_of):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{sock.getsockname()[1]}/"
        with pytest.raises(PortError, match="no connection") as refused:
            await gateway_of(Template(url=url)).send(TEXT)
    assert refused.value.retryable
    assert not isinstance(refused.value, DoubtError)


async def test_a_server_too_busy_to_accept_was_sent_nothing(gateway_of):
    with socket.socket() as full, socket.socket() as one, socket.socket() as two:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for sock in (one, two):
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/"
        with pytest.raises(PortError, match="no connection") as refused:
            await gateway_of(Template(url=url)).send(TEXT)
    assert refused.value.retryable


async def test_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent(gateway_of):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with provider(context) as server:
        with pytest.raises(PortError, match="no connection") as refused:
            await gateway_of(Template(url=server.url)).send(TEXT)
        assert refused.value.retryable
        assert server.asked == []
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        gateway = HttpGateway("web", Template(url=server.url), Web(tls=trusting))
        await gateway.send(TEXT)
        assert len(server.asked) == 1
        await gateway.close()


async def test_a_provider_that_refuses_with_status_200_is_understood(server, gateway_of):
    gateway = gateway_of(
        taken=(Rule(fields={"messages.0.status": ("0",)}),),
        again=(Rule(fields={"messages.0.status": ("1", "5")}),),
        provider_id="messages.0.id",
        error=("messages.0.text",),
    )
    for status, kind in (("0", None), ("1", BusyError), ("6", PortError)):
        server.will(Says(200, {"messages": [{"status": status, "id": "m1", "text": "unroutable"}]}))
        if kind is None:
            assert await gateway.send(TEXT) == "m1"
        else:
            with pytest.raises(kind, match="unroutable") as refused:
                await gateway.send(TEXT)
            assert refused.value.retryable is (kind is BusyError)


async def test_a_huge_answer_is_not_read_to_its_end(server, gateway_of):
    server.will(Says(200, {"id": "x", "more": "y" * 10_000_000}))
    assert await gateway_of().send(TEXT) == ""


async def test_a_report_says_what_became_of_which_text(gateway_of):
    reports = Reports(
        state="s", delivered=("ok",), undelivered=("bad",), provider_id="i", message_id="ref", detail="why"
    )
    gateway = gateway_of(reports=reports)

    def told(body: bytes, query=None, kind="application/x-www-form-urlencoded"):
        return gateway.report(body, kind, query or {})

    assert told(b"s=ok&i=m1") == DeliveryReport(
        gateway="web", delivery=Delivery.DELIVERED, provider_id="m1", detail="ok"
    )
    assert told(b"s=bad&why=30003&i=m1", {"message": "7"}) == DeliveryReport(
        gateway="web", delivery=Delivery.UNDELIVERED, message_id=7, provider_id="m1", detail="bad 30003"
    )
    assert told(b'{"s": "moving", "ref": 9}', kind="application/json") == DeliveryReport(
        gateway="web", delivery=Delivery.ON_ITS_WAY, message_id=9, detail="moving"
    )
    assert told(b"s=ok") is None
    assert told(b"i=m1") is None
    assert told(b"s=ok", {"message": "9" * 30}).message_id is None
    with pytest.raises(ValueError, match=r"."):
        told(b"{", kind="application/json")
