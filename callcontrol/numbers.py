"""Phone numbers as people and switches write them, told apart by what they reach."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers import timezone

_NOT_DIGITS = re.compile(r"[^0-9]")
_INTERNATIONAL = ("00", "011")
_TAIL = 6  # digits that every way to write a number shares
_SHORTEST = 3
_UNKNOWN = "Etc/Unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class NumberPlan:
    """How the phones of a site dial. `region`: ISO 3166, such as DE; none: each number's own country."""

    region: str | None = None
    trunk_prefixes: tuple[str, ...] = ("9", "0")  # dialled for an outside line, before the number

    def reaches(self, dialled: str, e164: str) -> bool:
        """Whether who dials this, from a phone here, gets that number."""
        region = self.region or _region(e164)
        return any(_e164(written, region) == e164 for written in self._without_prefix(dialled))

    def _without_prefix(self, dialled: str) -> Iterator[str]:
        digits = _NOT_DIGITS.sub("", dialled)
        if dialled.lstrip().startswith("+"):
            yield f"+{digits}"
            return
        for prefix in ("", *self.trunk_prefixes):
            if digits.startswith(prefix):
                rest = digits[len(prefix) :]
                yield rest
                yield f"+{rest}"
                yield from (f"+{rest[len(p) :]}" for p in _INTERNATIONAL if rest.startswith(p))


def canonical(given: str, region: str | None) -> str:
    """E.164 where it is a possible number; otherwise its digits as they are."""
    return _e164(given.strip(), region) or _NOT_DIGITS.sub("", given)


def tail(number: str) -> str:
    """The last digits, which no format changes; empty for what is too short to be looked up."""
    digits = _NOT_DIGITS.sub("", number)
    return digits[-_TAIL:] if len(digits) >= _SHORTEST else ""


def zones_of(e164: str) -> tuple[tzinfo, ...]:
    """Where a number may be; none where nobody knows."""
    try:
        names: Sequence[str] = timezone.time_zones_for_number(phonenumbers.parse(e164, None))
    except phonenumbers.NumberParseException:
        return ()
    return tuple(_zones(name for name in names if name != _UNKNOWN))


def zone_named(name: str) -> tzinfo | None:
    return next(_zones([name]), None)


def _zones(names: Iterable[str]) -> Iterator[tzinfo]:
    for name in names:
        try:
            yield ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue


def _region(e164: str) -> str | None:
    try:
        code = phonenumbers.parse(e164, None).country_code
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.region_code_for_country_code(code or 0)


def _e164(written: str, region: str | None) -> str:
    try:
        parsed = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(parsed):
        return ""
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
