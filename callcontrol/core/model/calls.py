"""Live calls, the legs rung for them, and how a transfer came out."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from callcontrol.core.model.ids import AgentId, ChannelId, PoolId, TransferId
from callcontrol.core.model.people import Endpoint


class StepKind(StrEnum):
    ASSIGNED = "assigned"
    GROUP = "group"
    FALLBACK = "fallback"


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One attempt that a bot's plan allows; whom it rings is looked up when it starts."""

    kind: StepKind
    fallbacks: tuple[int, ...] = ()  # which of the bot's fallback numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class Leg:
    """One phone to ring, with the unique id its channel will have."""

    id: ChannelId
    agent_id: AgentId | None  # none: a fallback number
    label: str
    endpoint: Endpoint


class Term(StrEnum):
    """One condition of availability. All must hold for an agent to ring."""

    ACTIVE = "active"
    TOGGLE = "available"
    SCHEDULE = "schedule"
    ENDPOINT = "endpoint"
    LINE = "line"
    WRAP_UP = "not wrapping up"
    RESERVED = "not reserved"
    RESTING = "not resting"
    TRIED = "not yet rung for this transfer"


@dataclass(frozen=True, kw_only=True, slots=True)
class TermValue:
    term: Term
    holds: bool
    value: str  # for people: "closed until Mon 08:00 America/Denver"


@dataclass(frozen=True, kw_only=True, slots=True)
class Considered:
    """An agent looked at for an attempt, and every term with its value."""

    agent_id: AgentId
    name: str
    terms: tuple[TermValue, ...]

    @property
    def rings(self) -> bool:
        for term in self.terms:  # noqa: SIM110 - `all` takes three times as long, for each of thousands
            if not term.holds:
                return False
        return True


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """The live call between lead and bot, as the switch sees it."""

    lead: ChannelId
    bot: ChannelId | None  # none: the bot is an application on the lead's own channel
    pbx_started: str  # the switch's own start-up stamp: another one means these channels are gone


@dataclass(frozen=True, kw_only=True, slots=True)
class SoFar:
    """What a transfer has rung already."""

    transfer: TransferId | None = None  # none: nobody asks for real
    rung: frozenset[Endpoint] = frozenset()
    declined: frozenset[AgentId] = frozenset()


class LegFate(StrEnum):
    """What became of a leg."""

    ANSWERED = "answered"  # it took the lead
    DECLINED = "declined"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    NOT_ACCEPTED = "not_accepted"  # somebody or something answered, nobody pressed 1
    HUNG_UP = "hung_up"  # accepted, then left before being joined
    UNREACHABLE = "unreachable"
    FORWARDED = "forwarded"
    LOST_RACE = "lost_race"
    CANCELLED = "cancelled"  # the lead hung up, the bot cancelled, or the transfer ended otherwise
    LOST = "lost"  # gone when the switch could be asked again


class ConnectedBy(StrEnum):
    ASSIGNED_AGENT = "assigned_agent"
    POOL_AGENT = "pool_agent"
    FALLBACK = "fallback"


class MissedBecause(StrEnum):
    NO_ONE_AVAILABLE = "no_one_available"  # not one phone could be rung
    NO_ANSWER = "no_answer"  # phones rang, nobody took the lead
    LEAD_HUNG_UP = "lead_hung_up"
    CANCELLED = "cancelled"  # the bot, or a person, called it off
    PBX_RESTARTED = "pbx_restarted"
    PBX_LOST = "pbx_lost"  # no link to the switch for too long


@dataclass(frozen=True, kw_only=True, slots=True)
class Connected:
    by: ConnectedBy
    leg: Leg


@dataclass(frozen=True, kw_only=True, slots=True)
class Missed:
    because: MissedBecause
    follow_up: bool = True  # false: the lead asked not to be called back


Outcome = Connected | Missed


@dataclass(frozen=True, kw_only=True, slots=True)
class LegRecord:
    """A leg and what it did so far. Instants are aware UTC."""

    leg: Leg
    attempt: int  # 1 is the first
    step: StepKind
    dialled_at: datetime
    ringing_at: datetime | None = None
    answered_at: datetime | None = None
    accepted_at: datetime | None = None
    joined_at: datetime | None = None
    ended_at: datetime | None = None
    fate: LegFate | None = None
    cause: str = ""  # as the switch gave it: "17 User busy"
    pool_id: PoolId | None = None  # for whose pool it was rung

    @property
    def ring_s(self) -> float | None:
        """Seconds it rang, until it was answered or ended; none where it never rang."""
        until = self.answered_at or self.ended_at
        return (until - self.ringing_at).total_seconds() if self.ringing_at and until else None

    @property
    def answer_delay_s(self) -> float | None:
        """Seconds from ringing to answer; none where it was never answered."""
        if self.ringing_at is None or self.answered_at is None:
            return None
        return (self.answered_at - self.ringing_at).total_seconds()
