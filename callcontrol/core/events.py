"""What can happen to a transfer (past tense) and what it can order (imperative)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from callcontrol.core.model import (
    Call,
    ChannelId,
    Considered,
    HandoffStyle,
    Leg,
    Outcome,
    PoolId,
    RuleVerdict,
    Step,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What a transfer needs of its bot, kept with the transfer so that a replay decides the same."""

    plan: tuple[Step, ...]
    handoff: HandoffStyle
    ring_timeout_s: float
    accept_timeout_s: float
    handoff_limit_s: float
    missed_goto: str = ""
    no_ringing_s: float = 8.0  # an extension that has not even rung by then is unreachable
    briefing_limit_s: float = 90.0
    join_timeout_s: float = 5.0
    hang_up_timeout_s: float = 3.0
    link_grace_s: float = 30.0  # without the switch for this long: missed


# --- events: asked for


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferRequested:
    call: Call
    settings: Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class CancelRequested:
    follow_up: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class HandoffFinished:
    """The bot said its last word, or the announcement ended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptResolved:
    """Whom the step rings now; no legs where nobody may. Answers the ResolveNextAttempt of that number."""

    step: Step
    ask: int
    legs: tuple[Leg, ...]
    considered: tuple[Considered, ...] = ()
    because: str = ""  # for people: which rule, which pool
    rules: tuple[RuleVerdict, ...] = ()
    next_after_s: float | None = None  # more may join the ringing then; none: these are all
    pool_id: PoolId | None = None  # whose members those are; none: no pool's


# --- events: what the switch did


@dataclass(frozen=True, kw_only=True, slots=True)
class LegRinging:
    channel: ChannelId


@dataclass(frozen=True, kw_only=True, slots=True)
class LegAnswered:
    channel: ChannelId


@dataclass(frozen=True, kw_only=True, slots=True)
class LegAccepted:
    channel: ChannelId


@dataclass(frozen=True, kw_only=True, slots=True)
class LegDeclined:
    """The person refused with a key."""

    channel: ChannelId


@dataclass(frozen=True, kw_only=True, slots=True)
class LegBriefed:
    """The overview has been played to the agent alone."""

    channel: ChannelId


class EndedBy(StrEnum):
    """Why a channel ended, in terms every switch can be mapped to."""

    NORMAL = "normal"
    BUSY = "busy"
    DECLINED = "declined"
    NO_ANSWER = "no_answer"
    UNREACHABLE = "unreachable"
    FORWARDED = "forwarded"


@dataclass(frozen=True, kw_only=True, slots=True)
class LegEnded:
    channel: ChannelId
    by: EndedBy
    cause: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Joined:
    channel: ChannelId


@dataclass(frozen=True, kw_only=True, slots=True)
class JoinFailed:
    channel: ChannelId
    why: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class LeadHungUp:
    channel: ChannelId
    cause: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class BotHungUp:
    channel: ChannelId
    cause: str = ""


# --- events: the link to the switch, and time


class Doing(StrEnum):
    """What a channel of ours is doing, as far as a survey can tell."""

    RINGING = "ringing"
    ANSWERED = "answered"
    ACCEPTED = "accepted"
    BRIEFED = "briefed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Alive:
    """A channel that the survey found."""

    doing: Doing
    bridged_with: frozenset[ChannelId] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """The live channels that matter to one transfer, asked from the switch in one go."""

    pbx_started: str
    alive: Mapping[ChannelId, Alive] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkLost:
    pass


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkRestored:
    survey: Survey


@dataclass(frozen=True, kw_only=True, slots=True)
class TimePassed:
    """A deadline is due. `now` is given with every event; this one brings nothing else."""


LegEvent = LegRinging | LegAnswered | LegAccepted | LegDeclined | LegBriefed | LegEnded | Joined | JoinFailed
PartyEvent = LeadHungUp | BotHungUp
ChannelEvent = LegEvent | PartyEvent
Event = (
    TransferRequested
    | CancelRequested
    | HandoffFinished
    | AttemptResolved
    | ChannelEvent
    | LinkLost
    | LinkRestored
    | TimePassed
)


# --- commands


class Why(StrEnum):
    """Why a leg is hung up; a leg that had been answered is told so in words."""

    ANSWERED_ELSEWHERE = "answered_elsewhere"  # leaves no missed call
    TAKEN = "taken"
    RING_TIMEOUT = "ring_timeout"  # leaves a missed call
    UNREACHABLE = "unreachable"
    NO_CONSENT = "no_consent"
    LEAD_HUNG_UP = "lead_hung_up"
    CANCELLED = "cancelled"
    JOIN_FAILED = "join_failed"
    CALL_OVER = "call_over"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ring:
    """Where `straight`, whoever picks up may go to the lead without waiting for the Join; Joined follows."""

    leg: Leg
    ring_timeout_s: float
    straight: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class HangUp:
    channel: ChannelId
    why: Why
    answered: bool  # someone is listening


@dataclass(frozen=True, kw_only=True, slots=True)
class Brief:
    """Play the overview to this leg alone; LegBriefed follows."""

    channel: ChannelId


@dataclass(frozen=True, kw_only=True, slots=True)
class Join:
    """Bring the leg into the lead's call; Joined or JoinFailed follows."""

    lead: ChannelId
    channel: ChannelId


@dataclass(frozen=True, kw_only=True, slots=True)
class Announce:
    """Play the overview and the closing line to lead and agent; HandoffFinished follows."""

    lead: ChannelId


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseBot:
    channel: ChannelId


@dataclass(frozen=True, kw_only=True, slots=True)
class ReturnLead:
    """Give a held lead back to the engineer's dialplan."""

    lead: ChannelId
    goto: str


class Phase(StrEnum):
    """What the bot is told, so that it can narrate truthfully."""

    LOOKING = "looking"
    RINGING = "ringing"
    ANSWERED = "answered"  # an agent took it and is about to be joined
    JOINED = "joined"  # agent, lead and bot hear each other: speak the overview now
    AGENT_LEFT = "agent_left"
    CONNECTED = "connected"
    MISSED = "missed"
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True, slots=True)
class TellBot:
    phase: Phase
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolveNextAttempt:
    """Ask whom the step rings now. Only the answer to the last question counts."""

    step: Step
    ask: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Finish:
    """Record the outcome, with all it brings, in the transaction of the transition."""

    outcome: Outcome


Command = (
    Ring | HangUp | Brief | Join | Announce | ReleaseBot | ReturnLead | TellBot | ResolveNextAttempt | Finish
)
