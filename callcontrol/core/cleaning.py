"""Text from outside, made fit for a phone's display and for a text message."""

import re
import unicodedata

_NAME_PUNCTUATION = frozenset(" .'-")
_LINK = re.compile(r"(?:https?://|www\.)\S*", re.IGNORECASE)
_NUMBER = re.compile(r"\+?[1-9]\d{2,14}\Z")
_SCHEME = re.compile(r"\b[a-z][a-z0-9+.-]*://\S*", re.IGNORECASE)
_LETTER_COLON = re.compile(r"(?<=[^\W\d_]):(?=\S)")  # tel:, sms:, javascript:
_DOT_IN_NAME = re.compile(r"(?<=\w)[.\u3002](?=[^\W\d_]{2})")  # evil.example; a browser takes both dots
_FOUR_NUMBERS = re.compile(r"\b(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\b")
_EMAIL = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,63}\Z")
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_TYPEWRITTEN = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2013": "-",
        "\u2014": "-",
        "\u2026": "...",
    }
)
_NOT_DIALLED = str.maketrans("", "", " ()-./\u00a0")

MAX_DISPLAY_NAME = 40
MAX_LINE = 200
MAX_EMAIL = 254


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
    printable = _printable(_composed(text[: limit * 8]))
    return " ".join(_LINK.sub(" ", printable).split())[:limit]


def _printable(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)


def unlinked(text: str, limit: int = MAX_LINE) -> str:
    """A `line` in which no phone finds anything to tap: evil.example becomes "evil example".

    Quotes and dashes become those of a typewriter: a curly one would halve what fits into a text message.
    """
    shown = unicodedata.normalize("NFKC", text[: limit * 8])
    visible = line(_SCHEME.sub(" ", _INVISIBLE.sub("", shown)), limit * 2)
    plain = _FOUR_NUMBERS.sub(r"\1 \2 \3 \4", _DOT_IN_NAME.sub(" ", _LETTER_COLON.sub(" ", visible)))
    return " ".join(plain.translate(_TYPEWRITTEN).split())[:limit].strip()


def email(text: str) -> str:
    """The address, or nothing where it is none (RFC 5321 allows more; people's addresses don't use it)."""
    given = text.strip()
    return given if len(given) <= MAX_EMAIL and _EMAIL.match(given) else ""


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)
