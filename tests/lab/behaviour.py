"""What a called party will do: one frozen word each, and how the world's dialplan spells it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """Ring, then answer after `after_s`."""

    after_s: float = 0.0

    def spell(self) -> str:
        return f"answer:{self.after_s}"


@dataclass(frozen=True)
class Ring:
    """Ring and never answer."""

    def spell(self) -> str:
        return "ring"


@dataclass(frozen=True)
class Refuse:
    """603 Decline, after `after_s` of ringing."""

    after_s: float = 0.0

    def spell(self) -> str:
        return f"reject:{self.after_s}:603:21"


@dataclass(frozen=True)
class Busy:
    """486 Busy Here."""

    def spell(self) -> str:
        return "reject:0:486:17"


@dataclass(frozen=True)
class Unavailable:
    """480 Temporarily Unavailable."""

    def spell(self) -> str:
        return "reject:0:480:19"


@dataclass(frozen=True)
class NotFound:
    """404 Not Found."""

    def spell(self) -> str:
        return "reject:0:404:1"


@dataclass(frozen=True)
class TrunkDown:
    """503 Service Unavailable."""

    def spell(self) -> str:
        return "reject:0:503:34"


@dataclass(frozen=True)
class Forward:
    """302 Moved Temporarily to `number`."""

    number: str

    def spell(self) -> str:
        return f"forward:{self.number}"


@dataclass(frozen=True)
class Voicemail:
    """A mailbox answers after `after_s`, plays its greeting tone, presses nothing and stays up to 30 s."""

    after_s: float = 2.0

    def spell(self) -> str:
        return f"voicemail:{self.after_s}"


@dataclass(frozen=True)
class Dead:
    """Nothing comes back. A desk phone is cut off its network, still registered; a number gets no further than 100."""

    def spell(self) -> str:
        return "dead"


Behaviour = Answer | Ring | Refuse | Busy | Unavailable | NotFound | TrunkDown | Forward | Voicemail | Dead
