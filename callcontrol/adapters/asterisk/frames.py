"""AMI on the wire: bytes to frames, and what may be put into an action.

A frame is lines `Key: value`, ended by an empty line. Text in it may come from a caller, so: the
first header of a name wins, what is too long ends the link, and bytes that are no UTF-8 lose only
themselves.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

import structlog

from callcontrol.ports import PortError

log = structlog.get_logger(__name__)

MAX_LINE = 64 * 1024
MAX_FRAME = 1024 * 1024
MAX_FIELD = 1000  # Asterisk cuts a line it receives at 1,024 bytes

_END = b"\r\n\r\n"
_EVENT = b"Event: "
_KEY = re.compile(r"[A-Za-z0-9_-]+")
_CONTROL = re.compile(r"[\r\n\0]")

Frame = dict[str, str]
Fields = Mapping[str, str | Sequence[str]]


class OverlongError(Exception):
    """The peer sent a line or a frame beyond all measure: it can't be trusted to be AMI."""


class Framer:
    """Feed it bytes; it yields whole frames. Events not in `wanted` are dropped before they are read."""

    def __init__(self, wanted: Collection[str]) -> None:
        self._wanted = frozenset(name.encode() for name in wanted)
        self._buffer = bytearray()
        self._searched = 0
        self._greeted = False

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Raise OverlongError; what was complete before has been yielded by then."""
        self._buffer += data
        if not self._greeted and not self._greet():
            return
        while (end := self._buffer.find(_END, self._searched)) >= 0:
            block = bytes(self._buffer[:end])
            del self._buffer[: end + len(_END)]
            self._searched = 0
            _measure(block)
            if (frame := self._read(block)) is not None:
                yield frame
        _measure(self._buffer)
        self._searched = max(0, len(self._buffer) - len(_END) + 1)

    def _greet(self) -> bool:
        """Take off the banner, one line of its own."""
        banner, newline, rest = self._buffer.partition(b"\r\n")
        if not newline:
            _measure(self._buffer)
            return False
        self._greeted, self._buffer = True, rest
        if not banner.startswith(b"Asterisk Call Manager/"):
            raise OverlongError("the peer does not greet like an Asterisk manager")
        return True

    def _read(self, block: bytes) -> Frame | None:
        if block.startswith(_EVENT):
            name = block[len(_EVENT) : block.find(b"\r\n") if b"\r\n" in block else None]
            if name not in self._wanted:
                return None
        frame = parse(block)
        if "Event" not in frame and "Response" not in frame:
            log.warning("malformed AMI frame dropped", size=len(block))
            return None
        return frame


def parse(block: bytes) -> Frame:
    """Headers of one frame; of several with one name the first, lines without a colon left out."""
    frame: Frame = {}
    for line in block.decode("utf-8", "replace").split("\r\n"):
        key, colon, value = line.partition(":")
        if colon:
            frame.setdefault(key, value.removeprefix(" "))
    return frame


def _measure(block: bytes | bytearray) -> None:
    if len(block) > MAX_FRAME:
        raise OverlongError(f"a frame of more than {MAX_FRAME} bytes")
    if len(block) > MAX_LINE and any(len(line) > MAX_LINE for line in bytes(block).split(b"\r\n")):
        raise OverlongError(f"a line of more than {MAX_LINE} bytes")


def written(name: str, action_id: str, fields: Fields) -> bytes:
    """An action as it goes out. Raises PortError for a field that may not be sent."""
    lines = [f"Action: {name}", f"ActionID: {action_id}"]
    for key, value in fields.items():
        values = (value,) if isinstance(value, str) else value
        lines += [f"{key}: {checked(key, one)}" for one in values]
    return "\r\n".join([*lines, "", ""]).encode()


def checked(key: str, value: str) -> str:
    """A header that can be nothing but one header. Raises PortError otherwise."""
    if not _KEY.fullmatch(key) or _CONTROL.search(value):
        raise PortError(f"a control character in AMI field {key!r}", retryable=False)
    try:
        size = len(value) if value.isascii() else len(value.encode())
    except UnicodeEncodeError:
        raise PortError(f"half a character in AMI field {key!r}", retryable=False) from None
    if len(key) + size > MAX_FIELD:
        raise PortError(f"AMI field {key!r} is too long", retryable=False)
    if key == "Channel" and value.startswith("/"):
        raise PortError("a channel that begins with / is a pattern over all channels", retryable=False)
    return value
