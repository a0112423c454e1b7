"""Texts by mail: to a mail-to-SMS gateway, or to people's mailboxes.

The dialogue is our own, command by command: what goes wrong before the mail's data is certain, and
what goes wrong after it is not.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime
from enum import StrEnum
from hashlib import sha256

import aiosmtplib
import structlog
from aiosmtplib import SMTPException, SMTPRecipientRefused, SMTPResponseException

from callcontrol.adapters.sms.filling import fill, values_of
from callcontrol.ports import BusyError, DoubtError, Message, PortError, UnreachableError

log = structlog.get_logger(__name__)


class Tls(StrEnum):
    STARTTLS = "starttls"  # demanded: a server that doesn't offer it gets nothing
    IMPLICIT = "implicit"
    NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class SmtpSettings:
    host: str
    port: int
    sender: str
    to: tuple[str, ...] = ("{to}",)  # such as {to_digits}@sms.example.com
    subject: str = ""
    tls: Tls = Tls.STARTTLS
    context: ssl.SSLContext | None = None  # none: the system's authorities
    username: str = ""
    password: str = field(default="", repr=False)
    timeout_s: float = 10.0  # until the mail can be given, and then for it to be taken


class SmtpGateway:
    """A repeat has the same Message-ID; but no server promises to know it, so it counts as unkeyed."""

    keyed = False

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings

    async def send(self, message: Message) -> str:
        given = self._settings
        mail = _mail(given, message)
        recipients = [address.addr_spec for address in mail["To"].addresses]
        try:
            async with asyncio.timeout(given.timeout_s) as limit, self._connected() as smtp:
                with _certain():
                    await smtp.mail(given.sender)
                refused = await _refused(smtp, recipients)
                if len(refused) == len(recipients):
                    raise _refusal(refused[0])
                limit.reschedule(None)
                await _data(smtp, mail)
        except TimeoutError:
            why = f"the mail server was not ready for a mail within {given.timeout_s:g} s"
            raise PortError(why, retryable=True) from None
        if refused:
            log.warning("a mail was refused for some", message=message.id, recipients=len(refused))
        return str(mail["Message-ID"])

    async def close(self) -> None:
        pass

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[aiosmtplib.SMTP]:
        given = self._settings
        smtp = aiosmtplib.SMTP(
            hostname=given.host,
            port=given.port,
            timeout=given.timeout_s,
            use_tls=given.tls is Tls.IMPLICIT,
            start_tls=given.tls is Tls.STARTTLS,
            tls_context=given.context or ssl.create_default_context(),
            local_hostname=given.sender.rpartition("@")[2],
        )
        with _certain():
            await smtp.connect()
        try:
            if given.username:
                with _certain(a_secret=True):
                    await smtp.login(given.username, given.password)
            yield smtp
            with suppress(SMTPException, OSError):
                await smtp.quit(timeout=1)
        finally:
            smtp.close()


class _certain:  # noqa: N801 - reads as a phrase
    """What goes wrong in here goes wrong before a mail was sent."""

    def __init__(self, *, a_secret: bool = False) -> None:
        self._a_secret = a_secret

    def __enter__(self) -> None: ...

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: object) -> None:
        if isinstance(error, SMTPResponseException) and not self._a_secret:
            raise _refusal(error) from None
        if isinstance(error, SMTPException | OSError | ValueError):
            raise PortError(_words(error), retryable=True) from None


async def _data(smtp: aiosmtplib.SMTP, mail: EmailMessage) -> None:
    try:
        await smtp.data(mail.as_bytes())
    except SMTPResponseException as error:
        raise _refusal(error) from None
    except (SMTPException, OSError) as error:
        raise DoubtError(_words(error)) from None


async def _refused(smtp: aiosmtplib.SMTP, recipients: list[str]) -> list[SMTPRecipientRefused]:
    refused = []
    with _certain():
        for recipient in recipients:
            try:
                await smtp.rcpt(recipient)
            except SMTPRecipientRefused as error:
                refused.append(error)
    return refused


def _refusal(error: SMTPResponseException) -> PortError:
    """A 4xx is a server that may take it later (RFC 5321, 4.2.1)."""
    if 400 <= error.code < 500:
        of_one = isinstance(error, SMTPRecipientRefused)
        return UnreachableError(_words(error)) if of_one else BusyError(_words(error))
    return PortError(_words(error), retryable=False)


def _words(error: BaseException) -> str:
    if isinstance(error, SMTPResponseException):
        return f"{error.code} {' '.join(error.message.split())}"[:200]
    return f"the mail server: {error or type(error).__name__}"[:200]


def _mail(given: SmtpSettings, message: Message) -> EmailMessage:
    """Raises PortError for what no mail can be made of."""
    known = values_of(message)
    domain = given.sender.rpartition("@")[2]
    mail = EmailMessage(policy=WIRE)
    try:
        mail["From"] = Address(addr_spec=given.sender)
        mail["To"] = [Address(addr_spec=_address(fill(to, known))) for to in given.to]
        mail["Subject"] = fill(given.subject, known)
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Message-ID"] = f"<{sha256(message.dedupe_key.encode()).hexdigest()[:40]}@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"  # no answer by a machine (RFC 3834)
        mail.set_content(message.body)
    except (ValueError, MessageError) as error:
        raise PortError(f"no mail can be made of it: {error}", retryable=False) from None
    return mail


def _address(given: str) -> str:
    name, _, domain = given.rpartition("@")
    if not name or not domain or not given.isascii():
        raise ValueError("there is no mail address to send it to")
    return given
