"""What callcontrol needs of the world. Adapters implement these; `app` chooses which.

A verb of `Pbx` returns when the switch took the order and raises PortError where it refused, or
said nothing for 5 s; what came of it arrives as an event.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeVar

from callcontrol.core.events import AttemptResolved, ChannelEvent, Event, Survey, TransferRequested, Why
from callcontrol.core.followup import FollowUp
from callcontrol.core.model import (
    Agent,
    AgentId,
    AgentState,
    Bot,
    BotId,
    Call,
    Candidate,
    ChannelId,
    Directory,
    Endpoint,
    Lead,
    LeadId,
    Leg,
    LegRecord,
    LineState,
    Outcome,
    Step,
    TransferId,
)
from callcontrol.core.routing import RoutingFacts
from callcontrol.core.standing import StandingChange

T = TypeVar("T")


class PortError(Exception):
    """Something outside refused or did not answer. `retryable`: the same again may succeed."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


class ChannelUnknownError(PortError):
    """No such channel is live on the switch."""

    def __init__(self, channel: str) -> None:
        super().__init__(f"no live channel {channel!r} on the switch", retryable=False)


class Timer(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC, never running backwards while the process lives."""
        ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call back once, in the event loop, after `seconds`."""
        ...

    async def sleep(self, seconds: float) -> None: ...


# --- the switch


@dataclass(frozen=True, kw_only=True, slots=True)
class CallerId:
    """Shown on the agent's phone. Already cleaned: see `core.cleaning`."""

    name: str
    number: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RingOrder:
    transfer_id: TransferId
    leg: Leg
    lead: ChannelId
    caller: CallerId
    ring_timeout_s: float
    accept_timeout_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferAsked:
    """The dialplan asks for a transfer. Its sender waits for `Pbx.acknowledge`, about 2 s."""

    channel: ChannelId
    lead_id: str
    bot_id: str
    summary: str
    key: str
    lead: Mapping[str, str] = field(default_factory=dict)  # inline: name, phone, email, source


@dataclass(frozen=True, kw_only=True, slots=True)
class HandoffDone:
    """The dialplan says the bot has spoken; on the lead's or the bot's channel."""

    channel: ChannelId


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkUp:
    """The link stands. The survey holds every channel of the switch, not only ours."""

    survey: Survey


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkDown:
    why: str


class AgentWish(StrEnum):
    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"
    STATUS = "status"
    REST = "rest"


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentAsked:
    """An agent dialled a feature code. The phone waits for `Pbx.answer_agent`, about 2 s."""

    channel: ChannelId
    address: str  # the phone's extension
    wish: AgentWish
    minutes: int = 0  # for REST


Report = ChannelEvent | TransferAsked | HandoffDone | AgentAsked | LinkUp | LinkDown


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One line of `callcontrol check`."""

    subject: str
    ok: bool
    remedy: str = ""  # what to do, where not ok
    detail: str = ""


class Pbx(Protocol):
    """The switch. `ChannelEvent`s are reported for the legs rung and for the calls watched."""

    async def run(self, report: Callable[[Report], None]) -> None:
        """Keep the link for ever, with back-off. `report` must not block or raise."""
        ...

    @property
    def linked(self) -> bool: ...

    async def locate(self, channel: str) -> Call:
        """The live call of a lead's channel, by unique id or name. Raises ChannelUnknownError."""
        ...

    def watch(self, transfer_id: TransferId, call: Call) -> None:
        """Report LeadHungUp and BotHungUp for this call from now on. Safe to repeat."""
        ...

    def watch_leg(self, transfer_id: TransferId, call: Call, leg: Leg) -> None:
        """Take up a leg that an earlier process rang."""
        ...

    def forget(self, transfer_id: TransferId) -> None:
        """The transfer is over: report nothing more about it."""
        ...

    async def ring(self, order: RingOrder) -> None: ...

    async def hang_up(self, channel: ChannelId, why: Why, *, answered: bool) -> None:
        """Safe to repeat; a channel that is gone is no error. LegEnded follows, if not seen yet."""
        ...

    async def brief(self, channel: ChannelId, sound: Path) -> None:
        """Play `sound` to this leg; `*` replays. LegBriefed follows."""
        ...

    async def join(self, lead: ChannelId, channel: ChannelId) -> None:
        """Join the leg to the live lead-bot bridge; a lead in no bridge is moved to the leg instead.
        Safe to repeat. Joined or JoinFailed follows.
        """
        ...

    async def announce(self, transfer_id: TransferId, lead: ChannelId, sounds: Sequence[Path]) -> None:
        """Play the sounds into the lead's bridge. HandoffDone for the lead follows."""
        ...

    async def release_bot(self, channel: ChannelId) -> None:
        """Hang up the bot's leg, leaving lead and agent. A bot that is gone is no error."""
        ...

    async def return_lead(self, lead: ChannelId, goto: str) -> None:
        """Missed, and the lead has no bot leg: send it to `goto`, or out of our hold if it is there."""
        ...

    async def acknowledge(self, channel: ChannelId, transfer_id: TransferId | None, why: str) -> None:
        """Answer a TransferAsked; no transfer id is a refusal, with the reason."""
        ...

    async def publish_fallbacks(self, bot_id: BotId, endpoints: Sequence[Endpoint]) -> None:
        """Leave with the switch whom to ring when no daemon answers."""
        ...

    def line(self, endpoint: Endpoint) -> LineState:
        """The phone's state as last heard; kept live, and asked anew after a lost link."""
        ...

    async def show(self, agent_id: AgentId, state: AgentState) -> None:
        """Set the agent's lamp."""
        ...

    async def answer_agent(self, channel: ChannelId, state: AgentState) -> None:
        """Answer an AgentAsked: the phone says the state."""
        ...

    async def check(self, agents: Sequence[Agent]) -> Sequence[Finding]:
        """Look at the link, the privileges, the dialplan and every agent's endpoints."""
        ...


# --- the store


class StoreError(PortError):
    """The database refused or is away."""


class UnknownError(Exception):
    """A lead, bot or transfer that is not in the database. `what` names it."""

    def __init__(self, what: str, identifier: str) -> None:
        super().__init__(f"no {what} {identifier!r}")
        self.what = what
        self.identifier = identifier


class ChannelBusyError(Exception):
    """The lead's channel is already in a live transfer."""

    def __init__(self, transfer_id: TransferId) -> None:
        super().__init__(f"the channel is already in transfer {transfer_id}")
        self.transfer_id = transfer_id


class KeyReusedError(Exception):
    """The idempotency key was used for another request."""


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


class Store(Protocol):
    """The database. Each method is one transaction, run to its end even if the caller is cancelled.
    All raise StoreError where the database is away.
    """

    async def check(self) -> Sequence[Finding]: ...

    async def ping(self) -> None: ...

    async def apply(self, directory: Directory) -> Sequence[str]:
        """Make agents, pools, rules and bots what `directory` says; each change as a line for people.

        An agent's own toggle is kept. Leads are added or updated, never removed.
        """
        ...

    async def bots(self) -> Sequence[Bot]: ...

    async def agents(self) -> Sequence[Agent]: ...

    async def set_available(self, agent_id: AgentId, *, available: bool) -> None:
        """Raises UnknownError."""
        ...

    async def prepare(self, request: Request) -> TransferRow | Bot:
        """The transfer that the key already belongs to, or else the request's bot.

        Raises UnknownError for an unknown bot or lead id, KeyReusedError where the key came with
        another bot, lead or channel.
        """
        ...

    async def open(
        self,
        transfer_id: TransferId,
        request: Request,
        asked: TransferRequested,
        now: datetime,
        first: First | None = None,
    ) -> TransferRow:
        """Store a new transfer with what `first` writes of it, or else with `asked` as its only entry.

        `first` is called within the transaction, from any thread, and again where that is tried again.
        Raises UnknownError, ChannelBusyError, and KeyReusedError where a concurrent request has
        just used the key.
        """
        ...

    async def resolve(self, row: TransferRow, decide: Decide, now: datetime) -> AttemptResolved:
        """Have `decide` choose by the facts of now, and reserve the agents it rings for the transfer.

        One transaction; `decide` is called from any thread, and again where that is tried again.
        """
        ...

    async def consult(
        self, bot_id: BotId, lead: LeadId | NewLead, look: Callable[[Bot, Lead, FactsOf], T], now: datetime
    ) -> T:
        """Look at the facts of `now`, changing nothing. Raises UnknownError."""
        ...

    async def candidates(self, now: datetime) -> Sequence[Candidate]:
        """Every agent of the directory with their standing."""
        ...

    async def agent_at(self, address: str, now: datetime) -> Candidate:
        """Whose extension that is. Raises UnknownError."""
        ...

    async def rest(self, agent_id: AgentId, until: datetime | None, why: str) -> None:
        """Let an agent rest, or return (no `until`), strikes forgotten. Raises UnknownError."""
        ...

    async def history(self, bot_id: BotId, since: datetime) -> Sequence[float | None]:
        """For each decided transfer of the bot: seconds from the request to being joined, or a miss.

        Transfers that the bot called off, or whose lead hung up, are left out: nobody failed them.
        """
        ...

    async def hold(self, hold_id: str, agent_ids: Sequence[AgentId], until: datetime) -> Sequence[AgentId]:
        """Reserve agents for a transfer that is about to be asked for; those that were free."""
        ...

    async def record(self, transition: Transition) -> None:
        """Append to the journal, with everything that goes with it. Safe to repeat."""
        ...

    async def unclosed(self) -> Sequence[tuple[TransferRow, tuple[Entry, ...]]]: ...

    async def transfer(self, transfer_id: TransferId) -> TransferRow:
        """Raises UnknownError."""
        ...

    async def transfers(self, limit: int) -> Sequence[TransferRow]: ...

    async def journal(self, transfer_id: TransferId) -> tuple[Entry, ...]: ...

    async def legs(self, transfer_id: TransferId) -> Sequence[LegRecord]: ...

    async def texts(self, transfer_id: TransferId) -> Sequence[TextStatus]: ...

    async def tasks(self, limit: int) -> Sequence[Task]: ...

    async def claim_texts(self, limit: int, now: datetime, lease_s: float) -> Sequence[Text]: ...

    async def text_sent(self, text: Text, now: datetime) -> None: ...

    async def text_failed(self, text: Text, now: datetime, why: str, *, retry_in_s: float | None) -> None:
        """No `retry_in_s`: parked for a person."""
        ...

    async def close(self) -> None: ...


# --- texts and speech


class SmsGateway(Protocol):
    async def send(self, text: Text) -> None:
        """Raises PortError."""
        ...


class Speech(Protocol):
    """Text to a sound file the switch can play."""

    async def render(self, text: str) -> Path:
        """The same text gives the same file. Raises PortError where the command fails."""
        ...
