"""A gateway described in the configuration itself: the request, and what the answers mean."""

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from callcontrol.config.gateways.base import CaFile, Gateway, Values, WebAddress, check_places
from callcontrol.config.schema import Model, at_key
from callcontrol.config.values import Text, Words, one_or_more

_STATUS = re.compile(r"(\d{3})(?:-(\d{3}))?\Z")


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
            used |= check_places(template, tuple(self.values), "request", key)
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
