"""The `Store` port on SQLite or PostgreSQL."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from callcontrol.adapters.sql import (
    agents,
    apply,
    backlog,
    cadence,
    callbacks,
    checks,
    directory,
    history,
    journal,
    mailroom,
    outbox,
    outcomes,
    resolving,
    retention,
    tasks,
    transfers,
)
from callcontrol.adapters.sql.analytics import SqlStatistics
from callcontrol.adapters.sql.changes import Change
from callcontrol.adapters.sql.migrate import SchemaStatus, status_of, upgrade_in
from callcontrol.adapters.sql.own_agents import Snapshot
from callcontrol.adapters.sql.own_tables import NOTHING, OwnDatabase, OwnTables, Site
from callcontrol.adapters.sql.runner import Batch, Runner
from callcontrol.core.callback import FollowedCall, Person, Verdict
from callcontrol.core.escalation import TaskRules
from callcontrol.core.events import AttemptResolved
from callcontrol.core.followup import TextOut
from callcontrol.core.model import (
    Agent,
    AgentId,
    Bot,
    BotId,
    Call,
    Candidate,
    Directory,
    Lead,
    LeadId,
    LegRecord,
    Step,
    TransferId,
)
from callcontrol.ports import (
    Backlog,
    Cancelled,
    Claim,
    ClaimedStep,
    Decide,
    DeliveryReport,
    ElsewhereError,
    Enrolment,
    Entry,
    FactsOf,
    Finding,
    First,
    Forgotten,
    Late,
    Message,
    MessageStatus,
    NewLead,
    Overdue,
    Planned,
    Request,
    Setback,
    StoreError,
    Subscription,
    Task,
    TaskFilter,
    TransferRow,
    Transition,
    WaitingLead,
    Which,
    Whom,
)

T = TypeVar("T")
_PORTION = 500

_TOLD = 5  # of the site's own rows with something wrong


def _utc_now() -> datetime:
    return datetime.now(UTC)


class SqlStore:
    """Each method is one question in one transaction; see the modules named for their subject."""

    def __init__(
        self,
        url: str,
        *,
        own: OwnTables | None = None,
        subscriptions: Sequence[Subscription] = (),
        now: Callable[[], datetime] = _utc_now,
        task_rules: TaskRules | None = None,
    ) -> None:
        """`sqlite:///PATH` or `postgresql://...`. Raises ValueError for anything else.

        `own`: where the site's leads and toggles are, if not here. `subscriptions`: who is told by webhook.
        """
        self._runner = Runner(url)
        self._memory = directory.Memory(subscriptions)
        self._resolving = Batch(self._runner, partial(resolving.resolve, self._memory))
        self._own = None if own is None else OwnDatabase(own)
        self._synchronised: tuple[Snapshot, int] | None = None  # with which version of the directory
        self._now = now
        self._task_rules = task_rules or TaskRules()
        self._statistics = SqlStatistics(self._runner)

    @property
    def statistics(self) -> SqlStatistics:
        """The questions of reports."""
        return self._statistics

    async def ensure_schema(self) -> Sequence[str]:
        """Give an empty database its tables; refuse one of another version, saying what to do. Look whether
        the queries on the site's own tables give what is expected of them, and take the agents there over.

        What is wrong there and may pass, such as that the site's database is away: what is known of it
        counts meanwhile. Raises StoreError for everything else.
        """
        found = await self._runner.write(_ensure)
        if found.remedy:
            raise StoreError(
                f"the database has schema {found.found}, this program needs {found.needed}: {found.remedy}",
                retryable=False,
            )
        try:
            if self._own is not None:
                await self._own.check()
            return await self.synchronise()
        except StoreError as away:
            if not away.retryable:
                raise
            return (str(away),)

    async def check(self) -> Sequence[Finding]:
        """Says, rather than raises, that the database is away."""
        try:
            found = await self._runner.write(checks.findings)
        except StoreError as exc:
            remedy = "start the database, or correct its URL and permissions in the configuration"
            return (Finding(subject="database", ok=False, remedy=remedy, detail=str(exc)),)
        return found if self._own is None else (*found, await self._check_own(self._own))

    async def _check_own(self, own: OwnDatabase) -> Finding:
        subject = "the site's own tables"
        remedy = "correct the query, or the URL and permissions of the site's database"
        try:
            await own.check()
            remarks = await self.synchronise()
        except StoreError as exc:
            return Finding(subject=subject, ok=False, remedy=remedy, detail=str(exc))
        if remarks:
            remedy = "correct the agents in the site's own tables, or what the query makes of them"
            return Finding(subject=subject, ok=False, remedy=remedy, detail="; ".join(remarks[:_TOLD]))
        known = await self._runner.read(self._memory.current)
        return Finding(
            subject=subject, ok=True, detail=f"agents taken over: {len(known.own)}" if known.own else ""
        )

    async def ping(self) -> None:
        """Reads what has changed of the directory too, so that a call need not."""
        await self._runner.read(checks.ping, self._memory)

    async def close(self) -> None:
        if self._own is not None:
            await self._own.close()
        await self._runner.close()

    async def apply(self, directory: Directory) -> Sequence[str]:
        own = await self._snapshot()
        made = await self._runner.write_much(apply.apply, self._memory, directory, self._now(), own)
        return tuple(change.line for change in made)

    async def plan(self, directory: Directory) -> Sequence[Change]:
        """What `apply` would change, changing nothing. Raises UnknownError like it."""
        return await self._runner.read(apply.plan, self._memory, directory, await self._snapshot())

    async def export(self, *, with_leads: bool = True) -> Directory:
        """What `apply` took, with the changes made since; without the site's own agents."""
        return await self._runner.read(directory.export, self._memory, with_leads)

    async def bots(self) -> Sequence[Bot]:
        return await self._runner.read(directory.all_bots, self._memory)

    async def agents(self) -> Sequence[Agent]:
        site = await self._site(toggles=True)
        return await self._runner.read(directory.all_agents, self._memory, site.toggles)

    async def candidates(self, now: datetime) -> Sequence[Candidate]:
        site = await self._site(toggles=True)
        return await self._runner.read(agents.candidates, self._memory, now, site)

    async def agent_at(self, address: str, now: datetime) -> Candidate:
        site = await self._site(toggles=True)
        return await self._runner.read(agents.agent_at, self._memory, address, now, site)

    async def set_available(self, agent_id: AgentId, *, available: bool) -> None:
        if self._own is not None and self._own.has_availability:
            raise ElsewhereError("who is available is in the site's own tables: change it there")
        await self._runner.write(agents.set_available, agent_id, available)

    async def rest(self, agent_id: AgentId, until: datetime | None, why: str) -> None:
        await self._runner.write(agents.rest, self._memory, agent_id, until, why)

    async def history(self, bot_id: BotId, since: datetime) -> Sequence[float | None]:
        return await self._runner.read(history.history, bot_id, since)

    async def hold(self, hold_id: str, agent_ids: Sequence[AgentId], until: datetime) -> Sequence[AgentId]:
        return await self._runner.write(agents.hold, hold_id, agent_ids, until, self._now())

    async def own_agents(self) -> Sequence[Agent]:
        """The agents from the site's own tables, as last taken over."""
        known = await self._runner.read(self._memory.current)
        return tuple(agent for agent in known.agents.values() if agent.id in known.own)

    async def synchronise(self) -> Sequence[str]:
        """Take the agents of the site's own tables over: added, changed, removed. What is wrong with which.

        Raises StoreError where the site's database is away; they then stay as they were.
        """
        found = await self._snapshot()
        known = await self._runner.read(self._memory.current)
        if found is None:
            return ("the site's own tables: query 'agents' gives nobody, so the agents stay as they were",)
        if self._synchronised != (found, known.version) and (found.agents or known.own):
            await self._runner.write_much(apply.sync, self._memory, found, self._now())
            known = await self._runner.read(self._memory.current)
        self._synchronised = found, known.version
        return found.remarks

    async def _snapshot(self) -> Snapshot | None:
        """The site's agents of now: nobody where no query names them, none where those of before count."""
        if self._own is None or not self._own.has_agents:
            return Snapshot()
        found = await self._own.agents()
        return None if found.empty else found

    async def prepare(self, request: Request) -> TransferRow | Bot:
        site = await self._site(request.lead)
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
                transfers.open_transfer,
                self._memory,
                transfer_id=transfer_id,
                request=request,
                call=call,
                now=now,
                first=first,
                site=site,
                rules=self._task_rules,
            )

    async def resolve(self, row: TransferRow, step: Step, decide: Decide, now: datetime) -> AttemptResolved:
        site = await self._site(toggles=True)
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
        """With an outcome it takes longer, and nobody on the line waits for it."""
        over = transition.outcome is not None or transition.closed
        write = self._runner.write_together if over else self._runner.write_first
        await write(outcomes.record, self._memory, transition, self._task_rules)

    async def on_disk(self) -> None:
        await self._runner.on_disk()

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

    async def tasks(self, limit: int, wanted: TaskFilter | None = None) -> Sequence[Task]:
        return await self._runner.read(tasks.newest, limit, wanted)

    async def task(self, task_id: int) -> Task:
        return await self._runner.read(tasks.one, task_id)

    async def claim_task(self, task_id: int, by: str, now: datetime) -> Task:
        return await self._runner.write(tasks.claim, self._memory, task_id, by, now)

    async def note_task(self, task_id: int, by: str, text: str, now: datetime) -> Task:
        return await self._runner.write(tasks.note, task_id, by, text, now=now, rules=self._task_rules)

    async def finish_task(self, task_id: int, by: str, words: str, now: datetime) -> Task:
        return await self._runner.write(tasks.finish, self._memory, task_id, by, words, now=now)

    async def waiting_leads(self) -> Sequence[WaitingLead]:
        return await self._runner.read(tasks.waiting_leads)

    async def person_at(self, address: str, number: str) -> Person | None:
        return await self._runner.read(callbacks.person_at, self._memory, address, number)

    async def unended_calls(self) -> Sequence[FollowedCall]:
        return await self._runner.read(callbacks.unended)

    async def put_call(self, call: FollowedCall, verdict: Verdict | None = None) -> bool:
        return await self._runner.write(callbacks.put, self._memory, call, verdict, self._task_rules)

    async def overdue(self, now: datetime, limit: int) -> Sequence[Overdue]:
        return await self._runner.read(callbacks.overdue, self._memory, now, limit)

    async def put_off(self, task: Task, until: datetime) -> None:
        await self._runner.write(callbacks.put_off, task, until)

    async def escalate(self, task: Task, texts: Sequence[TextOut], now: datetime) -> bool:
        return await self._runner.write(
            callbacks.escalate, self._memory, task, texts, now=now, rules=self._task_rules
        )

    async def claim_messages(
        self,
        route: Callable[[Message], str | None],
        room: Mapping[str, int],
        now: datetime,
        lease_s: float,
        *,
        late: Late | None = None,
        resends: Collection[str] = (),
        holding: Collection[int] = (),
    ) -> Claim:
        wanted = outbox.Wanted(room=room, late=late, now=now, holding=holding)
        seen = await self._runner.read(outbox.look, wanted)
        if not seen:
            return Claim()
        return await self._runner.write_together(
            outbox.claim, seen, route, wanted, lease_s=lease_s, resends=resends
        )

    async def message_sent(self, message: Message, now: datetime, provider_id: str) -> None:
        await self._runner.write_together(outbox.sent, message, now, provider_id)

    async def message_failed(self, message: Message, now: datetime, setback: Setback) -> None:
        await self._runner.write_together(outbox.failed, message, now, setback)

    async def reroute(self, gateway: str | None = None) -> None:
        ids = await self._runner.read(outbox.waiting, gateway)
        for some in _in_portions(ids):
            await self._runner.write(outbox.reroute, some)

    async def park_orphans(self, known: Collection[str]) -> int:
        return await self._runner.write(outbox.park_orphans, known)

    async def messages(self, which: Which, limit: int) -> Sequence[MessageStatus]:
        return await self._runner.read(mailroom.newest, which, limit)

    async def retry_messages(self, which: Which, now: datetime) -> int:
        ids = await self._runner.read(mailroom.stuck, which)
        return sum([await self._runner.write(mailroom.retry, some, now) for some in _in_portions(ids)])

    async def discard_messages(self, which: Which) -> int:
        ids = await self._runner.read(mailroom.stuck, which)
        return sum([await self._runner.write(mailroom.discard, some) for some in _in_portions(ids)])

    async def report_delivery(self, report: DeliveryReport, now: datetime) -> bool:
        return await self._runner.write(mailroom.report, report, now)

    async def backlog(self) -> Backlog:
        return await self._runner.read(backlog.backlog)

    async def forget(self, whom: Whom, now: datetime, *, with_tasks: bool) -> Forgotten:
        about = await self._runner.read_at_leisure(retention.messages_about, whom)
        found = await self._runner.write(retention.forget, whom, about, now, with_tasks=with_tasks)
        await self._runner.settle()
        return found

    async def forget_before(self, before: datetime, now: datetime) -> Forgotten:
        due = await self._runner.read_at_leisure(retention.due, before)
        found = await self._runner.write(retention.forget_due, due, now)
        if not found.transfers:
            await self._runner.settle()
        return found

    async def enrol(
        self, lead_id: LeadId, name: str, steps: Sequence[Planned], *, key: str | None = None
    ) -> int:
        site = await self._site(lead_id)
        with site.explained():
            return await self._runner.write(
                cadence.enrol, lead_id, name, steps, key=key, now=self._now(), site=site
            )

    async def cadences(self, lead_id: LeadId) -> Sequence[Enrolment]:
        return await self._runner.read(cadence.of_lead, lead_id)

    async def cancel_cadence(self, lead_id: LeadId, *, by: str, why: str) -> Cancelled:
        return await self._runner.write(cadence.cancel, self._memory, lead_id, by=by, why=why, at=self._now())

    async def claim_steps(
        self, worker: str, limit: int, now: datetime, lease_s: float
    ) -> Sequence[ClaimedStep]:
        return await self._runner.write(cadence.claim, worker, limit, now, lease_s)

    async def renew_step(self, claim_id: str, now: datetime, lease_s: float) -> datetime:
        return await self._runner.write(cadence.renew, claim_id, now, lease_s)

    async def complete_step(self, claim_id: str, now: datetime) -> str:
        return await self._runner.write(cadence.complete, claim_id, now)

    async def release_step(self, claim_id: str, due_at: datetime) -> None:
        await self._runner.write(cadence.release, claim_id, due_at)

    async def _site(self, lead: LeadId | NewLead | None = None, *, toggles: bool = False) -> Site:
        """What the site's own tables say. It is asked before the transaction: a slow one holds no lock."""
        own = self._own
        if own is None:
            return NOTHING
        wanted = None if isinstance(lead, NewLead) else lead
        (found, failed), (available, warning) = await asyncio.gather(
            _lead_of(own, wanted), self._toggles_of(own) if toggles else _no_toggles()
        )
        return Site(lead=found, lead_failed=failed, availability=available, warning=warning)

    async def _toggles_of(self, own: OwnDatabase) -> tuple[Mapping[AgentId, bool] | None, str]:
        if not own.has_availability:
            return None, ""
        try:
            known = await self._runner.read(self._memory.current)
            return await own.availability(tuple(known.agents)), ""
        except StoreError as error:
            return None, f"toggles are callcontrol's own, for now: {error}"


async def _lead_of(own: OwnDatabase, lead_id: LeadId | None) -> tuple[Lead | None, StoreError | None]:
    if lead_id is None or not own.has_leads:
        return None, None
    try:
        return await own.lead(lead_id), None
    except StoreError as error:
        return None, error


async def _no_toggles() -> tuple[None, str]:
    return None, ""


def _in_portions(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """So that no transaction is long: a live transfer's would wait for it."""
    return (ids[start : start + _PORTION] for start in range(0, len(ids), _PORTION))


def _ensure(connection: Connection) -> SchemaStatus:
    upgrade_in(connection, only_if_empty=True)
    return status_of(connection)
