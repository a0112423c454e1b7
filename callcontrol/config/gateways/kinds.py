"""The gateways that callcontrol brings along."""

from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from callcontrol.config.gateways.base import CaFile, Gateway, WebAddress, check_places
from callcontrol.config.schema import at_key
from callcontrol.config.values import FilePath, Port, Text, Words


class FileGateway(Gateway):
    type: Literal["file"]
    path: FilePath = Path("texts.jsonl")


class ProviderGateway(Gateway):
    SECRETS: ClassVar = ("report_secret", "secret")
    type: Literal["twilio", "vonage", "plivo", "telnyx"]
    account: Text = ""
    secret: SecretStr
    sender: Text = Field(alias="from")
    url: WebAddress | None = None  # none: the provider's own
    ca_file: CaFile | None = None  # none: the system's authorities
    proxy: WebAddress | None = None

    @model_validator(mode="after")
    def _has_an_account(self) -> Self:
        if not self.account and self.type != "telnyx":
            raise ValueError(f"{self.type} needs an account: the id or key that goes with the secret")
        return self


class SmtpTls(StrEnum):
    STARTTLS = "starttls"
    IMPLICIT = "implicit"
    NONE = "none"


_SMTP_PORTS = {SmtpTls.STARTTLS: 587, SmtpTls.IMPLICIT: 465, SmtpTls.NONE: 25}


class SmtpGateway(Gateway):
    SECRETS: ClassVar = ("report_secret", "password")
    type: Literal["smtp"]
    host: Text
    port: Port | None = None  # none: 587, or as `tls` has it
    tls: SmtpTls = SmtpTls.STARTTLS
    ca_file: CaFile | None = None  # none: the system's authorities
    username: Text | None = None
    password: SecretStr | None = None
    sender: Text = Field(alias="from")
    to: Words = ("{to}",)
    subject: Text | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if "@" not in self.sender:
            raise at_key("from", f"{self.sender!r} is no mail address")
        if (self.username is None) != (self.password is None):
            raise ValueError("give a username and a password, or neither")
        if self.username is not None and self.tls is SmtpTls.NONE:
            raise at_key("tls", "a password is not sent in clear; write starttls or implicit")
        for place, template in (*(("to", one) for one in self.to), ("subject", self.subject or "")):
            check_places(template, (), place)
        return self

    @property
    def port_used(self) -> int:
        return self.port or _SMTP_PORTS[self.tls]


class LongTexts(StrEnum):
    """How an SMSC is given what takes more than one segment."""

    PARTS = "parts"
    PAYLOAD = "payload"


class SmppGateway(Gateway):
    SECRETS: ClassVar = ("report_secret", "password")
    type: Literal["smpp"]
    host: Text
    port: Port | None = None  # none: 2775, or 3550 with TLS
    tls: bool = False
    ca_file: CaFile | None = None  # none: the system's authorities
    username: Annotated[Text, Field(max_length=15)]
    password: SecretStr
    system_type: Annotated[str, Field(max_length=12)] = ""
    sender: Annotated[Text, Field(max_length=20)] = Field(alias="from")
    long: LongTexts = LongTexts.PARTS
    receipts: bool = True

    @field_validator("type")
    @classmethod
    def _is_installed(cls, given: str) -> str:
        if find_spec("smpplib") is None:
            raise ValueError("needs the package smpplib; install callcontrol[smpp]")
        return given

    @field_validator("password")
    @classmethod
    def _short_enough(cls, given: SecretStr) -> SecretStr:
        if len(given.get_secret_value()) > 8:
            raise ValueError("is longer than 8 characters, which SMPP has no room for")
        return given

    @model_validator(mode="after")
    def _is_ascii(self) -> Self:
        for key, value in (
            ("username", self.username),
            ("from", self.sender),
            ("system_type", self.system_type),
        ):
            if not value.isascii():
                raise at_key(key, f"{value!r} has letters that SMPP can't carry")
        return self

    @property
    def port_used(self) -> int:
        return self.port or (3550 if self.tls else 2775)


class SipMessageGateway(Gateway):
    type: Literal["sip_message"]
