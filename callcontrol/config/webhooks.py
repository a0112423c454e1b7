"""Outside systems that are told of facts, as callcontrol.yaml has them."""

import base64
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from callcontrol.config.problems import did_you_mean
from callcontrol.config.schema import Model
from callcontrol.config.values import Id, Seconds, Text, one_or_more, text
from callcontrol.core.hooks import HookEvent

_SECRET_LENGTH = 24
_ALL = frozenset(HookEvent)
_FAMILIES = tuple(dict.fromkeys(f"{event.value.partition('.')[0]}.*" for event in HookEvent))


def _event(value: Any) -> str:
    given = text(value)
    known = (*(event.value for event in HookEvent), *_FAMILIES)
    if given not in known:
        hint = did_you_mean(given, known) or f"; there are {', '.join(known)}"
        raise ValueError(f"{given!r} is no event{hint}")
    return given


def _url(value: Any) -> str:
    given = text(value)
    parts = urlsplit(given)
    plain = given.isascii() and " " not in given and not parts.username and not parts.fragment
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise ValueError(f"{given!r} is no address; write https://crm.example.com/callcontrol")
    return given


Events = Annotated[
    tuple[Annotated[str, BeforeValidator(_event)], ...], BeforeValidator(one_or_more), Field(min_length=1)
]


class Webhook(Model):
    SECRETS: ClassVar = ("secret",)
    name: Id
    url: Annotated[Text, BeforeValidator(_url)]
    secret: SecretStr
    events: Events = _FAMILIES
    pii: bool = True  # no: of a lead the id alone
    timeout_s: Annotated[Seconds, Field(le=60)] = 10.0

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr) -> SecretStr:
        given = secret.get_secret_value()
        if len(given) < _SECRET_LENGTH or not given.isascii() or not given.isprintable() or " " in given:
            raise ValueError(
                f"must be at least {_SECRET_LENGTH} letters, digits or signs; `callcontrol init` makes one"
            )
        if given.startswith("whsec_"):
            try:
                base64.b64decode(given.removeprefix("whsec_"), validate=True)
            except ValueError:
                raise ValueError("begins with whsec_, and what follows is no base64") from None
        return secret

    def wanted(self) -> frozenset[HookEvent]:
        return frozenset(
            event
            for event in _ALL
            if event.value in self.events or f"{event.value.partition('.')[0]}.*" in self.events
        )

    @property
    def host(self) -> str:
        """What of the address may be shown: the rest may hold a secret."""
        return urlsplit(self.url).hostname or ""

    @property
    def in_clear(self) -> bool:
        """Whether anybody on the way can read what is sent."""
        return urlsplit(self.url).scheme == "http" and self.host not in ("localhost", "127.0.0.1", "::1")
