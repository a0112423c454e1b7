"""A rule's `when`.

Short: `{source: [zillow, trulia], intent: sell}`, all of them, each one of its words. Long: `{all: [...]}`
or `{any: [...]}` of conditions such as `{fact: budget, between: [100000, 500000]}`; `always` fits everyone.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

import regex
from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from callcontrol.config.document import parse
from callcontrol.config.problems import ConfigError, Place
from callcontrol.config.schedule import Schedule
from callcontrol.config.schema import Model, validate
from callcontrol.config.values import Text, Words, Zone, text
from callcontrol.core import model as core

ALWAYS = "always"
_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{1,18})?\Z")


def _number(value: Any) -> str:
    given = text(value).replace(" ", "")
    if not _NUMBER.match(given):
        raise ValueError(f"{given!r} is no number; write one such as 250000 or 2.5")
    return given


def _pattern(value: Any) -> str:
    given = text(value)
    try:
        regex.compile(given, regex.IGNORECASE)
    except regex.error as error:
        raise ValueError(f"{given!r} is no regular expression: {error}") from None
    return given


def _patterns(value: Any) -> Any:
    return tuple(map(_pattern, value if isinstance(value, list) else [value]))


Amount = Annotated[str, BeforeValidator(_number)]
Patterns = Annotated[tuple[str, ...], BeforeValidator(_patterns), Field(min_length=1)]


class Fact(Model):
    """One comparison."""

    fact: Text
    is_: Words | None = Field(None, alias="is")
    is_not: Words | None = None
    prefix: Words | None = None
    between: tuple[Amount, Amount] | None = None
    at_least: Amount | None = None
    at_most: Amount | None = None
    matches: Patterns | None = None
    present: bool | None = None
    absent: bool | None = None

    @model_validator(mode="after")
    def _one_comparison(self) -> Self:
        given = [name for name in COMPARISONS if getattr(self, _field(name)) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(COMPARISONS)}; here are {', '.join(given) or 'none'}")
        if self.between and float(self.between[0]) > float(self.between[1]):
            raise ValueError(f"{' to '.join(self.between)} goes down; write the smaller number first")
        return self

    def to_core(self) -> core.Compare:
        operator, values = self._compared()
        return core.Compare(fact=self.fact, operator=operator, values=values)

    def _compared(self) -> tuple[core.Operator, tuple[str, ...]]:
        if self.present is not None or self.absent is not None:
            there = self.present if self.present is not None else not self.absent
            return core.Operator.PRESENT if there else core.Operator.ABSENT, ()
        if self.matches is not None:
            return core.Operator.MATCHES, self.matches
        if self.at_least is not None:
            return core.Operator.BETWEEN, (self.at_least, "inf")
        if self.at_most is not None:
            return core.Operator.BETWEEN, ("-inf", self.at_most)
        if self.between is not None:
            return core.Operator.BETWEEN, self.between
        for operator, words in (
            (core.Operator.IS, self.is_),
            (core.Operator.IS_NOT, self.is_not),
            (core.Operator.PREFIX, self.prefix),
        ):
            if words is not None:
                return operator, folded(words)
        raise AssertionError  # _one_comparison has refused it


COMPARISONS = tuple(field.alias or name for name, field in Fact.model_fields.items() if name != "fact")
_LONG = ("fact", "during", "all", "any")


def _field(name: str) -> str:
    return "is_" if name == "is" else name


def folded(words: tuple[str, ...]) -> tuple[str, ...]:
    """Case does not matter: `core.rules` folds the lead's side."""
    return tuple(word.casefold() for word in words)


class During(Model):
    """Open at these wall times."""

    during: Schedule
    zone: Zone | None = None  # none: the whole file's


class Group(Model):
    """All of `all`, and one of `any`."""

    all: Annotated[tuple["When", ...], Field(min_length=1)] | None = None
    any: Annotated[tuple["When", ...], Field(min_length=1)] | None = None


def _fields(value: Any) -> Any:
    if isinstance(value, dict):
        for key in value:
            if key in (*COMPARISONS, "zone"):
                raise ValueError(f"{key!r} stands here without its fact; write {{fact: budget, {key}: ...}}")
    return value


Fields = Annotated[dict[Text, Words], Field(min_length=1), BeforeValidator(_fields)]


def _form(value: Any) -> str:
    match value:
        case Fact() | {"fact": _}:
            return "[fact]"
        case During() | {"during": _}:
            return "[during]"
        case Group() | {"all": _} | {"any": _}:
            return "[group]"
        case str():
            return "[always]"
        case _:
            return "[fields]"


def _always(value: Any) -> Any:
    if value != ALWAYS:
        raise ValueError(
            f"{value!r} is no condition; write always, {{source: zillow}}, {{fact: budget, at_least: 250000}},"
            " or all: or any: and a list of such"
        )
    return value


When = Annotated[
    Annotated[Fact, Tag("[fact]")]
    | Annotated[During, Tag("[during]")]
    | Annotated[Group, Tag("[group]")]
    | Annotated[str, BeforeValidator(_always), Tag("[always]")]
    | Annotated[Fields, Tag("[fields]")],
    Discriminator(_form),
]
"""A tag is in brackets, which keeps it out of the place a problem is reported at."""

Group.model_rebuild()


def to_core(when: When, zone: ZoneInfo | None) -> core.Condition:
    """`zone` is for conditions on the time that name none."""
    match when:
        case Fact():
            return when.to_core()
        case During(during=windows, zone=own):
            place = own or zone
            assert place is not None  # noqa: S101 - the loader has refused it
            return core.During(windows=windows, zone=place)
        case Group(all=every, any=some):
            parts = tuple(to_core(part, zone) for part in every or ())
            one = core.AnyOf(conditions=tuple(to_core(part, zone) for part in some or ()))
            if every is None:
                return one
            return core.All(conditions=(*parts, one) if some else parts)
        case str():
            return core.All()
        case dict():
            return core.All(
                conditions=tuple(
                    core.Compare(fact=fact, operator=core.Operator.IS, values=folded(words))
                    for fact, words in when.items()
                )
            )


class Lone(Model):
    """A condition by itself."""

    when: When


def parsed(given: str, name: str) -> core.Condition:
    """A condition as directory.yaml writes it, on one line. Raises ConfigError, in which `name` is its place."""
    document = parse(f"when: {given}", Path(name))
    when = validate(Lone, document).when
    for place, leaf in leaves(when, ("when",)):
        if isinstance(leaf, During) and leaf.zone is None:
            what = "has no zone; add one, such as zone: America/Denver"
            raise ConfigError([document.problem(place, what)])
    return to_core(when, None)


def leaves(when: When, place: Place) -> Iterator[tuple[Place, Fact | During]]:
    """Every comparison with where it stands, the short form's too."""
    match when:
        case Fact() | During():
            yield place, when
        case Group(all=every, any=some):
            for name, parts in (("all", every), ("any", some)):
                for n, part in enumerate(parts or ()):
                    yield from leaves(part, (*place, name, n))
        case str():
            return
        case dict():
            for fact, words in when.items():
                yield (*place, fact), Fact.model_construct(fact=fact, is_=words)
