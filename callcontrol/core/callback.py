"""The call back that a task waits for: which call on the switch is one, and what it comes to.

A call concerns a lead where one of its ends is the lead's number: somebody here calls the lead, or the
lead calls again. Every leg of it belongs to one call, so that a fork, a second trunk or a queue is one
attempt. What comes of it is decided when it is over.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from callcontrol.core.model import AgentId, ChannelId

_LONGEST_EXTENSION = 6  # digits; a longer caller number is what the phone shows outside


@dataclass(frozen=True, kw_only=True, slots=True)
class Party:
    """One end of a call, as the switch has it."""

    address: str = ""  # the phone's extension, in the directory's words; empty: no phone of this switch
    number: str = ""  # in whatever format it was dialled or shown

    @property
    def label(self) -> str:
        """For someone who is not in the directory."""
        short = self.number.isdecimal() and len(self.number) <= _LONGEST_EXTENSION
        name = self.number if short or not self.address else self.address
        return f"extension {name}" if name else "somebody"


# --- what the switch reports of a call from or to a number that is waited for


@dataclass(frozen=True, kw_only=True, slots=True)
class CallBegan:
    """A leg is rung. Told again, for a call that was up already when the switch was asked."""

    call: ChannelId  # the channel that dials
    leg: ChannelId  # the channel rung
    caller: Party
    called: Party
    ago_s: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class CallAnswered:
    call: ChannelId
    leg: ChannelId


@dataclass(frozen=True, kw_only=True, slots=True)
class CallEnded:
    """The leg that answered has gone; or nobody answered, and the caller has given up."""

    call: ChannelId
    cause: str = ""  # of the last leg rung: "busy"


CallReport = CallBegan | CallAnswered | CallEnded


# --- a call that is followed


class Direction(StrEnum):
    BACK = "back"  # somebody here calls the lead
    IN = "in"  # the lead calls again


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """Who is at our end."""

    label: str
    agent_id: AgentId | None = None  # none: not in the directory


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowedCall:
    """A call between a lead and somebody here. Instants are aware UTC."""

    id: ChannelId
    direction: Direction
    task_ids: tuple[int, ...]
    who: Person  # the lead calls in: whom it reached, or else who was rung first
    began_at: datetime
    answered_at: datetime | None = None
    answered_leg: ChannelId | None = None
    ended_at: datetime | None = None
    seen_to_end: bool = True
    cause: str = ""
    legs: Mapping[ChannelId, Person] = field(default_factory=dict)

    @property
    def talk_s(self) -> float | None:
        """Seconds they talked; none where they did not, or where nobody saw the end."""
        if self.answered_at is None or self.ended_at is None or not self.seen_to_end:
            return None
        return (self.ended_at - self.answered_at).total_seconds()

    def rings(self, leg: ChannelId, who: Person) -> "FollowedCall":
        """Another leg of it, with whoever is at our end of that."""
        return replace(self, legs={**self.legs, leg: who})

    def answered(self, leg: ChannelId, at: datetime) -> "FollowedCall":
        """The first answer counts, however often it is told."""
        if self.answered_at is not None:
            return self
        return replace(self, answered_at=at, answered_leg=leg, who=self.legs.get(leg, self.who))

    def ended(self, at: datetime, cause: str) -> "FollowedCall":
        return replace(self, ended_at=at, cause=cause)

    def lost(self, at: datetime) -> "FollowedCall":
        """It is gone, and nobody looked when it went."""
        return replace(self, ended_at=at, seen_to_end=False)

    @property
    def needs(self) -> ChannelId:
        """The channel without which it is over."""
        return self.id if self.answered_leg is None else self.answered_leg


def direction(*, caller_waited_for: bool, called_waited_for: bool) -> Direction | None:
    """Which way a call goes, from which of its numbers is a lead's; none: no call back of anybody's."""
    if caller_waited_for == called_waited_for:
        return None
    return Direction.BACK if called_waited_for else Direction.IN


def ours(began: CallBegan, way: Direction) -> Party:
    """The end of a leg at which somebody of ours is."""
    return began.caller if way is Direction.BACK else began.called


def begun(
    began: CallBegan, way: Direction, who: Person, task_ids: tuple[int, ...], now: datetime
) -> FollowedCall | None:
    """None where nobody of ours is at the other end: the lead has reached a bot, or a queue's music."""
    if way is Direction.IN and who.agent_id is None:
        return None
    return FollowedCall(
        id=began.call,
        direction=way,
        task_ids=task_ids,
        who=who,
        began_at=now - timedelta(seconds=began.ago_s),
        legs={began.leg: who},
    )


# --- what it comes to


class Result(StrEnum):
    CLOSES = "closes"
    NOTED = "noted"


class How(StrEnum):
    """How a task came to be done."""

    CALL_BACK = "call_back"  # somebody called the lead, who answered
    LEAD_CALLED = "lead_called"  # the lead called again and talked with an agent
    TRANSFER = "transfer"  # a warm transfer of the lead was connected
    BY_HAND = "by_hand"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    result: Result
    how: How
    words: str  # for people


def verdict(call: FollowedCall, shortest_talk_s: float = 0.0) -> Verdict:
    """What a call that is over means for the tasks it concerns.

    `shortest_talk_s`: a shorter one was a voicemail's greeting, or a hello and a hang-up, and is noted.
    """
    how = How.CALL_BACK if call.direction is Direction.BACK else How.LEAD_CALLED
    too_short = call.talk_s is not None and call.talk_s < shortest_talk_s
    reached = call.direction is Direction.BACK or call.who.agent_id is not None
    closes = call.answered_at is not None and reached and not too_short
    return Verdict(
        result=Result.CLOSES if closes else Result.NOTED,
        how=how,
        words=f"{_deed(call)}: {_what_came(call, too_short=too_short)}",
    )


def _deed(call: FollowedCall) -> str:
    if call.direction is Direction.BACK:
        return f"{call.who.label} called the lead back"
    reached = "reached" if call.answered_at is not None else "did not reach"
    return f"the lead called again and {reached} {call.who.label}"


def _what_came(call: FollowedCall, *, too_short: bool) -> str:
    if call.answered_at is None:
        if not call.seen_to_end:
            return "whether it was answered was not seen"
        return f"not answered ({call.cause})" if call.cause else "not answered"
    if call.talk_s is None:
        return "answered; how long they talked was not seen"
    talked = f"answered, {spell(call.talk_s)}"
    return f"{talked}, too short to count" if too_short else talked


def spell(seconds: float) -> str:
    """`45 s`, `4 min 12 s`."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"
