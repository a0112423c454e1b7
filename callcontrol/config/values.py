"""The kinds of value a configuration holds, each refusing what it isn't in words."""

import re
import shlex
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import phonenumbers
from pydantic import BeforeValidator, Field

from callcontrol.config.problems import did_you_mean

_NUMBER_SHAPE = re.compile(r"\+[\d\s().\-]{6,24}\Z")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}\Z")
_TAG = re.compile(r"[^\W_][\w.:-]{0,63}\Z")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*\Z")
_EXTENSION = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_DIAL = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,19}/[A-Za-z0-9_+*#.:@/=%;-]{1,150}\Z")
_LOCAL_KEPT = re.compile(r"local/.*/[a-z]*n[a-z]*\Z", re.IGNORECASE)
_GOTO = re.compile(r"[A-Za-z0-9_.-]{1,80},[A-Za-z0-9_.*#+-]{1,80},[A-Za-z0-9_-]{1,80}\Z")
_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\Z")
_DAY_MIN = 24 * 60
_PREFIX = re.compile(r"[0-9*#]{1,6}\Z")
_LINES = str.maketrans("\n\t", "  ")
NOTHING = "nothing is written there; give it a value, or leave the key out"


def text(value: Any) -> str:
    if value is None:
        raise ValueError(NOTHING)
    if not isinstance(value, str):
        raise ValueError(f"{_shown(value)} where one value is wanted")  # noqa: TRY004 - pydantic's way
    if not value.strip():
        raise ValueError("is empty")
    if any(ord(c) < 32 or ord(c) == 127 for c in value):
        raise ValueError("has control characters or line breaks in it; write it on one line")
    return value


def number(value: Any) -> str:
    """A phone number in E.164. Spaces, dots, hyphens and brackets are allowed, and dropped."""
    given = text(value)
    wrong = ValueError(
        f"{given!r} is no phone number in E.164; write a plus, the country code and the number,"
        " such as +13035550101"
    )
    if not _NUMBER_SHAPE.match(given):
        raise wrong
    try:
        parsed = phonenumbers.parse(given, None)
    except phonenumbers.NumberParseException:
        raise wrong from None
    if not phonenumbers.is_possible_number(parsed):
        raise wrong
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def zone(value: Any) -> ZoneInfo:
    given = text(value)
    try:
        return ZoneInfo(given)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = did_you_mean(given, sorted(available_timezones())) or "; write one such as America/Denver"
        raise ValueError(f"{given!r} is no IANA time zone{hint}") from None


def identifier(value: Any) -> str:
    given = text(value)
    if not _ID.match(given):
        raise ValueError(
            f"{given!r} can't be an id; use letters, digits and _ . @ - (at most 64), such as alice"
        )
    return given


def extension(value: Any) -> str:
    given = text(value)
    if not _EXTENSION.match(given):
        raise ValueError(
            f"{given!r} can't be an extension; write the endpoint's name in the PBX: letters, digits,"
            " _ and - only, without a technology (alice, not PJSIP/alice)"
        )
    return given


def dial_string(value: Any) -> str:
    given = text(value)
    if not _DIAL.match(given):
        raise ValueError(
            f"{given!r} is no dial string; write TECHNOLOGY/destination, such as Local/desk@phones/n:"
            " letters, digits and _ + * # . : @ / = % ; - only, one destination (no & and no comma)"
        )
    if given.lower().startswith("local/") and not _LOCAL_KEPT.match(given):
        raise ValueError(
            f"{given!r} must end in /n, or the PBX takes the leg out of the call when it is answered;"
            f" write {given.removesuffix('/')}/n"
        )
    return given


def dial_template(value: Any) -> str:
    given = text(value)
    if given.count("{address}") != 1:
        raise ValueError("must have {address} in it, once, such as PJSIP/{address}")
    dial_string(given.replace("{address}", "alice"))
    return given


def goto(value: Any) -> str:
    given = text(value).replace(" ", "")
    if not _GOTO.match(given):
        raise ValueError(f"{given!r} is no place in the dialplan; write context,extension,priority")
    return given


def argv(value: Any) -> tuple[str, ...]:
    """A command, as one line split as a shell would split it, or as a list. No shell runs it."""
    if isinstance(value, list):
        return tuple(text(part) for part in value)
    try:
        parts = tuple(shlex.split(text(value)))
    except ValueError as error:
        raise ValueError(f"is no command: {error}") from None
    if not parts:
        raise ValueError("is an empty command")
    return parts


def path(value: Any) -> Path:
    return value if isinstance(value, Path) else Path(text(value)).expanduser()


def query(value: Any) -> str:
    """One SQL statement that reads, on as many lines as it likes."""
    given = str(value).strip() if isinstance(value, str) else text(value)
    text(given.translate(_LINES))
    if not given.casefold().startswith(("select", "with")):
        raise ValueError("is no query; write SELECT ... on one line, or on several after a |")
    return given


def one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def tag(value: Any) -> str:
    given = text(value).casefold()
    if not _TAG.match(given):
        raise ValueError(f"{given!r} can't be a tag; use letters, digits and _ . : - (at most 64)")
    return given


def language(value: Any) -> str:
    given = text(value).casefold()
    if not _LANGUAGE.match(given):
        raise ValueError(f"{given!r} is no language; write its code, such as de, en or pt-br")
    return f"lang:{given}"


def span(value: Any) -> tuple[int, int]:
    """`21:00-08:00`, in minutes after midnight; `none` is one without length."""
    given = text(value)
    if given == "none":
        return 0, 0
    found = _SPAN.match(given)
    if found is None:
        raise ValueError(f"{given!r} is no span of time; write 21:00-08:00, or none")
    hours = [int(part) for part in found.groups()]
    start, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
    if hours[1] > 59 or hours[3] > 59 or start >= _DAY_MIN or end > _DAY_MIN or start == end:
        raise ValueError(f"{given!r} is no span of time; write one from 00:00 to 24:00, or none")
    return start, end % _DAY_MIN


def region(value: Any) -> str:
    given = text(value).upper()
    if given not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"{value!r} is no country; write its ISO 3166 code, such as US or DE")
    return given


def prefix(value: Any) -> str:
    given = text(value)
    if not _PREFIX.match(given):
        raise ValueError(f"{given!r} can't be dialled before a number; write digits, such as 9")
    return given


def _shown(value: object) -> str:
    match value:
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return repr(value)


Text = Annotated[str, BeforeValidator(text)]
Words = Annotated[tuple[Text, ...], BeforeValidator(one_or_more), Field(min_length=1)]
Id = Annotated[str, BeforeValidator(identifier)]
Number = Annotated[str, BeforeValidator(number)]
Zone = Annotated[ZoneInfo, BeforeValidator(zone)]
Extension = Annotated[str, BeforeValidator(extension)]
DialString = Annotated[str, BeforeValidator(dial_string)]
DialTemplate = Annotated[str, BeforeValidator(dial_template)]
Goto = Annotated[str, BeforeValidator(goto)]
Query = Annotated[str, BeforeValidator(query)]
Command = Annotated[tuple[str, ...], BeforeValidator(argv)]
FilePath = Annotated[Path, BeforeValidator(path)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Port = Annotated[int, Field(ge=0, le=65535)]
Pause = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]
Tags = Annotated[tuple[Annotated[str, BeforeValidator(tag)], ...], BeforeValidator(one_or_more)]
Languages = Annotated[tuple[Annotated[str, BeforeValidator(language)], ...], BeforeValidator(one_or_more)]
Minutes = Annotated[float, Field(gt=0, le=7 * 24 * 60, allow_inf_nan=False)]
Span = Annotated[tuple[int, int], BeforeValidator(span)]
Region = Annotated[str, BeforeValidator(region)]
Prefixes = Annotated[tuple[Annotated[str, BeforeValidator(prefix)], ...], BeforeValidator(one_or_more)]
