"""The words of a warm transfer. Everything here is a value: frozen, comparable, without behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
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
class DatedWindow:
    """Wall time on one date that is open, or closed, whatever the week says. It does not pass midnight."""

    on: date
    start_min: int  # minutes after midnight, 0 to 1439
    end_min: int  # minutes after midnight, 1 to 1440; exclusive
    opens: bool
    why: str = ""  # "dentist", "Thanksgiving"


class EndpointOrder(StrEnum):
    """How an agent with several phones is rung."""

    TOGETHER = "together"
    IN_ORDER = "in_order"  # the next one joins the ringing after `endpoint_step_s`


@dataclass(frozen=True, kw_only=True, slots=True)
class Agent:
    """Someone who takes leads, as the directory says; what changes by the minute is their Standing."""

    id: AgentId
    name: str
    active: bool
    available: bool  # the agent's own toggle
    zone: tzinfo
    schedule: tuple[Window, ...]
    endpoints: tuple[Endpoint, ...]
    phone: str | None = None  # E.164, for texts
    exceptions: tuple[DatedWindow, ...] = ()  # the agent's own, and holidays; the last one that fits counts
    tags: frozenset[str] = frozenset()  # skills, languages ("lang:de"), teams
    weight: int = 1  # 1 to 100; a heavier agent is rung earlier where the pool goes by weight
    wrap_up_s: float = 0.0  # after a transferred call
    endpoint_order: EndpointOrder = EndpointOrder.TOGETHER
    endpoint_step_s: float = 12.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What has lately become of an agent. Instants are aware UTC."""

    strikes: int = 0  # missed rings in a row
    resting_until: datetime | None = None
    resting_why: str = ""
    wrapping_until: datetime | None = None
    claimed_by: TransferId | None = None  # the transfer that rings or has this agent
    idle_since: datetime | None = None  # end of the last transferred call
    last_rung_at: datetime | None = None
    transfers_today: int = 0  # calls taken since midnight in the agent's zone


class AgentState(StrEnum):
    """What an agent's lamp shows, and what a feature code says."""

    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"  # switched off by hand
    RESTING = "resting"
    OFF_DUTY = "off_duty"  # available, and outside their hours
    UNKNOWN = "unknown"  # no such agent


class LineState(StrEnum):
    """A phone, as the switch sees it."""

    NOT_IN_USE = "not in use"
    RINGING = "ringing"
    IN_USE = "in use"
    UNREGISTERED = "unregistered"
    UNKNOWN = "unknown"  # a number outside, or a phone the switch does not watch


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """An agent a step is about, as of now."""

    agent: Agent
    standing: Standing = Standing()


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


class PoolOrder(StrEnum):
    """Who of a pool is rung first, where not all are rung at once."""

    LISTED = "listed"
    LONGEST_IDLE = "longest_idle"
    ROUND_ROBIN = "round_robin"  # whoever was rung longest ago
    WEIGHT = "weight"
    FEWEST_TODAY = "fewest_today"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """Agents by name, or by the tags they all must have, so that new hires join by tag."""

    id: PoolId
    name: str
    agent_ids: tuple[AgentId, ...] = ()
    tags: frozenset[str] = frozenset()  # with none of both: nobody
    order: PoolOrder = PoolOrder.LISTED
    at_once: int = 0  # 0: all; otherwise so many, and as many more each `step_s`
    step_s: float = 10.0
    last_agent_first: bool = False  # the agent who last spoke with this lead is rung before the others
    wrap_up_s: float | None = None  # for calls of this pool, in place of the agent's own


class Operator(StrEnum):
    IS = "is"  # one of the values; case does not matter
    IS_NOT = "is_not"  # none of the values, or absent
    PREFIX = "prefix"  # begins with one of the values
    BETWEEN = "between"  # a number from the first value to the second, both included
    MATCHES = "matches"  # a regular expression, tried for a bounded time
    PRESENT = "present"
    ABSENT = "absent"


@dataclass(frozen=True, kw_only=True, slots=True)
class Compare:
    """One fact of the lead or the bot: "source", "bot", "phone", or a field of the lead."""

    fact: str
    operator: Operator
    values: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class During:
    """The wall clock in `zone` shows a time inside a window."""

    windows: tuple[Window, ...]
    zone: tzinfo


@dataclass(frozen=True, kw_only=True, slots=True)
class All:
    conditions: "tuple[Condition, ...]" = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class AnyOf:
    conditions: "tuple[Condition, ...]" = ()


Condition = Compare | During | All | AnyOf


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Leads for whom the condition holds go to the pool. Rules are tried in order."""

    name: str
    when: Condition
    pool_id: PoolId


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleVerdict:
    """Whether a rule fitted, and for people the reason."""

    rule: str
    fits: bool
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StrikePolicy:
    """When an agent who keeps missing rings is let rest."""

    limit: int = 3  # missed rings in a row; 0: never
    rest_s: float = 1800.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Directory:
    """Everyone and everything routing knows, as directory.yaml gives it. Rules are in order."""

    agents: tuple[Agent, ...] = ()
    pools: tuple[Pool, ...] = ()
    rules: tuple[Rule, ...] = ()
    bots: tuple[Bot, ...] = ()
    leads: tuple[Lead, ...] = ()
    strikes: StrikePolicy = StrikePolicy()


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
        return all(term.holds for term in self.terms)


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
