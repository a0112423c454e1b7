"""What is asked of the store and what it keeps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from callcontrol.core.callback import Direction, How
from callcontrol.core.events import AttemptResolved, Event
from callcontrol.core.followup import FollowUp, WordRest
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
    word_rest: WordRest | None = None  # for those who are let rest; none: they get no text
    outcome: Outcome | None = None
    follow_up: FollowUp | None = None
    hooks: tuple[Hook, ...] = ()  # what outside systems are told of it
    closed: bool = False


FactsOf = Callable[[Step], RoutingFacts]
First = Callable[[TransferRow, FactsOf], Transition]
Decide = Callable[[FactsOf], AttemptResolved]


class MessageKind(StrEnum):
    TEXT = "text"
    WEBHOOK = "webhook"


class MessageState(StrEnum):
    QUEUED = "queued"
    CLAIMED = "claimed"
    SENT = "sent"
    PARKED = "parked"
    DISCARDED = "discarded"


@dataclass(frozen=True, kw_only=True, slots=True)
class NewMessage:
    """A message to write into the outbox: once, for its key is unique there for ever."""

    dedupe_key: str
    to: str  # E.164, a mail address or an extension; where a webhook goes
    body: str
    recipient: str  # the role: agent, owner, ...
    kind: MessageKind = MessageKind.TEXT
    transfer_id: TransferId | None = None
    agent_id: AgentId | None = None  # whose address it is, where it is an agent's
    gateway: str | None = None  # this one and no other; none: by the site's routes
    queue: str = ""  # those of one queue go one after the other; empty: the address
    not_before: datetime | None = None  # until then it holds up no other


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message of the outbox, for a gateway to send."""

    id: int
    dedupe_key: str
    to: str
    body: str
    recipient: str
    kind: MessageKind = MessageKind.TEXT
    transfer_id: TransferId | None = None
    agent_id: AgentId | None = None
    gateway: str | None = None
    via: str = ""  # the gateway it is sent through
    refused_by: tuple[str, ...] = ()  # gateways that will never take it
    doubtful: bool = False  # an earlier attempt may have sent it
    attempts: int = 0  # this one included
    late: bool = False  # it has waited: see Late


@dataclass(frozen=True, kw_only=True, slots=True)
class Late:
    """What was due before that instant has waited. Of it a gateway gets what it has room for here, and only
    in places that nothing newer takes.
    """

    due_before: datetime
    room: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """What a look into the outbox brought."""

    messages: tuple[Message, ...] = ()  # the claimer's for now
    parked: tuple[tuple[Message, str], ...] = ()  # that no gateway takes, or that may have been sent; why


@dataclass(frozen=True, kw_only=True, slots=True)
class Setback:
    """A message that was not sent, or of which nobody knows."""

    why: str
    retry_in_s: float | None  # none: parked for a person
    via: str | None = None  # only through this gateway; none: by the routes
    refused_by: tuple[str, ...] = ()
    doubtful: bool = False


class Delivery(StrEnum):
    """What a gateway reported of a message that it had taken."""

    ON_ITS_WAY = "on_its_way"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryReport:
    """`message_id` is ours, `provider_id` the gateway's own; one of them is given."""

    gateway: str
    delivery: Delivery
    message_id: int | None = None
    provider_id: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageStatus:
    """What became of a message."""

    id: int
    kind: MessageKind
    transfer_id: TransferId | None
    recipient: str
    to: str
    body: str
    state: MessageState
    doubtful: bool  # it may have been sent
    gateway: str  # through which it goes or went; empty: not chosen yet
    attempts: int
    created_at: datetime
    next_at: datetime
    sent_at: datetime | None
    last_error: str
    provider_id: str = ""
    delivery: Delivery | None = None
    delivery_at: datetime | None = None
    delivery_detail: str = ""

    @property
    def undecided(self) -> bool:
        """A person may still have it sent again, or never."""
        return self.state in (MessageState.QUEUED, MessageState.PARKED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Which:
    """Messages of the outbox; what is not given does not matter."""

    ids: tuple[int, ...] = ()
    states: tuple[MessageState, ...] = ()
    gateway: str | None = None
    kind: MessageKind | None = None
    to: str | None = None
    transfer_id: TransferId | None = None
    doubtful: bool | None = None


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """What waits in the outbox."""

    queued: int
    claimed: int
    parked: int  # for a person
    oldest_at: datetime | None  # of those queued or claimed


@dataclass(frozen=True, kw_only=True, slots=True)
class Whom:
    """A lead to be forgotten: by id, or all with one of these ways to write a number."""

    lead_id: LeadId | None = None
    phones: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Forgotten:
    """What was erased."""

    leads: int
    transfers: int
    messages: int
    said: tuple[str, ...] = field(default=(), repr=False)  # texts that may lie about as sound files
