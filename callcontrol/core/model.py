"""The words of a warm transfer. Everything here is a value: frozen, comparable, without behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import NewType

TransferId = NewType("TransferId", str)
AgentId = NewType("AgentId", str)
LeadId = NewType("LeadId", str)
BotId = NewType("BotId", str)
PoolId = NewType("PoolId", str)

ChannelId = NewType("ChannelId", str)
"""The unique id a switch gives a channel. A leg we ring has the id we chose for it."""


class Pattern(StrEnum):
    """Whom a bot's transfers ring, in which order (product playbook, "How transfer routing works")."""

    ASSIGNED = "assigned"
    GROUP = "group"
    ASSIGNED_THEN_GROUP = "assigned_then_group"


class HandoffStyle(StrEnum):
    """How the agent hears the overview."""

    INTRODUCE = "introduce"  # the bot speaks it to agent and lead, then drops off
    WHISPER = "whisper"  # the agent alone hears it from a sound file, then is joined
    ANNOUNCE = "announce"  # agent and lead hear it from a sound file


class AcceptBy(StrEnum):
    """What counts as consent to take the lead."""

    ANSWER = "answer"  # a desk phone without voicemail: picking up is accepting
    KEY = "key"  # press 1; a voicemail can't


class EndpointKind(StrEnum):
    EXTENSION = "extension"  # a phone of this PBX
    NUMBER = "number"  # E.164, leaves the PBX
    DIAL = "dial"  # a dial string of the switch, written by the engineer


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    kind: EndpointKind
    address: str
    accept_by: AcceptBy

    @property
    def external(self) -> bool:
        """Leaves the PBX, so that ringing may take long to be reported."""
        return self.kind is not EndpointKind.EXTENSION


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """A weekly opening in wall time. `end_min` at or before `start_min` runs over midnight."""

    weekday: int  # 0 is Monday
    start_min: int  # minutes after midnight, 0 to 1439
    end_min: int  # minutes after midnight, 1 to 1440; exclusive


@dataclass(frozen=True, kw_only=True, slots=True)
class Agent:
    id: AgentId
    name: str
    active: bool
    available: bool  # the agent's own toggle
    zone: tzinfo
    schedule: tuple[Window, ...]
    endpoints: tuple[Endpoint, ...]
    phone: str | None = None  # E.164, for texts


@dataclass(frozen=True, kw_only=True, slots=True)
class Contact:
    """Someone who gets texts, such as the owner of the sales team."""

    name: str
    phone: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Lead:
    id: LeadId
    name: str
    phone: str
    email: str = ""
    source: str = ""
    assigned_agent_id: AgentId | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fallback:
    label: str
    endpoint: Endpoint


@dataclass(frozen=True, kw_only=True, slots=True)
class OutcomeActions:
    """What an outcome sets off. The defaults are the playbook's."""

    cancel_cadence: bool = True
    notify_agent: bool = True
    notify_owner: bool = True
    create_task: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Bot:
    id: BotId
    name: str
    pattern: Pattern = Pattern.ASSIGNED_THEN_GROUP
    ring_timeout_s: float = 35.0
    accept_timeout_s: float = 20.0
    handoff: HandoffStyle = HandoffStyle.INTRODUCE
    handoff_limit_s: float = 60.0
    closing_line: str = "I'll let you guys take it from here."
    fallbacks: tuple[Fallback, ...] = ()
    fallback_all_at_once: bool = False
    missed_goto: str = ""  # "context,exten,priority" for a lead whose bot is not a leg of its own
    owner: Contact | None = None
    on_connected: OutcomeActions = OutcomeActions()
    on_missed: OutcomeActions = OutcomeActions(create_task=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    id: PoolId
    name: str
    agent_ids: tuple[AgentId, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Leads whose facts have one of the given values, for every fact named, go to the pool."""

    name: str
    when: Mapping[str, tuple[str, ...]]  # "source", "bot", or a field of the lead
    pool_id: PoolId


@dataclass(frozen=True, kw_only=True, slots=True)
class Directory:
    """Everyone and everything routing knows, as directory.yaml gives it. Rules are in order."""

    agents: tuple[Agent, ...] = ()
    pools: tuple[Pool, ...] = ()
    rules: tuple[Rule, ...] = ()
    bots: tuple[Bot, ...] = ()
    leads: tuple[Lead, ...] = ()


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
    HAS_ENDPOINT = "endpoint"
    NOT_TRIED = "not yet rung for this transfer"


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
        return all(term.holds for term in self.terms)


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """The live call between lead and bot, as the switch sees it."""

    lead: ChannelId
    bot: ChannelId | None  # none: the bot is an application on the lead's own channel
    pbx_started: str  # the switch's own start-up stamp: another one means these channels are gone


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
