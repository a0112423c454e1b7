"""Texts as mail, to real servers on loopback with certificates made for the test."""

import asyncio
import socket
from dataclasses import replace

import pytest

from callcontrol.adapters.sms.smtp import SmtpGateway, SmtpSettings, Tls
from callcontrol.ports import DoubtError, PortError
from tests.adapters.sms.mailserver import PASSWORD, USERNAME, MailServer, mail_server, trusting
from tests.adapters.sms.test_http import TEXT

TO = "+13035550100@sms.example"


def gateway(server: MailServer | int, **more) -> SmtpGateway:
    settings = SmtpSettings(
        host="127.0.0.1",
        port=server if isinstance(server, int) else server.port,
        sender="callcontrol@example.com",
        to=("{to}@sms.example",),
        context=trusting(),
        timeout_s=1.0,
    )
    return SmtpGateway(replace(settings, **more))


async def test_a_text_becomes_a_mail_over_tls():
    async with mail_server(starttls=True, logins=True) as server:
        said = await gateway(server, username=USERNAME, password=PASSWORD, subject="To {recipient}").send(
            TEXT
        )
    [mail] = server.mails
    assert (server.over_tls, server.logged_in, server.recipients) == (True, True, [[TO]])
    assert mail.get_content().splitlines() == TEXT.body.splitlines()
    assert (mail["From"], mail["To"], mail["Subject"]) == ("callcontrol@example.com", TO, "To owner")
    assert mail["Message-ID"] == said
    assert mail["Auto-Submitted"] == "auto-generated"


async def test_a_repeat_has_the_same_message_id_and_another_text_another():
    async with mail_server(starttls=True) as server:
        one = gateway(server)
        for text in (TEXT, replace(TEXT, attempts=2), replace(TEXT, dedupe_key="t2:missed:owner")):
            await one.send(text)
    ids = [mail["Message-ID"] for mail in server.mails]
    assert ids[0] == ids[1] != ids[2]
    assert "missed" not in ids[0]


async def test_tls_from_the_first_byte():
    async with mail_server(implicit=True) as server:
        await gateway(server, tls=Tls.IMPLICIT).send(TEXT)
    assert len(server.mails) == 1


async def test_a_server_that_offers_no_starttls_gets_nothing():
    async with mail_server() as server:
        with pytest.raises(PortError, match="STARTTLS") as refused:
            await gateway(server).send(TEXT)
        assert refused.value.retryable
        assert server.mails == []
        await gateway(server, tls=Tls.NONE).send(TEXT)
        assert len(server.mails) == 1


async def test_a_server_that_nobody_vouches_for_gets_nothing():
    async with mail_server(starttls=True, logins=True) as server:
        with pytest.raises(PortError, match=r"(?i)certificate") as refused:
            await gateway(server, context=None, username=USERNAME, password=PASSWORD).send(TEXT)
    assert refused.value.retryable
    assert server.mails == []


async def test_a_wrong_password_waits_for_the_right_one():
    async with mail_server(starttls=True, logins=True) as server:
        with pytest.raises(PortError, match="535") as refused:
            await gateway(server, username=USERNAME, password="wrong").send(TEXT)
    assert refused.value.retryable
    assert "wrong" not in str(refused.value)


@pytest.mark.parametrize("where", [TO, "MAIL", "DATA"])
@pytest.mark.parametrize(("said", "retryable"), [("450 greylisted", True), ("550 no such\tuser", False)])
async def test_a_refusal_is_final_or_not_as_its_code_says(where, said, retryable):
    async with mail_server(starttls=True) as server:
        server.refuses[where] = said
        with pytest.raises(PortError, match=said[:3]) as refused:
            await gateway(server).send(TEXT)
    assert refused.value.retryable is retryable
    assert not isinstance(refused.value, DoubtError)
    assert server.mails == []


async def test_one_of_two_recipients_refused_is_still_sent_to_the_other():
    async with mail_server(starttls=True) as server:
        server.refuses["owner@example.com"] = "550 gone"
        await gateway(server, to=("{to}@sms.example", "{recipient}@example.com")).send(TEXT)
        assert server.recipients == [[TO]]
        server.refuses[TO] = "450 later"
        with pytest.raises(PortError, match="450"):
            await gateway(server, to=("{to}@sms.example", "{recipient}@example.com")).send(TEXT)


async def test_silence_before_the_mail_is_certain_and_silence_after_it_is_not():
    async with mail_server(starttls=True) as server:
        server.hangs = {"MAIL"}
        with pytest.raises(PortError, match="was not ready") as refused:
            await gateway(server, timeout_s=0.3).send(TEXT)
        assert refused.value.retryable
        assert not isinstance(refused.value, DoubtError)
        server.hangs = {"DATA"}
        with pytest.raises(DoubtError, match=r"^may have been sent: the mail server: "):
            await gateway(server, timeout_s=0.3).send(TEXT)
    assert len(server.mails) == 1


async def test_a_server_that_takes_the_mail_and_goes_may_have_sent_it():
    async with mail_server(starttls=True) as server:
        server.drops = True
        with pytest.raises(DoubtError):
            await gateway(server).send(TEXT)
    assert len(server.mails) == 1


async def test_no_server_and_one_that_never_greets_were_given_nothing():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(PortError) as refused:
            await gateway(sock.getsockname()[1]).send(TEXT)
        assert (refused.value.retryable, isinstance(refused.value, DoubtError)) == (True, False)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    with pytest.raises(PortError) as refused:
        await gateway(server.sockets[0].getsockname()[1], timeout_s=0.2).send(TEXT)
    assert (refused.value.retryable, isinstance(refused.value, DoubtError)) == (True, False)
    server.close()


@pytest.mark.parametrize(
    "to", ["{body}@x.example", "nobody", "{recipient}\r\nBcc: all@example.com", "ä@example.com"]
)
async def test_what_is_no_address_is_refused_before_anything_is_sent(to):
    async with mail_server(starttls=True) as server:
        with pytest.raises(PortError, match="no mail can be made of it") as refused:
            await gateway(server, to=(to,)).send(TEXT)
    assert not refused.value.retryable
    assert not server.mails
