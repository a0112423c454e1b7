"""ESL on the wire: bytes to frames, and what may be put into a command.

A frame is lines `Key: value`, ended by an empty line; `Content-Length` says how many bytes of body
follow. Text in it may come from a caller, so: the first header of a name wins, lines are split before
they are decoded, a length that is none or beyond all measure ends the link, and bytes that are no
UTF-8 lose only themselves.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from callcontrol.ports import PortError

log = structlog.get_logger(__name__)

MAX_HEAD = 64 * 1024
MAX_BODY = 64 * 1024 * 1024  # a list of every registration of a big site
MAX_COMMAND = 8000

_END = b"\n\n"
_LENGTH = re.compile(r"[0-9]{1,9}")

RINGING, UP = ("RINGING", "EARLY", "RING_WAIT"), ("ACTIVE", "HELD", "UNHELD")  # Channel-Call-State

Event = dict[str, str]
Row = Mapping[str, str]  # of `show channels`


class GarbledError(Exception):
    """What the peer sent can't be ESL: from here on nothing of it can be trusted."""


@dataclass(frozen=True, slots=True)
class Frame:
    kind: str  # Content-Type
    headers: dict[str, str]
    body: bytes


class Framer:
    """Feed it bytes; it yields whole frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._head: dict[str, str] | None = None  # of a frame whose body is still to come
        self._missing = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Raises GarbledError; what was complete before has been yielded by then."""
        self._buffer += data
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> Frame | None:
        if self._head is None and not self._read_head():
            return None
        assert self._head is not None  # noqa: S101 - for the type checker
        if len(self._buffer) < self._missing:
            return None
        body, head = bytes(self._buffer[: self._missing]), self._head
        del self._buffer[: self._missing]
        self._head = None
        return Frame(head.get("content-type", ""), head, body)

    def _read_head(self) -> bool:
        while self._buffer.startswith(b"\n"):
            del self._buffer[:1]
            self._searched = 0
        end = self._buffer.find(_END, self._searched)
        if end > MAX_HEAD or (end < 0 and len(self._buffer) > MAX_HEAD):
            raise GarbledError(f"a header of more than {MAX_HEAD} bytes")
        if end < 0:
            self._searched = max(0, len(self._buffer) - 1)
            return False
        self._head = _headers(bytes(self._buffer[:end]))
        del self._buffer[: end + len(_END)]
        self._searched = 0
        self._missing = _length(self._head.get("content-length", "0"))
        return True


def _headers(block: bytes) -> dict[str, str]:
    """By lower-case name; of several with one name the first, lines without a colon left out."""
    headers: dict[str, str] = {}
    for line in block.split(b"\n"):
        key, colon, value = line.decode("utf-8", "replace").partition(":")
        if colon:
            headers.setdefault(key.lower(), value.strip())
    return headers


def _length(text: str) -> int:
    if not _LENGTH.fullmatch(text):
        raise GarbledError(f"{text[:40]!r} is no length")
    if int(text) > MAX_BODY:
        raise GarbledError(f"a body of more than {MAX_BODY} bytes")
    return int(text)


def event(body: bytes) -> Event | None:
    """One event in JSON; its own body is under `_body`. None, and a line in the log, for what is none."""
    read = _object(body)
    if not isinstance(read, dict) or not isinstance(read.get("Event-Name"), str):
        log.warning("malformed event dropped", size=len(body))
        return None
    return {key: value for key, value in read.items() if type(value) is str}


def _object(text: bytes | str) -> Any:
    try:
        return json.loads(text)
    except UnicodeDecodeError:
        return _object(bytes(text).decode("utf-8", "replace") if isinstance(text, bytes) else text)
    except (ValueError, RecursionError):
        return None


def checked(text: str) -> str:
    """A line that can be nothing but one line, in which nothing is expanded. Raises PortError otherwise.

    A second line would be a second command; `${...}` runs whatever is in it when it is expanded.
    """
    if any(c in text for c in "\r\n\0"):
        raise PortError("a control character in an ESL command", retryable=False)
    if "${" in text:
        raise PortError("an expression in an ESL command", retryable=False)
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise PortError("half a character in an ESL command", retryable=False) from None
    if size > MAX_COMMAND:
        raise PortError("an ESL command is too long", retryable=False)
    return text
