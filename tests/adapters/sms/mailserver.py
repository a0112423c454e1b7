"""A mail server on loopback, in this process: aiosmtpd, with a certificate, that fails as it is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope

AUTHORITY = trustme.CA()
USERNAME, PASSWORD = "callcontrol", "s3cret"


@dataclass
class MailServer:
    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)  # by address, or by `MAIL` or `DATA`
    hangs: set[str] = field(default_factory=set)  # at `MAIL` or `DATA`
    drops: bool = False  # takes a mail, and goes away without a word
    over_tls: bool = False
    logged_in: bool = False

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: ARG002, N802
        if "MAIL" in self.hangs:
            await asyncio.sleep(60)
        self.over_tls = session.ssl is not None
        self.logged_in = bool(session.authenticated)
        if "MAIL" in self.refuses:
            return self.refuses["MAIL"]
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: ARG002, N802
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope: Envelope):  # noqa: ARG002, N802
        if "DATA" in self.refuses:
            return self.refuses["DATA"]
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        self.recipients.append(envelope.rcpt_tos)
        if "DATA" in self.hangs:
            await asyncio.sleep(60)
        if self.drops:
            server.transport.abort()
            await asyncio.sleep(60)
        return "250 OK queued as 4711"


def _login(server, session, envelope, mechanism, given) -> AuthResult:
    good = (given.login, given.password) == (USERNAME.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False)


def context() -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(made)
    return made


def trusting() -> ssl.SSLContext:
    made = ssl.create_default_context()
    AUTHORITY.configure_trust(made)
    return made


@asynccontextmanager
async def mail_server(
    *, starttls: bool = False, implicit: bool = False, logins: bool = False
) -> AsyncIterator[MailServer]:
    found = MailServer()
    made: list[SMTP] = []

    def session() -> SMTP:
        made.append(
            SMTP(
                found,
                hostname="mail.test",
                loop=asyncio.get_running_loop(),
                tls_context=context() if starttls else None,
                auth_require_tls=starttls,
                authenticator=_login if logins else None,
            )
        )
        return made[-1]

    server = await asyncio.get_running_loop().create_server(
        session, "127.0.0.1", 0, ssl=context() if implicit else None
    )
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for one in made:
            if one.transport is not None:
                one.transport.abort()
        tasks = [one._handler_coroutine for one in made if one._handler_coroutine is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
