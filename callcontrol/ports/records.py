"""What is asked of the store and what it keeps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from callcontrol.core.callback import Direction, How
from callcontrol.core.events import AttemptResolved, Event
from callcontrol.core.followup import FollowUp
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
    PoolId,
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


class TaskState(StrEnum):
    OPEN = "open"
    CLAIMED = "claimed"
    DONE = "done"


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskNote:
    at: datetime
    by: str  # who wrote it, or callcontrol
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskCall:
    """A call between the lead and somebody here, seen while the task was not done."""

    direction: Direction
    who: str
    agent_id: AgentId | None
    began_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None  # none: they are at it, or it rings


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    at: datetime
    by: str
    how: How
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """Somebody must call a lead back. Seconds count from when it was made: from the miss."""

    id: int
    transfer_id: TransferId
    lead_id: LeadId
    title: str
    reason: str
    owner_agent_id: AgentId | None
    created_at: datetime
    due_at: datetime
    state: str
    owner_pool_id: PoolId | None = None  # neither agent nor pool: the bot's owner
    claimed_by: str | None = None
    claimed_at: datetime | None = None
    done: Done | None = None
    escalations: int = 0  # texts sent because nobody touched it
    escalate_at: datetime | None = None  # the next one
    first_attempt_s: float | None = None  # to the first call to the lead
    first_answered_s: float | None = None  # to the first talk with the lead, whoever called
    talk_s: float | None = None  # of the call that closed it
    notes: tuple[TaskNote, ...] = ()
    calls: tuple[TaskCall, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskFilter:
    """Which tasks to list; what is not given does not matter."""

    states: tuple[TaskState, ...] = ()
    owner: str | None = None  # an agent's or a pool's id
    lead_id: LeadId | None = None
    transfer_id: TransferId | None = None
    overdue_at: datetime | None = None  # not done, and due by then


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingLead:
    """A lead whom somebody must call back."""

    phone: str
    task_ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Overdue:
    """A task that nobody touched in time."""

    task: Task
    lead: Lead
    bot: Bot
    assigned: Agent | None
