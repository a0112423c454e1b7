"""Text from outside, made fit for a phone's display and for a text message."""

import re
import unicodedata

_NAME_PUNCTUATION = frozenset(" .'-")
_LINK = re.compile(r"(?:https?://|www\.)\S*", re.IGNORECASE)
_NUMBER = re.compile(r"\+?[1-9]\d{2,14}\Z")
_NOT_DIALLED = str.maketrans("", "", " ()-./\u00a0")

MAX_DISPLAY_NAME = 40
MAX_LINE = 200


def display_name(text: str) -> str:
    """Letters, digits, space and .'- only, at most 40 characters; what a switch may be given."""
    kept = "".join(c if c.isalnum() or c in _NAME_PUNCTUATION else " " for c in _composed(text))
    return " ".join(kept.split())[:MAX_DISPLAY_NAME].strip()


def number(text: str) -> str:
    """The digits of a phone number, with its plus; empty where it is none (ITU-T E.164: at most 15)."""
    stripped = text.translate(_NOT_DIALLED) if len(text) <= MAX_LINE else ""
    return stripped if stripped.isascii() and _NUMBER.match(stripped) else ""


def line(text: str, limit: int = MAX_LINE) -> str:
    """One line without control characters and links, for people to read."""
    printable = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in _composed(text[: limit * 8]))
    return " ".join(_LINK.sub(" ", printable).split())[:limit]


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)
