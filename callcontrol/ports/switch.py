"""The switch: its orders, and what it reports."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from callcontrol.core.callback import CallReport
from callcontrol.core.events import ChannelEvent, Survey, Why
from callcontrol.core.model import (
    Agent,
    AgentId,
    AgentState,
    BotId,
    Call,
    ChannelId,
    Endpoint,
    Leg,
    LineState,
    TransferId,
)


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
    straight: bool = False  # see `Pbx.ring`


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


Report = ChannelEvent | CallReport | TransferAsked | HandoffDone | AgentAsked | LinkUp | LinkDown


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

    def ring(self, order: RingOrder) -> Coroutine[Any, Any, None]:
        """An adapter may send the order when this is called, and wait for the switch when it is awaited.

        Where it may go `straight`, a switch that can lets the first of a transfer's legs that is
        answered go to the lead by itself. All that is reported of it is then Joined. A leg that finds
        another there, or no bridge, is reported answered and waits for `join`, as any other.
        """
        ...

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

    async def follow(self, wanted: Callable[[str], bool]) -> None:
        """Report CallBegan, CallAnswered and CallEnded for calls of others from or to a number that is
        wanted, in whatever format the switch has it; those that are up already at once, and again
        after each LinkUp. `wanted` is asked at every call of the switch: it must be quick.
        """
        ...

    async def message(self, endpoint: Endpoint, body: str) -> None:
        """Send a text to a phone. Whether the phone took it is not told.

        Raises DoubtError where it may have been sent, PortError where it was not.
        """
        ...

    async def check(self, agents: Sequence[Agent]) -> Sequence[Finding]:
        """Look at the link, the privileges, the dialplan and every agent's endpoints."""
        ...
