"""The section `sms` of callcontrol.yaml: gateways, each with its pace, and which texts go through which."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from callcontrol.config.problems import did_you_mean
from callcontrol.config.schema import Model, at_key, surroundings, take_secret
from callcontrol.config.values import FilePath, Id, Port, Text, Words, one_or_more

GROUP = "callcontrol.gateways"
"""The entry points by which an installed package offers gateways of its own."""

PLACES = ("to", "to_digits", "body", "key", "id", "recipient", "transfer", "report_url")
"""What every template may have in braces."""

_PLACE = re.compile(r"\{(\w+)\}")
_STATUS = re.compile(r"(\d{3})(?:-(\d{3}))?\Z")
_SECRET_LENGTH = 16


class OnDoubt(StrEnum):
    """What becomes of a text that may have been sent, where the gateway knows no repeats."""

    PARK = "park"  # at most once: a person looks
    RESEND = "resend"  # at least once


class Gateway(Model):
    SECRETS: ClassVar[tuple[str, ...]] = ("report_secret",)
    name: Id
    per_s: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] | None = None
    burst: Annotated[int, Field(ge=1, le=1000)] = 1
    at_once: Annotated[int, Field(ge=1, le=64)] = 8
    backlog_per_s: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] = 10.0
    timeout_s: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = 30.0
    on_doubt: OnDoubt = OnDoubt.PARK
    report_secret: SecretStr | None = None  # none: no delivery reports are asked for, or taken

    @field_validator("report_secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        given = secret.get_secret_value() if secret else "x" * _SECRET_LENGTH
        if len(given) < _SECRET_LENGTH or not given.isascii() or not given.isprintable() or " " in given:
            raise ValueError(f"must be at least {_SECRET_LENGTH} letters, digits or signs")
        return secret


class FileGateway(Gateway):
    type: Literal["file"]
    path: FilePath = Path("texts.jsonl")


def _beside(file: Path, info: ValidationInfo) -> Path:
    return surroundings(info).beside(file)


CaFile = Annotated[FilePath, AfterValidator(_beside)]


def _web_address(value: str) -> str:
    if not value.startswith(("https://", "http://")):
        raise ValueError(f"{value!r} is no web address; write one such as https://api.example.com")
    return value.removesuffix("/")


WebAddress = Annotated[Text, AfterValidator(_web_address)]


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
            _check_places(template, (), place)
        return self

    @property
    def port_used(self) -> int:
        return self.port or _SMTP_PORTS[self.tls]


def _values(value: Any, info: ValidationInfo) -> Any:
    """A value may come as `x_file` or `x_env`, like any secret."""
    if not isinstance(value, dict):
        return value
    found = dict(value)
    for key in value:
        name, _, way = key.rpartition("_")
        if name and way in ("file", "env"):
            take_secret(found, name, surroundings(info))
    return found


Values = Annotated[dict[str, str], BeforeValidator(_values)]


def _statuses(value: Any) -> Any:
    found = []
    for given in one_or_more(value):
        matched = _STATUS.match(str(given))
        if matched is None:
            raise ValueError(f"{given!r} is no HTTP status; write 202, or 200-299")
        first = int(matched[1])
        found.append((first, int(matched[2] or first)))
    return tuple(found)


class Rule(Model):
    status: Annotated[tuple[tuple[int, int], ...], BeforeValidator(_statuses)] = ()
    fields: dict[Text, Words] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.status and not self.fields:
            raise ValueError("fits every answer; give a status, or fields")
        return self


class Reports(Model):
    state: Text
    delivered: Words
    undelivered: Words
    id: Text | None = None
    message: Text | None = None
    detail: Text | None = None


def _json(value: Any) -> Any:
    """A mapping, all of whose values are text; or JSON, for a provider that wants numbers too."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError(f"is no JSON: {error}") from None


class Request(Model):
    method: Annotated[str, Field(pattern=r"^[A-Z]{3,10}$")] = "POST"
    url: WebAddress
    headers: dict[Text, Text] = Field(default_factory=dict)
    basic: tuple[Text, Text] | None = None
    json_: Annotated[dict[str, Any] | list[Any] | None, BeforeValidator(_json)] = Field(
        default=None, alias="json"
    )
    form: dict[Text, str] | None = None

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if self.json_ is not None and self.form is not None:
            raise at_key("form", "json is given too; keep one of them")
        return self


class HttpGateway(Gateway):
    type: Literal["http"]
    request: Request
    values: Values = Field(default_factory=dict, repr=False)
    keyed: bool = False
    taken: tuple[Rule, ...] | None = None
    again: tuple[Rule, ...] | None = None
    doubt: tuple[Rule, ...] | None = None
    id: Text | None = None
    error: Words = ("error",)
    reports: Reports | None = None
    ca_file: CaFile | None = None  # none: the system's authorities
    proxy: WebAddress | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        used: set[str] = set()
        for key, template in _templates(self.request):
            used |= _check_places(template, tuple(self.values), "request", key)
        if self.keyed and "key" not in used:
            raise at_key("keyed", "the provider knows a repeat by its {key}; put that into the request")
        return self


def _templates(request: Request) -> Iterator[tuple[str, str]]:
    yield "url", request.url
    for key, value in (
        ("headers", request.headers),
        ("basic", request.basic),
        ("json", request.json_),
        ("form", request.form),
    ):
        yield from ((key, leaf) for leaf in _leaves(value))


def _leaves(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for part in value.values():
                yield from _leaves(part)
        case list() | tuple():
            for part in value:
                yield from _leaves(part)


def _check_places(template: str, more: tuple[str, ...], *where: str) -> set[str]:
    """The words in braces. Raises for one that nothing would be put in for."""
    used, known = set(_PLACE.findall(template)), [*PLACES, *more]
    for name in sorted(used - set(known)):
        hint = did_you_mean(name, known) or f"; these do: {', '.join(known)}"
        raise at_key(where, f"{{{name}}} stands for nothing{hint}")
    return used


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


class OwnGateway(Gateway):
    """One that another package offers; its options are its own."""

    type: str
    options: Values = Field(default_factory=dict, repr=False)

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        if self.type not in _offered():
            known = [*TYPES, *_offered()]
            hint = did_you_mean(self.type, known) or f"; there are {', '.join(known)}"
            raise at_key("type", f"{self.type!r} is no kind of gateway{hint}")
        try:
            self.make(report_url="")
        except (ValueError, TypeError, KeyError) as error:
            raise at_key("options", f"{self.type} refuses them: {error}") from None
        except Exception as error:
            raise at_key("type", f"{self.type} can't be made: {type(error).__name__}: {error}") from None
        return self

    def make(self, *, report_url: str) -> Any:
        """A `ports.Gateway`; nothing is sent or opened yet."""
        factory: Callable[..., Any] = _offered()[self.type].load()
        return factory(name=self.name, options=self.options, report_url=report_url)


def _offered() -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


_OF_TYPE: Mapping[str, str] = {
    "file": "[file]",
    "smtp": "[smtp]",
    "http": "[http]",
    "sip_message": "[sip_message]",
    "smpp": "[smpp]",
    **dict.fromkeys(("twilio", "vonage", "plivo", "telnyx"), "[provider]"),
}
TYPES = tuple(_OF_TYPE)


def _type(value: Any) -> str:
    given = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return _OF_TYPE.get(str(given), "[own]")


AnyGateway = Annotated[
    Annotated[FileGateway, Tag("[file]")]
    | Annotated[SmtpGateway, Tag("[smtp]")]
    | Annotated[HttpGateway, Tag("[http]")]
    | Annotated[SipMessageGateway, Tag("[sip_message]")]
    | Annotated[SmppGateway, Tag("[smpp]")]
    | Annotated[ProviderGateway, Tag("[provider]")]
    | Annotated[OwnGateway, Tag("[own]")],
    Discriminator(_type),
]


class Route(Model):
    gateways: Annotated[tuple[Id, ...], BeforeValidator(one_or_more), Field(min_length=1)]
    prefix: Words | None = None
    recipient: Words | None = None


class Sms(Model):
    """Without gateways there is one, the file that `path` names."""

    gateway: Literal["file"] | None = None
    path: FilePath = Path("texts.jsonl")
    gateways: tuple[AnyGateway, ...] = ()
    routes: tuple[Route, ...] = ()
    report_url: WebAddress | None = None  # under which providers reach the API

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [gateway.name for gateway in self.gateways]
        if self.gateways and self.gateway is not None:
            raise at_key("gateway", "gateways are given too; name the file among them, with `type: file`")
        for n, name in enumerate(names):
            if name in names[:n]:
                raise at_key(("gateways", n, "name"), f"{name!r} is there already; give each its own name")
        for n, route in enumerate(self.routes):
            for name in route.gateways:
                if name not in self.names:
                    hint = did_you_mean(name, self.names) or f"; there are {', '.join(self.names)}"
                    raise at_key(("routes", n, "gateways"), f"there is no gateway {name!r}{hint}")
        for n, gateway in enumerate(self.gateways):
            if gateway.report_secret is not None and self.report_url is None:
                what = "reports need sms.report_url, under which the provider reaches this API"
                raise at_key(("gateways", n, "report_secret"), what)
        return self

    @property
    def every(self) -> tuple[AnyGateway, ...]:
        return self.gateways or (FileGateway.model_construct(name="file", type="file", path=self.path),)

    @property
    def names(self) -> list[str]:
        return [gateway.name for gateway in self.gateways] or ["file"]

    @property
    def sends_sip_messages(self) -> bool:
        return any(isinstance(gateway, SipMessageGateway) for gateway in self.gateways)
