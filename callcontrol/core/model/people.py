"""Agents, their phones and hours, leads, and who else gets texts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from enum import StrEnum

from callcontrol.core.model.ids import AgentId, LeadId, TransferId


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

    def __hash__(self) -> int:
        """Of the id alone: thousands are looked up for one call."""
        return hash(self.id)


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
    ELSEWHERE = "elsewhere"  # the wish was not granted: the site's own tables say who is available
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
class ContactList:
    """Contacts under a name, such as the managers."""

    name: str
    contacts: tuple[Contact, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lead:
    id: LeadId
    name: str
    phone: str
    email: str = ""
    source: str = ""
    assigned_agent_id: AgentId | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
