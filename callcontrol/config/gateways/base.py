"""What gateways of every kind have: a name, a pace, and templates with places for the facts of a text."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator

from callcontrol.config.problems import did_you_mean
from callcontrol.config.schema import Model, at_key, surroundings, take_secret
from callcontrol.config.values import FilePath, Id, Text

PLACES = ("to", "to_digits", "body", "key", "id", "recipient", "transfer", "report_url")
"""What every template may have in braces."""

_PLACE = re.compile(r"\{(\w+)\}")
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


def _beside(file: Path, info: ValidationInfo) -> Path:
    return surroundings(info).beside(file)


CaFile = Annotated[FilePath, AfterValidator(_beside)]


def _web_address(value: str) -> str:
    if not value.startswith(("https://", "http://")):
        raise ValueError(f"{value!r} is no web address; write one such as https://api.example.com")
    return value.removesuffix("/")


WebAddress = Annotated[Text, AfterValidator(_web_address)]


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


def check_places(template: str, more: tuple[str, ...], *where: str) -> set[str]:
    """The words in braces. Raises for one that nothing would be put in for."""
    used, known = set(_PLACE.findall(template)), [*PLACES, *more]
    for name in sorted(used - set(known)):
        hint = did_you_mean(name, known) or f"; these do: {', '.join(known)}"
        raise at_key(where, f"{{{name}}} stands for nothing{hint}")
    return used
