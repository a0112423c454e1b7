"""What a template may say: every value cleaned, and no more of the lead than `pii` allows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import quote

import phonenumbers

from callcontrol.core import cleaning
from callcontrol.core.followup import Notice, Occasion
from callcontrol.core.model import Lead

_LONGEST_NAME = 48
_LONGEST_EMAIL = 100  # a longer one would push out what matters
_LONGEST_FACT = 60
_LAST_DIGITS = 4
COME_BACK = "*50"  # the feature code; see dialplan/README.md


class Pii(StrEnum):
    """How much of a lead is in a text."""

    FULL = "full"
    SHORT = "short"  # the first name, and the last digits of the number
    LINK = "link"  # nothing: a link says the rest, to who may see it


@dataclass(frozen=True, kw_only=True, slots=True)
class Discretion:
    """What is said of a lead, and how."""

    pii: Pii = Pii.FULL
    link: str = ""  # a URL; {transfer} and {lead} stand for their ids
    country: str = ""  # ISO 3166, of numbers without a country code; none: they stay as they are


@dataclass(frozen=True, kw_only=True, slots=True)
class LeadFacts:
    name: str = ""
    phone: str = ""  # E.164
    email: str = ""
    source: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def who(self) -> str:
        return self.name or self.phone or "a lead"

    @property
    def all(self) -> str:
        return ", ".join(fact for fact in (self.name, self.phone, self.email, self.source) if fact)


OF_LEAD = ("name", "phone", "email", "source", "fields", "who", "all")
_ALWAYS = ("lead", "bot", "assigned", "recipient", "link")
VARIABLES: Mapping[Occasion, tuple[str, ...]] = {
    Occasion.CONNECTED: (*_ALWAYS, "agent"),
    Occasion.MISSED: (*_ALWAYS, "reason"),
    Occasion.OVERDUE: (*_ALWAYS, "minutes"),
    Occasion.RESTING: (*_ALWAYS, "misses", "until", "code"),
}


def variables(notice: Notice, discretion: Discretion) -> dict[str, Any]:
    """Those of the notice's occasion."""
    found = {
        "lead": _lead(notice.lead, discretion),
        "bot": _short(notice.bot.name),
        "assigned": _short(notice.assigned.name) if notice.assigned else "",
        "recipient": _short(notice.name),
        "link": discretion.link.format(
            transfer=quote(notice.transfer_id, safe=""), lead=quote(notice.lead.id, safe="")
        ),
        "agent": _short(notice.answered_by),
        "reason": notice.reason,
        "minutes": notice.waited_min,
        "misses": notice.misses,
        "until": notice.until,
        "code": COME_BACK,
    }
    return {name: found[name] for name in VARIABLES[notice.occasion]}


def _lead(lead: Lead, discretion: Discretion) -> LeadFacts:
    name, phone = _short(lead.name), e164(lead.phone, discretion.country)
    match discretion.pii:
        case Pii.LINK:
            return LeadFacts()
        case Pii.SHORT:
            return LeadFacts(name=name.partition(" ")[0], phone=_last_digits(phone))
        case Pii.FULL:
            email = cleaning.email(lead.email)
            return LeadFacts(
                name=name,
                phone=phone,
                email=email if len(email) <= _LONGEST_EMAIL else "",
                source=_fact(lead.source),
                fields={_fact(key): _fact(value) for key, value in lead.fields.items()},
            )


def e164(number: str, country: str = "") -> str:
    """The number as it can be dialled from anywhere; its digits where that can't be told; or nothing."""
    digits = cleaning.number(number)
    try:
        parsed = phonenumbers.parse(digits or number[: cleaning.MAX_LINE], country or None)
    except phonenumbers.NumberParseException:
        return digits
    if not phonenumbers.is_possible_number(parsed):
        return digits
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _last_digits(phone: str) -> str:
    shown = _LAST_DIGITS if len(phone) > 2 * _LAST_DIGITS else 2
    return f"...{phone[-shown:]}" if phone else ""


def _fact(text: str) -> str:
    return cleaning.unlinked(text, _LONGEST_FACT)


def _short(name: str) -> str:
    return cleaning.unlinked(name, _LONGEST_NAME)
