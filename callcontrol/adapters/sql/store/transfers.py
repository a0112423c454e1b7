"""Transfers: asked for, resolved step by step, journalled turn by turn."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from callcontrol.adapters.sql import history, in_brief, journal, opening, outcomes, resolving, transfers
from callcontrol.adapters.sql.directory import Memory
from callcontrol.adapters.sql.store.ground import Ground
from callcontrol.core.escalation import TaskRules
from callcontrol.core.events import AttemptResolved
from callcontrol.core.model import Bot, BotId, Call, Lead, LeadId, LegRecord, Step, TransferId
from callcontrol.ports import Decide, Entry, FactsOf, First, NewLead, Request, TransferRow, Transition

T = TypeVar("T")


class SqlTransfers(Ground):
    async def history(self, bot_id: BotId, since: datetime) -> Sequence[float | None]:
        return await self._runner.read(history.history, bot_id, since)

    async def prepare(self, request: Request) -> TransferRow | Bot:
        site = await self._site(request.lead)
        await self._write_out()
        with site.explained():
            return await self._runner.read(transfers.prepare, self._memory, request, site)

    async def open(
        self,
        transfer_id: TransferId,
        request: Request,
        call: Call,
        now: datetime,
        first: First,
    ) -> TransferRow:
        site = await self._site(request.lead, toggles=True)
        with site.explained():
            return await self._runner.write_first(
                opening.open_transfer,
                self._memory,
                transfer_id=transfer_id,
                request=request,
                call=call,
                now=now,
                first=first,
                brief=self._brief,
                site=site,
                rules=self._task_rules,
            )

    async def resolve(self, row: TransferRow, step: Step, decide: Decide, now: datetime) -> AttemptResolved:
        site = await self._site(toggles=True)
        if row.id in self._brief:
            await self._write_out()
        asked = resolving.Asked(row=row, step=step, decide=decide, now=now, site=site)
        return await self._resolving.ask(asked)

    async def consult(
        self,
        bot_id: BotId,
        lead: LeadId | NewLead,
        look: Callable[[Bot, Lead, FactsOf], T],
        now: datetime,
        *,
        in_full: bool = False,
    ) -> T:
        site = await self._site(lead, toggles=True)
        with site.explained():
            return await self._runner.read(
                transfers.consult, self._memory, bot_id, lead, look, now=now, site=site, in_full=in_full
            )

    async def record(self, transition: Transition) -> None:
        brief = tuple(one for one in (transition.transfer_id,) if one in self._brief)
        await self._runner.write_first(_record, brief, self._memory, transition, self._task_rules)
        self._brief.forget(brief)

    async def _write_out(self) -> None:
        """What this process keeps in brief, before somebody looks."""
        if transfers := tuple(self._brief):
            await self._runner.write_together(in_brief.write_out, transfers)
            self._brief.forget(transfers)

    async def unclosed(self) -> Sequence[tuple[TransferRow, tuple[Entry, ...]]]:
        if await self._runner.read(in_brief.any_left):  # of an earlier process too
            await self._runner.write(in_brief.write_out)
        return await self._runner.read(transfers.unclosed, self._memory)

    async def transfer(self, transfer_id: TransferId) -> TransferRow:
        await self._write_out()
        return await self._runner.read(transfers.transfer, self._memory, transfer_id)

    async def transfers(self, limit: int) -> Sequence[TransferRow]:
        await self._write_out()
        return await self._runner.read(transfers.newest, self._memory, limit)

    async def journal(self, transfer_id: TransferId) -> tuple[Entry, ...]:
        await self._write_out()
        return await self._runner.read(journal.entries_of, transfer_id)

    async def legs(self, transfer_id: TransferId) -> Sequence[LegRecord]:
        return await self._runner.read(journal.legs_of, transfer_id)


def _record(
    connection: Connection,
    brief: Sequence[TransferId],
    memory: Memory,
    transition: Transition,
    rules: TaskRules,
) -> None:
    in_brief.write_out(connection, brief)
    outcomes.record(connection, memory, transition, rules)
