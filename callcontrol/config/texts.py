"""The words of texts, as callcontrol.yaml has them."""

from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

import phonenumbers
from pydantic import BeforeValidator, Field, model_validator

from callcontrol.config.schema import Model
from callcontrol.config.values import Id, text
from callcontrol.core.followup import Occasion, Recipient
from callcontrol.core.model import BotId
from callcontrol.wording import Discretion, Pii, Template, Templates, Wording

_LINES = str.maketrans("\n\t", "  ")
_IN_LINK = ("transfer", "lead")


def _words(value: Any) -> str:
    """A template, on as many lines as it likes."""
    text(value.translate(_LINES) if isinstance(value, str) else value)
    return str(value)


def _connected(value: Any) -> str:
    return Template(Occasion.CONNECTED, _words(value)).source


def _missed(value: Any) -> str:
    return Template(Occasion.MISSED, _words(value)).source


def _overdue(value: Any) -> str:
    return Template(Occasion.OVERDUE, _words(value)).source


def _resting(value: Any) -> str:
    return Template(Occasion.RESTING, _words(value)).source


def _for_all(value: Any) -> Any:
    return {"everyone": value} if isinstance(value, str) else value


def _link(value: Any) -> str:
    given = text(value)
    parts = urlsplit(given)
    try:
        placeholders = [name for _, name, spec, _ in Formatter().parse(given) if name is not None or spec]
    except ValueError:
        placeholders = [""]
    if parts.scheme not in ("http", "https") or not parts.hostname or set(placeholders) - set(_IN_LINK):
        raise ValueError(f"{given!r} is no link; write https://crm.example.com/transfers/{{transfer}}")
    if not placeholders:
        return f"{given.rstrip('/')}/transfers/{{transfer}}"
    return given


def _country(value: Any) -> str:
    given = text(value).upper()
    if given not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"{given!r} is no country; write its two letters, such as US")
    return given


class OnConnected(Model):
    """By recipient; `everyone` is for those who have none of their own."""

    everyone: Annotated[str, BeforeValidator(_connected)] | None = None
    agent: Annotated[str, BeforeValidator(_connected)] | None = None
    owner: Annotated[str, BeforeValidator(_connected)] | None = None
    pool: Annotated[str, BeforeValidator(_connected)] | None = None
    list: Annotated[str, BeforeValidator(_connected)] | None = None


class OnMissed(Model):
    """Likewise."""

    everyone: Annotated[str, BeforeValidator(_missed)] | None = None
    agent: Annotated[str, BeforeValidator(_missed)] | None = None
    owner: Annotated[str, BeforeValidator(_missed)] | None = None
    pool: Annotated[str, BeforeValidator(_missed)] | None = None
    list: Annotated[str, BeforeValidator(_missed)] | None = None


class OnOverdue(Model):
    """Likewise; the owner gets it, or where there is none the agent."""

    everyone: Annotated[str, BeforeValidator(_overdue)] | None = None
    agent: Annotated[str, BeforeValidator(_overdue)] | None = None
    owner: Annotated[str, BeforeValidator(_overdue)] | None = None


class OnResting(Model):
    """Only the agent gets it."""

    everyone: Annotated[str, BeforeValidator(_resting)] | None = None


class OwnWords(Model):
    connected: Annotated[OnConnected, BeforeValidator(_for_all)] = OnConnected()
    missed: Annotated[OnMissed, BeforeValidator(_for_all)] = OnMissed()
    overdue: Annotated[OnOverdue, BeforeValidator(_for_all)] = OnOverdue()
    resting: Annotated[OnResting, BeforeValidator(_for_all)] = OnResting()

    def templates(self, bot: BotId | None) -> Iterator[tuple[tuple[Any, ...], Template]]:
        for occasion in Occasion:
            for recipient in (None, *Recipient):
                of: Model = getattr(self, occasion.value)
                source = getattr(of, "everyone" if recipient is None else recipient.value, None)
                if source is not None:
                    yield (bot, occasion, recipient), Template(occasion, source)


class Texts(OwnWords):
    pii: Pii = Pii.FULL
    segments: Annotated[int, Field(ge=1, le=20)] = 4  # a text is cut to so many
    link: Annotated[str, BeforeValidator(_link)] | None = None
    country: Annotated[str, BeforeValidator(_country)] | None = None  # of numbers without a country code
    bots: Mapping[Id, OwnWords] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _a_link_where_nothing_else_is_said(self) -> Self:
        if self.pii is Pii.LINK and self.link is None:
            raise ValueError(
                "pii is link, so a `link:` is needed, such as https://crm.example.com/transfers/{transfer}"
            )
        return self

    def wording(self) -> Wording:
        own = dict(self.templates(None))
        for bot, words in self.bots.items():
            own |= dict(words.templates(BotId(bot)))
        discretion = Discretion(pii=self.pii, link=self.link or "", country=self.country or "")
        return Wording(Templates(own), discretion, segments=self.segments)
