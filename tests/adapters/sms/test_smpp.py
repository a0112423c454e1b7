"""Texts by SMPP, to an SMSC on loopback that has a codec of its own."""

import asyncio
import socket
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from callcontrol.adapters.sms.smpp import SmppGateway, SmppSettings
from callcontrol.ports import BusyError, Delivery, DeliveryReport, DoubtError, Message, PortError, StoreError
from tests.adapters.sms import smsc as s
from tests.adapters.sms.smsc import Smsc, smsc

TEXT = Message(
    id=7, dedupe_key="t1:missed:owner", to="+13035550100", body="Call {Lea} back: 5 €", recipient="owner"
)


class Reports:
    def __init__(self) -> None:
        self.kept: list[DeliveryReport] = []
        self.away = False

    async def keep(self, report: DeliveryReport) -> bool:
        if self.away:
            raise StoreError("away", retryable=True)
        self.kept.append(report)
        return True


@asynccontextmanager
async def gateway(server: Smsc | int, reports: Reports | None = None, **more):
    settings = SmppSettings(
        host="127.0.0.1",
        port=server if isinstance(server, int) else server.port,
        system_id="cc",
        password="secret",
        sender="Sales",
        connect_s=0.5,
        answer_s=0.5,
    )
    made = SmppGateway("smsc", replace(settings, **more), (reports or Reports()).keep)
    try:
        yield made
    finally:
        await made.close()


async def test_a_text_is_submitted_and_has_the_smsc_s_id():
    async with smsc() as server, gateway(server, system_type="cc") as one:
        assert await one.send(TEXT) == "m1"
        assert await one.send(replace(TEXT, to="13035550100")) == "m2"
    assert server.binds == [(s.BIND_TRANSCEIVER, "cc", "secret", "cc")]
    text, other = server.texts
    assert (text["to_ton"], text["to_npi"], text["to"]) == (1, 1, "13035550100")
    assert (text["ton"], text["npi"], text["source"]) == (5, 0, "Sales")
    assert text["text"] == b"Call \x1b(Lea\x1b) back: 5 \x1be", "GSM 03.38, a septet in each octet"
    assert (text["coding"], text["registered"], text["esm_class"]) == (0, 1, 0)
    assert other["to_ton"] == 3
    assert server.heard[-1][0] == s.UNBIND


async def test_what_gsm_7_has_not_goes_as_ucs_2():
    async with smsc() as server, gateway(server, sender="+13035550199", receipts=False) as one:
        await one.send(replace(TEXT, body="Ружа 🌹"))
    [text] = server.texts
    assert server.binds[0][0] == s.BIND_TRANSMITTER
    assert (text["coding"], text["registered"]) == (8, 0)
    assert text["text"].decode("utf-16-be") == "Ружа 🌹"
    assert (text["ton"], text["npi"], text["source"]) == (1, 1, "13035550199")


async def test_a_long_text_goes_in_parts_that_belong_together():
    body = "x" * 152 + "€" + "y" * 200
    async with smsc() as server, gateway(server) as one:
        assert await one.send(replace(TEXT, body=body)) == "m3", "the last part's receipt is the text's"
    assert [part["text"][:6] for part in server.texts] == [bytes((5, 0, 3, 7, 3, n)) for n in (1, 2, 3)]
    assert [part["esm_class"] for part in server.texts] == [0x40] * 3
    assert [part["registered"] for part in server.texts] == [0, 0, 1]
    assert b"".join(part["text"][6:] for part in server.texts) == b"x" * 152 + b"\x1be" + b"y" * 200
    assert max(len(part["text"]) for part in server.texts) <= 6 + 153


async def test_a_long_text_goes_whole_where_the_site_says_so():
    async with smsc() as server, gateway(server, in_parts=False) as one:
        assert await one.send(replace(TEXT, body="x" * 400)) == "m1"
    [text] = server.texts
    assert (text["text"], text["0x0424"]) == (b"", b"x" * 400)


@pytest.mark.parametrize(
    ("status", "error", "retryable"),
    [
        (s.THROTTLED, BusyError, True),
        (s.QUEUE_FULL, BusyError, True),
        (s.SYSTEM_ERROR, PortError, True),
        (s.BAD_NUMBER, PortError, False),
        (0x4FF, PortError, False),
    ],
)
async def test_a_refusal_says_whether_it_may_be_taken_later(status, error, retryable):
    async with smsc() as server, gateway(server) as one:
        server.answers = [status]
        with pytest.raises(error) as refused:
            await one.send(TEXT)
        assert (refused.value.retryable, type(refused.value)) == (retryable, error)
        assert f"0x{status:02x}" in str(refused.value)
        assert await one.send(TEXT) == "m2"
    assert len(server.binds) == 1


@pytest.mark.parametrize("said", [s.HANGS, s.DROPS])
async def test_without_an_answer_it_may_have_been_sent_and_the_next_text_has_a_connection(said):
    async with smsc() as server, gateway(server) as one:
        server.answers = [said]
        with pytest.raises(DoubtError):
            await one.send(TEXT)
        assert await one.send(TEXT) == "m2"


async def test_what_was_taken_in_part_may_have_been_sent():
    async with smsc() as server, gateway(server) as one:
        server.answers = [0, s.BAD_NUMBER]
        with pytest.raises(DoubtError, match="1 of 3 parts were taken, then: 0x0b"):
            await one.send(replace(TEXT, body="x" * 400))


async def test_the_rest_of_a_text_waits_where_the_smsc_is_busy():
    async with smsc() as server, gateway(server, answer_s=5.0) as one:
        server.answers = [0, s.THROTTLED]
        assert await one.send(replace(TEXT, body="x" * 400)) == "m4"
    assert [part["text"][5] for part in server.texts] == [1, 2, 2, 3]


async def test_without_a_connection_or_a_bind_nothing_was_sent():
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        async with gateway(nobody.getsockname()[1]) as one:
            with pytest.raises(PortError, match=r"no bind within 0\.5 s") as refused:
                await one.send(TEXT)
            assert (refused.value.retryable, type(refused.value)) == (True, PortError)
    async with gateway(nobody_port()) as one:
        with pytest.raises(PortError, match="no connection") as refused:
            await one.send(TEXT)
        assert refused.value.retryable
    async with smsc() as server, gateway(server) as one:
        server.bind_status = s.BAD_PASSWORD
        with pytest.raises(PortError, match="takes no bind: Invalid Password") as refused:
            await one.send(TEXT)
        assert refused.value.retryable, "a secret that is to be put right, not a bad text"
        server.bind_status = 0
        assert await one.send(TEXT) == "m1"


def nobody_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        return nobody.getsockname()[1]


async def test_what_has_no_number_is_refused_before_anything_is_sent():
    async with smsc() as server, gateway(server) as one:
        with pytest.raises(PortError, match="no number") as refused:
            await one.send(replace(TEXT, to="owner@example.com"))
        assert not refused.value.retryable
    assert server.texts == []


async def test_texts_sent_at_once_share_the_connection():
    async with smsc() as server, gateway(server) as one:
        ids = await asyncio.gather(*(one.send(replace(TEXT, id=n)) for n in range(20)))
    assert len(set(ids)) == 20
    assert len(server.binds) == 1


@pytest.mark.parametrize(
    ("stat", "delivery"),
    [
        ("DELIVRD", Delivery.DELIVERED),
        ("UNDELIV", Delivery.UNDELIVERED),
        ("EXPIRED", Delivery.UNDELIVERED),
        ("ACCEPTD", Delivery.ON_ITS_WAY),
    ],
)
async def test_a_receipt_tells_what_became_of_a_text(stat, delivery):
    reports = Reports()
    async with smsc() as server, gateway(server, reports) as one:
        await one.send(TEXT)
        assert await server.answered(server.receipt("m1", stat)) == 0
    assert reports.kept == [
        DeliveryReport(
            gateway="smsc", delivery=delivery, message_id=7, provider_id="m1", detail=f"{stat} 034"
        )
    ]


async def test_a_receipt_of_an_earlier_process_is_known_by_the_smsc_s_id():
    reports, tlvs = Reports(), b"\x00\x1e\x00\x03m9\0" + b"\x04\x27\x00\x01\x02" + b"\x14\x02\x00\x01x"
    async with smsc() as server, gateway(server, reports) as one:
        await one.send(TEXT)
        number = server.push(s.DELIVER, s.deliver(b"", esm_class=4) + tlvs)
        assert await server.answered(number) == 0
    [report] = reports.kept
    assert (report.provider_id, report.message_id, report.delivery) == ("m9", None, Delivery.DELIVERED)


async def test_a_receipt_that_can_not_be_kept_is_to_come_again():
    reports = Reports()
    async with smsc() as server, gateway(server, reports) as one:
        await one.send(TEXT)
        reports.away = True
        assert await server.answered(server.receipt("m1", "DELIVRD")) == 0x64
        reports.away = False
        assert await server.answered(server.receipt("m1", "DELIVRD")) == 0
    assert len(reports.kept) == 1


async def test_what_the_smsc_says_besides_ends_nothing():
    reports = Reports()
    async with smsc() as server, gateway(server, reports) as one:
        await one.send(TEXT)
        assert await server.answered(server.push(s.DELIVER, s.deliver(b"Who is this?"))) == 0
        assert await server.answered(server.push(s.DELIVER, b"\0\1")) != 0, "cut off"
        assert await server.answered(server.push(s.ENQUIRE)) == 0
        assert await server.answered(server.push(0x21)) == 0x03, "not for us"
        assert await one.send(TEXT) == "m2"
        assert await server.answered(server.push(s.UNBIND)) == 0
        assert await one.send(TEXT) == "m3"
    assert reports.kept == []
    assert len(server.binds) == 2


async def test_what_is_no_smpp_ends_the_connection():
    async with smsc() as server, gateway(server) as one:
        await one.send(TEXT)
        server.writers[-1].write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        async with asyncio.timeout(5):
            while not one._session.over:
                await asyncio.sleep(0.005)
        assert await one.send(TEXT) == "m2"


async def test_an_idle_connection_is_asked_whether_it_lives_and_given_up_where_it_does_not():
    async with smsc() as server, gateway(server, enquire_every_s=0.05, connect_s=0.2) as one:
        await one.send(TEXT)
        async with asyncio.timeout(5):
            while server.enquired < 2:
                await asyncio.sleep(0.005)
            server.silent = True
            while not one._session.over:
                await asyncio.sleep(0.005)
        server.silent = False
        assert await one.send(TEXT) == "m2"
