"""The base of every configuration model, and pydantic's errors in the words of this product."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from callcontrol.config.document import Document
from callcontrol.config.problems import ConfigError, Place, Problem, did_you_mean
from callcontrol.config.values import NOTHING

_PASSWORD_IN_URL = re.compile(r"://[^/@]*:[^/@]+@")


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What a file is read with: where it lies, who may read it, and where secrets may come from."""

    directory: Path
    others_may_read: bool
    environment: Mapping[str, str]

    @property
    def credentials(self) -> Path | None:
        """The credentials systemd passed, if the service was given any."""
        given = self.environment.get("CREDENTIALS_DIRECTORY")
        return Path(given) if given else None

    def beside(self, file: Path) -> Path:
        """A path as the file means it: relative to the file."""
        return (self.directory / file).resolve()


class Model(BaseModel):
    """Frozen, with no unknown keys. A field in SECRETS may also be given as `x_file` or `x_env`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    SECRETS: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _prepare(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, dict):
            return data
        fields = (field.alias or name for name, field in cls.model_fields.items())
        known = [*fields, *(f"{name}_{way}" for name in cls.SECRETS for way in ("file", "env"))]
        unknown = [key for key in data if key not in known]
        if unknown:
            raise PydanticCustomError("unknown_keys", "unknown", {"unknown": unknown, "known": known})
        prepared = dict(data)
        for name in cls.SECRETS if data else ():
            take_secret(prepared, name, surroundings(info))
        return prepared


def surroundings(info: ValidationInfo) -> Surroundings:
    assert isinstance(info.context, Surroundings)  # noqa: S101 - `validate` is the only caller
    return info.context


def take_secret(data: dict[str, Any], name: str, around: Surroundings) -> None:
    """Replace `name_file` or `name_env` by the secret itself."""
    ways = [key for key in (name, f"{name}_file", f"{name}_env") if data.get(key) is not None]
    if len(ways) > 1:
        raise at_key(ways[1], f"{ways[0]} is given too; keep one of them")
    file, variable = data.pop(f"{name}_file", None), data.pop(f"{name}_env", None)
    inline = data.get(name)
    if isinstance(inline, str) and around.others_may_read and _secret_in(inline):
        raise at_key(
            name,
            "a secret is written here, and others may read this file; run chmod 600 on it,"
            f" or use {name}_file or {name}_env",
        )
    if file is not None:
        data[name] = _from_file(str(file), around, f"{name}_file")
    elif variable is not None:
        value = around.environment.get(str(variable), "").strip()
        if not value:
            raise at_key(
                f"{name}_env", f"the environment variable {variable} is not set; set it, and restart"
            )
        data[name] = value


def _secret_in(value: str) -> bool:
    """A URL is a secret only where a password is in it."""
    return "://" not in value or bool(_PASSWORD_IN_URL.search(value))


def _from_file(given: str, around: Surroundings, key: str) -> str:
    """From systemd's credential of that name, if there is one; otherwise from the file."""
    passed = around.credentials / Path(given).name if around.credentials else None
    is_credential = passed is not None and passed.is_file()
    file = passed if passed is not None and is_credential else around.directory / Path(given).expanduser()
    try:
        if not is_credential and file.stat().st_mode & 0o007:
            raise at_key(key, f"{file} may be read by everyone; run chmod o-rwx {file}")
        secret = file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise at_key(key, f"there is no file {file}; `callcontrol init` makes it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise at_key(key, f"{file} can't be read: {error}") from None
    if not secret:
        raise at_key(key, f"{file} is empty; put the secret into it, on one line")
    return secret


def at_key(key: str | Place, what: str) -> PydanticCustomError:
    """A problem at a key below the value that is looked at, or at the end of a way from it."""
    way = (key,) if isinstance(key, str) else key
    return PydanticCustomError("at_key", "wrong", {"way": way, "what": what})


AnyModel = TypeVar("AnyModel", bound=Model)


def validate(model: type[AnyModel], document: Document) -> AnyModel:
    """Raises ConfigError with every problem found."""
    if not isinstance(document.data, dict):
        raise ConfigError([document.problem((), "must hold keys and values, such as the shipped example")])
    around = Surroundings(
        directory=document.file.absolute().parent,
        others_may_read=document.others_may_read,
        environment=os.environ,
    )
    try:
        return model.model_validate(document.data, context=around)
    except ValidationError as error:
        problems = [p for detail in error.errors() for p in _problems(detail, document)]
        raise ConfigError(sorted(problems, key=lambda p: p.line or 0)) from None


def _problems(error: ErrorDetails, document: Document) -> list[Problem]:
    place: Place = tuple(step for step in error["loc"] if not _pydantics_own(step))
    given = error.get("ctx", {})
    match error["type"]:
        case "unknown_keys":
            return [
                document.problem((*place, key), _unknown(key, given["known"])) for key in given["unknown"]
            ]
        case "at_key":
            return [document.problem((*place, *given["way"]), given["what"])]
        case "too_short" if error["input"]:
            return []  # pydantic counts only the good items; the bad ones are reported themselves
        case "missing":
            return [document.problem(place, "is missing; add it")]
        case "value_error":
            return [document.problem(place, str(given["error"]))]
        case _:
            return [document.problem(place, _right(error))]


def _pydantics_own(step: str | int) -> bool:
    """`[key]`, a union's tag in brackets, or a validator: nothing that stands in the file."""
    return isinstance(step, str) and (step.startswith("[") or step == "function-after")


def _unknown(key: str, known: list[str]) -> str:
    hint = did_you_mean(key, known)
    return f"is no key that belongs here{hint or '; these do: ' + ', '.join(known)}"


_RIGHT = {
    "int": "{shown} is no whole number; write one such as 30",
    "float": "{shown} is no number; write one such as 35 or 2.5",
    "finite": "{shown} is no number; write one such as 35 or 2.5",
    "bool": "{shown} is neither yes nor no; write yes or no",
    "greater_than": "{shown} is too small; it must be more than {gt:g}",
    "greater_than_equal": "{shown} is too small; it must be at least {ge:g}",
    "less_than_equal": "{shown} is too large; it must be at most {le:g}",
    "tuple": "{shown} is no list; write its items each on a line of its own, after a hyphen",
    "dict": "{shown} is no mapping; write keys and values below it",
    "model": "{shown} is no mapping; write keys and values below it",
    "string": "{shown} where one value is wanted",
    "too_short": "is empty; give at least one",
}
"""By pydantic's type of error, or by the first word of it."""


def _right(error: ErrorDetails) -> str:
    """What would be right, for pydantic's own kinds of error."""
    given, kind, limits = error["input"], error["type"], error.get("ctx", {})
    if given is None:
        return NOTHING
    shown = "a list" if isinstance(given, list) else "a mapping" if isinstance(given, dict) else repr(given)
    if kind == "enum":
        choices = str(limits["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        return f"{shown} is none of {', '.join(choices)}{did_you_mean(str(given), choices)}"
    right = _RIGHT.get(kind) or _RIGHT.get(kind.partition("_")[0])
    return right.format(shown=shown, **limits) if right else error["msg"]


def exactly_one(model: BaseModel, *names: str) -> str:
    """The one of these fields that is given. Raises ValueError."""
    given = [name for name in names if getattr(model, name) is not None]
    if len(given) != 1:
        choice = ", ".join(names[:-1]) + f" or {names[-1]}"
        raise ValueError(f"give exactly one of {choice}" + (f"; here are {len(given)}" if given else ""))
    return given[0]
