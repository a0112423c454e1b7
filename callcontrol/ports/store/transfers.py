"""Transfers: asked for, resolved step by step, journalled turn by turn."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from callcontrol.core.events import AttemptResolved
from callcontrol.core.model import Bot, BotId, Call, Lead, LeadId, LegRecord, Step, TransferId
from callcontrol.ports.records import Decide, Entry, FactsOf, First, NewLead, Request, TransferRow, Transition

T = TypeVar("T")


class TransferStore(Protocol):
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
        call: Call,
        now: datetime,
        first: First,
    ) -> TransferRow:
        """Store a new transfer with what `first` writes of it, or find the one that the key belongs to.
        As with `record`, it outlives this process from then on.

        `first` is called within the transaction, from any thread, and again where that is tried again.
        Raises UnknownError, ChannelBusyError, and KeyReusedError where the key came with another bot,
        lead or channel.
        """
        ...

    async def resolve(self, row: TransferRow, step: Step, decide: Decide, now: datetime) -> AttemptResolved:
        """Have `decide` choose by the step's facts of now, and reserve the agents it rings for the transfer.

        `decide` is called from any thread, and again where another transfer was quicker to an agent.
        """
        ...

    async def consult(
        self,
        bot_id: BotId,
        lead: LeadId | NewLead,
        look: Callable[[Bot, Lead, FactsOf], T],
        now: datetime,
        *,
        in_full: bool = False,
    ) -> T:
        """Look at the facts of `now`, changing nothing. `in_full`: with those of a large group who are off
        too, who are only counted otherwise. Raises UnknownError.
        """
        ...

    async def history(self, bot_id: BotId, since: datetime) -> Sequence[float | None]:
        """For each decided transfer of the bot: seconds from the request to being joined, or a miss.

        Transfers that the bot called off, or whose lead hung up, are left out: nobody failed them.
        """
        ...

    async def record(self, transition: Transition) -> None:
        """Append to the journal, with everything that goes with it. Safe to repeat.

        From then on it outlives this process; a moment later, and before any text of it is sent, the machine.
        """
        ...

    async def unclosed(self) -> Sequence[tuple[TransferRow, tuple[Entry, ...]]]: ...

    async def transfer(self, transfer_id: TransferId) -> TransferRow:
        """Raises UnknownError."""
        ...

    async def transfers(self, limit: int) -> Sequence[TransferRow]: ...

    async def journal(self, transfer_id: TransferId) -> tuple[Entry, ...]: ...

    async def legs(self, transfer_id: TransferId) -> Sequence[LegRecord]: ...
