"""What is asked of the store and what it keeps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from callcontrol.core.events import AttemptResolved, Event
from callcontrol.core.followup import FollowUp
from callcontrol.core.hooks import Hook
from callcontrol.core.model import (
    Agent,
    AgentId,
    Bot,
    BotId,
    Call,
    Lead,
    LeadId,
    LegRecord,
    Outcome,
    Step,
    TransferId,
)
from callcontrol.core.routing import RoutingFacts
from callcontrol.core.standing import StandingChange


@dataclass(frozen=True, kw_only=True, slots=True)
class NewLead:
    """A lead given with the request rather than by id; matched to a known one by phone."""

    name: str = ""
    phone: str = ""
    email: str = ""
    source: str = ""
    assigned_agent_id: AgentId | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request for a transfer, checked and cleaned."""

    bot_id: BotId
    lead: LeadId | NewLead
    channel: str  # the lead's channel, by unique id or name
    summary: str
    key: str  # idempotency key; a random one where the asker gave none
    hold_id: str = ""  # a reservation of agents made before, taken over


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferRow:
    """A transfer as stored."""

    id: TransferId
    key: str
    bot: Bot
    lead: Lead
    assigned: Agent | None
    call: Call
    summary: str
    requested_at: datetime
    outcome: Outcome | None = None
    finished_at: datetime | None = None
    closed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One line of a transfer's journal. `seq` counts from 1 within the transfer."""

    seq: int
    at: datetime
    event: Event


@dataclass(frozen=True, kw_only=True, slots=True)
class Transition:
    """What one turn of the machine writes, in one transaction."""

    transfer_id: TransferId
    entries: tuple[Entry, ...]
    legs: tuple[LegRecord, ...]  # those that changed
    standings: tuple[StandingChange, ...] = ()  # what that means for their agents
    outcome: Outcome | None = None
    follow_up: FollowUp | None = None
    hooks: tuple[Hook, ...] = ()  # what outside systems are told of it
    closed: bool = False


FactsOf = Callable[[Step], RoutingFacts]
First = Callable[[TransferRow, FactsOf], Transition]
Decide = Callable[[FactsOf], AttemptResolved]


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """A text in the outbox."""

    id: int
    dedupe_key: str
    transfer_id: TransferId
    to: str  # E.164
    body: str
    attempts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TextStatus:
    """What became of a text."""

    to: str  # E.164
    body: str
    state: str  # queued, claimed, sent or parked
    attempts: int
    sent_at: datetime | None
    last_error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    id: int
    transfer_id: TransferId
    lead_id: LeadId
    title: str
    reason: str
    owner_agent_id: AgentId | None
    created_at: datetime
    due_at: datetime
    state: str
