"""How long a text is on the air: GSM-7 or UCS-2, in segments (3GPP TS 23.038 and 23.040)."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, groupby, islice, takewhile

_ESCAPE = 0x1B
_ALPHABET = (  # but for the escape, in the order of their septets
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_BASIC = {char: n if n < _ESCAPE else n + 1 for n, char in enumerate(_ALPHABET)}
_EXTENDED = dict(  # an escape and another septet
    zip("\f^{}\\[~]|€", (0x0A, 0x14, 0x28, 0x29, 0x2F, 0x3C, 0x3D, 0x3E, 0x40, 0x65), strict=True)
)
_JOINER = "\u200d"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_REGIONAL = range(0x1F1E6, 0x1F200)  # two of them are a flag
_TAGS = range(0xE0020, 0xE0080)


class Encoding(StrEnum):
    GSM_7 = "GSM-7"
    UCS_2 = "UCS-2"


_ALONE = {Encoding.GSM_7: 160, Encoding.UCS_2: 70}  # units of a text in one segment
_EACH = {Encoding.GSM_7: 153, Encoding.UCS_2: 67}  # of each segment, where there are several
_MARK = {Encoding.GSM_7: "...", Encoding.UCS_2: "…"}  # where something was cut off


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """A text's size as it will be sent. `units` are septets or 16-bit units."""

    encoding: Encoding
    units: int
    segments: int


def measure(text: str) -> Measure:
    encoding = encoding_of(text)
    costs = _costs(text, encoding)
    units = sum(costs)
    alone = units <= _ALONE[encoding]
    start = _Filled(segments=1, room=_EACH[encoding])
    segments = 1 if alone else _fill(start, costs, encoding).segments
    return Measure(encoding=encoding, units=units, segments=segments)


def encoding_of(text: str) -> Encoding:
    fits = all(char in _BASIC or char in _EXTENDED for char in text)
    return Encoding.GSM_7 if fits else Encoding.UCS_2


def encode(text: str, encoding: Encoding) -> bytes:
    """As a carrier is given it: a septet in each octet, or two octets for each 16-bit unit."""
    if encoding is Encoding.UCS_2:
        return text.encode("utf-16-be")
    return bytes(
        septet
        for char in text
        for septet in ((_BASIC[char],) if char in _BASIC else (_ESCAPE, _EXTENDED[char]))
    )


def split(text: str) -> tuple[str, ...]:
    """What goes into each segment; together they are the text."""
    found = measure(text)
    if found.segments == 1:
        return (text,)
    start = _Filled(segments=1, room=_EACH[found.encoding])
    filled = accumulate(
        text, lambda so_far, char: _fill(so_far, _costs(char, found.encoding), found.encoding), initial=start
    )
    numbered = zip(text, islice(filled, 1, None), strict=True)
    return tuple(
        "".join(char for char, _ in segment)
        for _, segment in groupby(numbered, key=lambda step: step[1].segments)
    )


def cut(text: str, segments: int) -> str:
    """The text where it needs no more than so many segments; else its beginning, with a mark of the cut.

    What people see as one character, such as a letter with its accents or a flag, is kept or dropped whole.
    """
    if measure(text).segments <= segments:
        return text
    encoding = encoding_of(text)
    mark = _costs(_MARK[encoding], encoding)
    start = _Filled(segments=1, room=_ALONE[encoding] if segments == 1 else _EACH[encoding])

    def fits(step: tuple[str, _Filled]) -> bool:
        return _fill(step[1], mark, encoding).segments <= segments

    seen = tuple(characters(text))
    filled = accumulate(
        seen, lambda so_far, one: _fill(so_far, _costs(one, encoding), encoding), initial=start
    )
    kept = "".join(one for one, _ in takewhile(fits, zip(seen, islice(filled, 1, None), strict=True)))
    return kept.rstrip() + _MARK[encoding]


def characters(text: str) -> Iterator[str]:
    """What people see as one character each; nearly as UAX #29 has it."""
    cluster = ""
    for char in text:
        if cluster and not _belongs(char, cluster):
            yield cluster
            cluster = ""
        cluster += char
    if cluster:
        yield cluster


def _belongs(char: str, cluster: str) -> bool:
    """To the character before it."""
    number = ord(char)
    flag = number in _REGIONAL and len(cluster) == 1 and ord(cluster) in _REGIONAL
    return (
        flag
        or char == _JOINER
        or cluster.endswith(_JOINER)
        or number in _SKIN_TONES
        or number in _TAGS
        or unicodedata.category(char)[0] == "M"
    )


def _costs(text: str, encoding: Encoding) -> tuple[int, ...]:
    if encoding is Encoding.UCS_2:
        return tuple(1 if ord(char) < 0x10000 else 2 for char in text)
    return tuple(2 if char in _EXTENDED else 1 for char in text)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Filled:
    """Segments begun, and the units left in the last of them."""

    segments: int
    room: int


def _fill(filled: _Filled, costs: Sequence[int], encoding: Encoding) -> _Filled:
    """No segment ends within a character: an escape and its septet stay together, and so do surrogates."""
    segments, room = filled.segments, filled.room
    for cost in costs:
        if cost > room:
            segments, room = segments + 1, _EACH[encoding]
        room -= cost
    return _Filled(segments=segments, room=room)
