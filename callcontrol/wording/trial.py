"""Every text with leads that mean no good, and with leads of whom nothing is known."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from callcontrol.core.followup import WHY, Notice, Occasion, Recipient, Word
from callcontrol.core.model import Agent, Bot, Lead, LeadId, MissedBecause, TransferId
from callcontrol.core.segments import measure

_LINK = re.compile(r"evil[.\u3002]\w|\b(?:javascript|tel):", re.IGNORECASE)
_HOSTILE = (
    "https://evil.example/x",
    "evil.example/login",
    "www.evil.example",
    "javascript:alert(1)",
    "tel:+19005550100",
    "evil\u3002example",
    "\uff45vil\uff0eexample",
    "ev\u200bil.\u200bexample",
    "{{ 7 * 7 }}{% for x in lead %}",
    "\u202eelpmaxe.live\u202c",
    "Lea\r\nBcc: all@evil.example",
    "\x00\x1b[2J\x07",
    "\ud83d",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 50,
    "Z\u0351\u036b\u0343" * 400,
    "%s%n{0}$(reboot)`id`",
    "A" * 100_000,
)


def leads() -> Iterator[Lead]:
    for n, text in enumerate(("", *_HOSTILE)):
        yield Lead(
            id=LeadId(f"trial-{n}"),
            name=text,
            phone="+13035550199" if n % 2 else text,
            email=text,
            source=text,
            fields={"note": text, text: text} if text else {},
        )


def notices(bot: Bot, assigned: Agent | None) -> Iterator[Notice]:
    for lead in leads():
        for occasion in Occasion:
            for recipient in Recipient:
                yield Notice(
                    occasion=occasion,
                    recipient=recipient,
                    name="" if recipient is Recipient.POOL else lead.name,
                    transfer_id=TransferId("trial"),
                    bot=bot,
                    lead=lead,
                    assigned=assigned,
                    answered_by=lead.name or "Front desk",
                    reason=WHY[MissedBecause.NO_ANSWER],
                    waited_min=20,
                    misses=3,
                    until="10:31 (America/Denver)",
                )


def troubles(word: Word, bots: Iterable[Bot], *, segments: int) -> tuple[str, ...]:
    """What is wrong with the texts of these bots; each thing once."""
    found: dict[str, None] = {}
    for bot in bots:
        for notice in notices(bot, None):
            worded = word(notice)
            for trouble in _troubles(worded.body, worded.warning, segments):
                found[f"{notice.occasion} of bot {bot.id}, {notice.recipient}: {trouble}"] = None
    return tuple(found)


def _troubles(body: str, warning: str, segments: int) -> Iterator[str]:
    if warning:
        yield warning
    if not body:
        yield "it is empty"
    if any(unicodedata.category(char)[0] == "C" and char != "\n" for char in body):
        yield "a control character got through"
    if _LINK.search(body):
        yield "a link of a lead's got through"
    if measure(body).segments > segments:
        yield f"it is longer than {segments} segments"
