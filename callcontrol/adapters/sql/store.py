"""The `Store` port on SQLite or PostgreSQL."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection

from callcontrol.adapters.sql import (
    apply,
    cadence,
    checks,
    directory,
    facts,
    journal,
    outbox,
    outcomes,
    tasks,
    transfers,
)
from callcontrol.adapters.sql.migrate import SchemaStatus, status_of, upgrade_in
from callcontrol.adapters.sql.runner import Runner
from callcontrol.core.events import TransferRequested
from callcontrol.core.model import (
    Agent,
    AgentId,
    Bot,
    Directory,
    Lead,
    LeadId,
    LegRecord,
    Step,
    StepKind,
    TransferId,
)
from callcontrol.ports import (
    Entry,
    Finding,
    First,
    Request,
    RoutingFacts,
    StoreError,
    Task,
    Text,
    TextStatus,
    TransferRow,
    Transition,
)


class SqlStore:
    """Each method is one question in one transaction; see the modules named for their subject."""

    def __init__(self, url: str) -> None:
        """`sqlite:///PATH` or `postgresql://...`. Raises ValueError for anything else."""
        self._runner = Runner(url)
        self._memory = directory.Memory()

    async def ensure_schema(self) -> None:
        """Give an empty database its tables; refuse one of another version, saying what to do.

        Raises StoreError.
        """
        found = await self._runner.write(_ensure)
        if found.remedy:
            raise StoreError(
                f"the database has schema {found.found}, this program needs {found.needed}: {found.remedy}",
                retryable=False,
            )

    async def check(self) -> Sequence[Finding]:
        """Says, rather than raises, that the database is away."""
        try:
            return await self._runner.write(checks.findings)
        except StoreError as exc:
            remedy = "start the database, or correct its URL and permissions in the configuration"
            return (Finding(subject="database", ok=False, remedy=remedy, detail=str(exc)),)

    async def ping(self) -> None:
        await self._runner.read(checks.ping)

    async def close(self) -> None:
        await self._runner.close()

    async def apply(self, directory: Directory) -> Sequence[str]:
        return await self._runner.write(apply.apply, self._memory, directory, datetime.now(UTC))

    async def bots(self) -> Sequence[Bot]:
        return await self._runner.read(directory.all_bots, self._memory)

    async def agents(self) -> Sequence[Agent]:
        return await self._runner.read(directory.all_agents, self._memory)

    async def set_available(self, agent_id: AgentId, *, available: bool) -> None:
        await self._runner.write(apply.set_available, agent_id, available)

    async def prepare(self, request: Request) -> TransferRow | Bot:
        return await self._runner.read(transfers.prepare, self._memory, request)

    async def open(
        self,
        transfer_id: TransferId,
        request: Request,
        asked: TransferRequested,
        now: datetime,
        first: First | None = None,
    ) -> TransferRow:
        return await self._runner.write_together(
            transfers.open_transfer,
            self._memory,
            transfer_id=transfer_id,
            request=request,
            asked=asked,
            now=now,
            first=first,
        )

    async def routing_facts(
        self,
        bot: Bot,
        lead: Lead,
        step: Step,
        now: datetime,  # noqa: ARG002 - nothing stored depends on it yet
    ) -> RoutingFacts:
        if step.kind is StepKind.FALLBACK:
            return facts.FALLBACK
        return await self._runner.read(facts.of_step, self._memory, bot, lead, step.kind)

    async def record(self, transition: Transition) -> None:
        await self._runner.write_together(outcomes.record, transition)

    async def unclosed(self) -> Sequence[tuple[TransferRow, tuple[Entry, ...]]]:
        return await self._runner.read(transfers.unclosed, self._memory)

    async def transfer(self, transfer_id: TransferId) -> TransferRow:
        return await self._runner.read(transfers.transfer, self._memory, transfer_id)

    async def transfers(self, limit: int) -> Sequence[TransferRow]:
        return await self._runner.read(transfers.newest, self._memory, limit)

    async def journal(self, transfer_id: TransferId) -> tuple[Entry, ...]:
        return await self._runner.read(journal.entries_of, transfer_id)

    async def legs(self, transfer_id: TransferId) -> Sequence[LegRecord]:
        return await self._runner.read(journal.legs_of, transfer_id)

    async def tasks(self, limit: int) -> Sequence[Task]:
        return await self._runner.read(tasks.newest, limit)

    async def texts(self, transfer_id: TransferId) -> Sequence[TextStatus]:
        return await self._runner.read(outbox.of_transfer, transfer_id)

    async def claim_texts(self, limit: int, now: datetime, lease_s: float) -> Sequence[Text]:
        return await self._runner.write_together(outbox.claim, limit, now, lease_s)

    async def text_sent(self, text: Text, now: datetime) -> None:
        await self._runner.write_together(outbox.sent, text, now)

    async def text_failed(self, text: Text, now: datetime, why: str, *, retry_in_s: float | None) -> None:
        await self._runner.write_together(outbox.failed, text, now, why, retry_in_s)

    async def enrol(self, lead_id: LeadId, name: str, steps: Sequence[cadence.Planned]) -> int:
        """Put the lead into a cadence; the enrolment's id."""
        return await self._runner.write(cadence.enrol, lead_id, name, steps)

    async def cadences(self, lead_id: LeadId) -> Sequence[cadence.Enrolment]:
        return await self._runner.read(cadence.of_lead, lead_id)


def _ensure(connection: Connection) -> SchemaStatus:
    upgrade_in(connection, only_if_empty=True)
    return status_of(connection)
