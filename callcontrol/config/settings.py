"""callcontrol.yaml: how the daemon runs. Relative paths are relative to the file itself, but for
what callcontrol writes: that goes below `state_directory`.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator, model_validator
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from callcontrol.config.document import read
from callcontrol.config.gateways import Sms
from callcontrol.config.schema import Model, surroundings, validate
from callcontrol.config.texts import Texts
from callcontrol.config.values import (
    Command,
    DialTemplate,
    FilePath,
    Minutes,
    Number,
    Pause,
    Port,
    Prefixes,
    Query,
    Region,
    Seconds,
    Span,
    Text,
    Zone,
)
from callcontrol.config.webhooks import Webhook

_TOKEN_LENGTH = 24


class PbxKind(StrEnum):
    ASTERISK = "asterisk"
    FREESWITCH = "freeswitch"
    SIMULATED = "simulated"


def _one_line(secret: SecretStr) -> SecretStr:
    if any(ord(c) < 32 for c in secret.get_secret_value()):
        raise ValueError("must be one line")
    return secret


Password = Annotated[SecretStr, AfterValidator(_one_line)]
"""To log in to a switch."""


class Dial(Model):
    """How an endpoint is dialled; `{address}` stands for the extension or the number."""

    extension: DialTemplate = "PJSIP/{address}"
    number: DialTemplate = "Local/{address}@callcontrol-outside/n"


class Tls(Model):
    ca_file: FilePath | None = None  # none: the system's authorities

    @field_validator("ca_file")
    @classmethod
    def _beside_the_config(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        return surroundings(info).beside(file) if file else None


class Asterisk(Model):
    SECRETS: ClassVar = ("secret",)
    host: Text = "127.0.0.1"
    port: Port = 5038
    username: Text = "callcontrol"
    secret: Password
    tls: Tls | None = None
    dial: Dial = Dial()
    alert_info: Text | None = None
    outside_caller_number: Number | None = None  # shown to numbers outside; none: the lead's own


class FreeswitchDial(Model):
    """How an endpoint is dialled; `{address}` stands for the extension or the number."""

    extension: DialTemplate = "user/{address}"
    number: DialTemplate = "sofia/gateway/trunk/{address}"


class Freeswitch(Model):
    SECRETS: ClassVar = ("secret",)
    host: Text = "127.0.0.1"
    port: Port = 8021
    username: Text | None = (
        "callcontrol@callcontrol"  # none: the socket's own password, which may do everything
    )
    secret: Password
    domain: Text | None = None  # of the phones, for lamps; none: what the switch calls its own
    dial: FreeswitchDial = FreeswitchDial()
    alert_info: Text | None = None
    outside_caller_number: Number | None = None  # shown to numbers outside; none: the lead's own


def _a_database(url: SecretStr) -> SecretStr:
    example = "write sqlite:///callcontrol.db or postgresql://user@host/name"
    try:
        parsed = make_url(url.get_secret_value())
    except (ArgumentError, ValueError):
        raise ValueError(f"is no database URL; {example}") from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ValueError(f"{parsed.get_backend_name()!r} is not supported; {example}")
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ValueError("a SQLite database needs a file; write sqlite:///callcontrol.db")
    return url


DatabaseUrl = Annotated[SecretStr, AfterValidator(_a_database)]


class Database(Model):
    SECRETS: ClassVar = ("url",)
    url: DatabaseUrl = SecretStr("sqlite:///callcontrol.db")


class OwnTables(Model):
    """Where the site's own leads, toggles and agents are: a database that is only read, and its queries."""

    SECRETS: ClassVar = ("url",)
    url: DatabaseUrl
    lead: Query | None = None
    availability: Query | None = None
    agents: Query | None = None
    agents_every_s: Annotated[Seconds, Field(ge=1)] = 15.0  # how often the agents are taken over

    @field_validator("url")
    @classmethod
    def _beside_the_config(cls, url: SecretStr, info: ValidationInfo) -> SecretStr:
        parsed = make_url(url.get_secret_value())
        if parsed.get_backend_name() != "sqlite":
            return url
        file = surroundings(info).beside(Path(str(parsed.database)))
        return SecretStr(parsed.set(database=str(file)).render_as_string(hide_password=False))

    @model_validator(mode="after")
    def _some_query(self) -> Self:
        if not (self.lead or self.availability or self.agents):
            raise ValueError("has no query; give one of lead, availability, agents")
        return self


class Access(StrEnum):
    FULL = "full"
    READ = "read"


class Token(Model):
    SECRETS: ClassVar = ("secret",)
    name: Text
    secret: SecretStr
    access: Access = Access.FULL

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr) -> SecretStr:
        given = secret.get_secret_value()
        if len(given) < _TOKEN_LENGTH or not given.isascii() or not given.isprintable() or " " in given:
            raise ValueError(
                f"must be at least {_TOKEN_LENGTH} letters, digits or signs; `callcontrol init` makes one"
            )
        return secret


class Api(Model):
    host: Text = "127.0.0.1"
    port: Port = 8474
    tokens: Annotated[tuple[Token, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [token.name for token in self.tokens]
        if len(set(names)) < len(names):
            raise ValueError("two tokens have the same name; give each its own")
        return self


class Speech(Model):
    """Text to a sound file. `{raw}` is what the command writes, `{out}` what the switch plays."""

    command: Command = ("espeak-ng", "-v", "en-us", "-s", "165", "--stdin", "-w", "{raw}")
    convert: Command = ("sox", "{raw}", "-r", "8000", "-c", "1", "-b", "16", "{out}")
    directory: FilePath = Path("sounds")
    directory_on_pbx: FilePath | None = None  # where the switch sees `directory`, if elsewhere
    timeout_s: Seconds = 20.0

    @model_validator(mode="after")
    def _files_have_a_place(self) -> Self:
        if not any("{raw}" in part for part in self.command):
            raise ValueError("command must have {raw} in it: the sound file that it writes")
        if not all(any(name in part for part in self.convert) for name in ("{raw}", "{out}")):
            raise ValueError("convert must have {raw} and {out} in it: the file it reads, the one it writes")
        return self


class Escalation(Model):
    """Texts to the owner about a task that nobody touches."""

    again_minutes: Minutes = 15
    at_most: Annotated[int, Field(ge=0, le=20)] = 3


class Tasks(Model):
    """Call backs: when they are due, what counts as one, and when the owner is told."""

    due_minutes: Minutes = 5
    shortest_talk_s: Pause = 0.0
    escalation: Escalation = Escalation()
    quiet_hours: Span = (21 * 60, 8 * 60)
    zone: Zone = ZoneInfo("UTC")  # of leads whose number tells none
    region: Region | None = None
    trunk_prefixes: Prefixes = ("9", "0")


class Retention(Model):
    """How long personal data is kept."""

    days: Annotated[int, Field(ge=1, le=36_500)] | None = None  # none: until someone says `forget`


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    AUTO = "auto"  # for people on a terminal, JSON elsewhere
    JSON = "json"
    TEXT = "text"


class Logging(Model):
    level: LogLevel = LogLevel.INFO
    format: LogFormat = LogFormat.AUTO
    pii: bool = False


class Config(Model):
    pbx: PbxKind = PbxKind.ASTERISK
    asterisk: Asterisk | None = None
    freeswitch: Freeswitch | None = None
    state_directory: FilePath = Field(default=Path("../var"), validate_default=True)
    database: Database = Field(default_factory=Database)
    own_tables: OwnTables | None = None
    api: Api
    sms: Sms = Sms()
    speech: Speech | None = None
    tasks: Tasks = Tasks()
    texts: Texts = Texts()
    webhooks: tuple[Webhook, ...] = ()
    retention: Retention = Retention()
    logging: Logging = Logging()

    @field_validator("webhooks")
    @classmethod
    def _webhooks_differ(cls, webhooks: tuple[Webhook, ...]) -> tuple[Webhook, ...]:
        if len({webhook.name for webhook in webhooks}) < len(webhooks):
            raise ValueError("two webhooks have the same name; give each its own")
        return webhooks

    @field_validator("state_directory")
    @classmethod
    def _beside_the_config(cls, directory: Path, info: ValidationInfo) -> Path:
        return surroundings(info).beside(directory)

    @model_validator(mode="after")
    def _settings_of_the_pbx(self) -> Self:
        sections = {PbxKind.ASTERISK: self.asterisk, PbxKind.FREESWITCH: self.freeswitch}
        if self.pbx in sections and sections[self.pbx] is None:
            raise ValueError(
                f"pbx is {self.pbx}, so a section `{self.pbx}:` is needed; copy the shipped example's"
            )
        return self

    def written(self, file: Path) -> Path:
        """Where something that callcontrol writes is to lie."""
        return self.state_directory / file

    @property
    def database_file(self) -> Path | None:
        """Of an SQLite database; below the state directory where the URL's path is relative."""
        url = make_url(self.database.url.get_secret_value())
        return self.written(Path(str(url.database))) if url.get_backend_name() == "sqlite" else None

    @property
    def database_url(self) -> str:
        """With its password."""
        url = make_url(self.database.url.get_secret_value())
        if self.database_file is not None:
            url = url.set(database=str(self.database_file))
        return url.render_as_string(hide_password=False)


def secret_files(path: Path) -> list[Path]:
    """The files that a configuration names for its secrets, but not for URLs. Raises ConfigError."""
    document = read(path)
    data = document.data if isinstance(document.data, dict) else {}
    api = data.get("api")
    tokens = api.get("tokens") if isinstance(api, dict) else None
    webhooks = data.get("webhooks")
    lists = [some for some in (tokens, webhooks) if isinstance(some, list)]
    holders = [data.get("asterisk"), data.get("freeswitch"), *(holder for some in lists for holder in some)]
    named = [holder.get("secret_file") for holder in holders if isinstance(holder, dict)]
    sms = data.get("sms")
    gateways = sms.get("gateways") if isinstance(sms, dict) else None
    reporting = [one for one in gateways if isinstance(one, dict)] if isinstance(gateways, list) else []
    named += [gateway.get("report_secret_file") for gateway in reporting]
    return [path.absolute().parent / Path(name).expanduser() for name in named if isinstance(name, str)]


def load_config(path: Path) -> Config:
    """Raises ConfigError."""
    return validate(Config, read(path))
