"""The closed loop on the simulated switch: the real watcher and a real SQLite, hours in a moment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from callcontrol.adapters.simulated import Behaviour
from callcontrol.adapters.simulated.pbx import Does
from callcontrol.adapters.sql import SqlStore
from callcontrol.callbacks import CallBacks
from callcontrol.core.callback import Direction, How, Party
from callcontrol.core.escalation import QuietHours, TaskRules
from callcontrol.core.model import Call, Directory
from callcontrol.numbers import NumberPlan
from callcontrol.ports import MessageKind, StoreError, Task, TaskState, Which
from tests.shell import office as o

LEA = "+13035550100"
LEA_IN = Party(number=LEA)
ALICE, BOB, FRONT = (
    Party(address="alice", number="101"),
    Party(address="bob", number="102"),
    Party(address="front", number="105"),
)
BOT = Party(address="bot", number="+13035550900")
ALWAYS_AWAKE = TaskRules(quiet=QuietHours(start_min=0, end_min=0))
ANSWERS = Behaviour(does=Does.ANSWERS, after_s=1.0)


def people() -> Directory:
    known = o.directory(fallbacks=())
    return replace(known, leads=(replace(known.leads[0], phone=LEA),))


class Database(SqlStore):
    """A store that can be away."""

    away = False

    async def put_call(self, *given):
        if self.away:
            raise StoreError("the database is away", retryable=True)
        return await super().put_call(*given)


class Desk:
    """An office whose lead was just missed, and who watches over that."""

    def __init__(self, office: o.Office, rules: TaskRules, plan: NumberPlan) -> None:
        self.office, self.rules, self.plan = office, rules, plan
        self.pbx, self.store, self.clock = office.pbx, office.store, office.clock
        self.watchers: list[tuple[CallBacks, asyncio.Task[None]]] = []

    async def watches(self, store: SqlStore | None = None) -> CallBacks:
        """A daemon's watcher begins."""
        watcher = CallBacks(
            pbx=self.pbx,
            store=store or self.store,
            clock=self.clock,
            rules=self.rules,
            plan=self.plan,
            poll_s=10.0,
        )
        self.office.switchboard._on_call = watcher.report
        self.watchers.append((watcher, asyncio.create_task(watcher.run())))
        await self.passes(0)
        return watcher

    async def stops_watching(self) -> None:
        while self.watchers:
            _, running = self.watchers.pop()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def passes(self, seconds: float) -> None:
        def busy() -> bool:
            return self.office.switchboard.busy or any(watcher.busy for watcher, _ in self.watchers)

        await self.clock.advance(seconds, busy)
        for _ in range(5):  # the database answers in a thread, of which a settling clock sees nothing
            await asyncio.sleep(0.01)
            await self.clock.advance(0, busy)

    async def until(self, at: datetime) -> None:
        await self.passes((at - self.clock.now()).total_seconds())

    async def misses(self) -> tuple[Call, Task]:
        """Nobody answers for the lead."""
        call, transfer = await self.office.asks()
        await self.passes(120)
        assert (await self.office.row(transfer)).outcome is not None
        for watcher, _ in self.watchers:
            watcher.wake()
        await self.passes(0)
        return call, (await self.store.tasks(1))[0]

    async def texts(self) -> list[str]:
        found = await self.store.messages(Which(kind=MessageKind.TEXT), 100)
        return [text.body for text in reversed(found) if text.body.startswith("Nobody has called back")]


@asynccontextmanager
async def desk(
    folder: Path, rules: TaskRules = ALWAYS_AWAKE, plan: NumberPlan | None = None, **phones: Behaviour
) -> AsyncIterator[Desk]:
    store_class = partial(Database, task_rules=rules)
    async with o.office(folder, people=people(), store_class=store_class, **phones) as office:
        at = Desk(office, rules, plan or NumberPlan())
        await at.watches()
        try:
            yield at
        finally:
            await at.stops_watching()


async def test_the_call_back_closes_the_task_with_who_when_and_how_long(tmp_path):
    async with desk(tmp_path) as at:
        _, task = await at.misses()
        began = at.pbx.calls_somebody(ALICE, LEA_IN)
        began_at = at.clock.now()
        await at.passes(8)
        at.pbx.picks_up(began.call)
        await at.passes(90)
        (call,) = (await at.store.task(task.id)).calls
        assert (call.who, call.agent_id, call.ended_at) == ("Alice", "alice", None)
        at.pbx.is_over(began.call)
        await at.passes(0)
        closed = await at.store.task(task.id)
        assert closed.state is TaskState.DONE
        assert closed.done is not None
        assert (closed.done.by, closed.done.how) == ("Alice", How.CALL_BACK)
        assert closed.done.words == "Alice called the lead back: answered, 1 min 30 s"
        assert closed.talk_s == 90
        assert closed.first_attempt_s == (began_at - task.created_at).total_seconds()
        assert closed.first_answered_s == closed.first_attempt_s + 8
        assert (closed.calls[0].began_at, closed.calls[0].direction) == (began_at, Direction.BACK)
        await at.passes(2 * 3600)
        assert await at.texts() == []


@pytest.mark.parametrize("caller", [ALICE, FRONT])
async def test_an_unanswered_call_back_is_noted_and_leaves_the_task_open(tmp_path, caller):
    async with desk(tmp_path) as at:
        _, task = await at.misses()
        began = at.pbx.calls_somebody(caller, LEA_IN)
        await at.passes(20)
        at.pbx.is_over(began.call, "busy")
        await at.passes(0)
        found = await at.store.task(task.id)
        assert found.state is TaskState.OPEN
        (note,) = found.notes
        who = "Alice" if caller is ALICE else "extension 105"
        assert note.text == f"{who} called the lead back: not answered (busy)"
        assert found.first_attempt_s is not None
        assert found.first_answered_s is None


async def test_a_talk_too_short_for_the_site_is_noted(tmp_path):
    async with desk(tmp_path, replace(ALWAYS_AWAKE, shortest_talk_s=15)) as at:
        _, task = await at.misses()
        began = at.pbx.calls_somebody(ALICE, LEA_IN)
        at.pbx.picks_up(began.call)
        await at.passes(14)
        at.pbx.is_over(began.call)
        await at.passes(0)
        found = await at.store.task(task.id)
        assert found.state is TaskState.OPEN
        assert "too short to count" in found.notes[0].text


async def test_the_lead_who_calls_again_and_reaches_an_agent_closes_it_and_that_is_said(tmp_path):
    async with desk(tmp_path) as at:
        _, task = await at.misses()
        began = at.pbx.calls_somebody(LEA_IN, BOB)
        at.pbx.picks_up(began.call)
        await at.passes(30)
        at.pbx.is_over(began.call)
        await at.passes(0)
        closed = await at.store.task(task.id)
        assert closed.done is not None
        assert (closed.done.by, closed.done.how) == ("Bob", How.LEAD_CALLED)
        assert closed.first_attempt_s is None
        assert closed.first_answered_s is not None


async def test_the_lead_who_calls_again_and_meets_a_bot_leaves_it_open_and_unnoted(tmp_path):
    async with desk(tmp_path) as at:
        _, task = await at.misses()
        began = at.pbx.calls_somebody(LEA_IN, BOT)
        at.pbx.picks_up(began.call)
        await at.passes(30)
        at.pbx.is_over(began.call)
        await at.passes(0)
        assert await at.store.task(task.id) == task


async def test_a_bots_call_to_the_lead_that_becomes_a_transfer_is_no_call_back(tmp_path):
    async with desk(tmp_path) as at:
        _, task = await at.misses()
        began = at.pbx.calls_somebody(BOT, LEA_IN)
        at.pbx.picks_up(began.call)
        await at.passes(1)
        _, transfer = await at.office.asks(Call(lead=began.leg, bot=began.call, pbx_started=at.pbx.started))
        await at.passes(120)
        at.pbx.is_over(began.call)
        await at.passes(1)
        assert (await at.office.row(transfer)).outcome is not None
        found = await at.store.task(task.id)
        assert (found.state, found.calls, found.notes) == (TaskState.OPEN, (), ())


async def test_calls_of_others_leave_no_trace(tmp_path):
    async with desk(tmp_path) as at:
        _, task = await at.misses()
        began = at.pbx.calls_somebody(ALICE, Party(number="+13035550111"))
        at.pbx.picks_up(began.call)
        at.pbx.is_over(began.call)
        await at.passes(0)
        assert await at.store.task(task.id) == task


async def test_a_warm_transfer_that_connects_closes_the_leads_open_task(tmp_path):
    async with desk(tmp_path) as at:
        _, task = await at.misses()
        await at.store.rest("alice", None, "")
        at.pbx.phones["alice"] = ANSWERS
        call, _ = await at.office.asks()
        await at.passes(5)
        assert call.bot is not None
        at.pbx.hangs_up(call.bot)
        await at.passes(1)
        closed = await at.store.task(task.id)
        assert closed.done is not None
        assert (closed.done.by, closed.done.how) == ("Alice", How.TRANSFER)
        assert closed.first_answered_s is not None
        assert len(await at.store.tasks(10)) == 1


async def test_a_call_back_that_is_up_when_the_daemon_starts_again_is_taken_up(tmp_path):
    async with desk(tmp_path) as at:
        _, task = await at.misses()
        began = at.pbx.calls_somebody(ALICE, LEA_IN)
        await at.passes(5)
        await at.stops_watching()
        at.pbx._wanted = lambda _: False
        at.pbx.picks_up(began.call)
        await at.passes(60)
        await at.watches()
        at.pbx.is_over(began.call)
        await at.passes(0)
        closed = await at.store.task(task.id)
        assert closed.done is not None
        assert closed.done.by == "Alice"
        assert closed.first_attempt_s == (closed.calls[0].began_at - task.created_at).total_seconds()


async def test_a_call_back_that_was_answered_and_ended_while_the_link_was_lost_closes_the_task(tmp_path):
    async with desk(tmp_path) as at:
        _, task = await at.misses()
        began = at.pbx.calls_somebody(ALICE, LEA_IN)
        at.pbx.picks_up(began.call)
        await at.passes(5)
        at.pbx.loses_link()
        at.pbx.is_over(began.call)
        await at.passes(20)
        at.pbx.regains_link()
        await at.passes(0)
        closed = await at.store.task(task.id)
        assert closed.done is not None
        assert closed.done.words == "Alice called the lead back: answered; how long they talked was not seen"
        assert closed.talk_s is None


async def test_a_restart_of_the_switch_ends_a_call_back_that_rang(tmp_path):
    async with desk(tmp_path) as at:
        _, task = await at.misses()
        at.pbx.calls_somebody(ALICE, LEA_IN)
        await at.passes(5)
        at.pbx.restarts()
        at.pbx.regains_link()
        await at.passes(0)
        found = await at.store.task(task.id)
        assert found.state is TaskState.OPEN
        assert found.notes[0].text == "Alice called the lead back: whether it was answered was not seen"


async def test_what_the_database_could_not_take_is_written_when_it_is_back(tmp_path):
    async with desk(tmp_path) as at:
        _, task = await at.misses()
        at.store.away = True
        began = at.pbx.calls_somebody(ALICE, LEA_IN)
        at.pbx.picks_up(began.call)
        await asyncio.sleep(0.05)
        at.store.away = False
        await at.passes(30)
        at.pbx.is_over(began.call)
        await at.passes(2)
        assert (await at.store.task(task.id)).state is TaskState.DONE


@pytest.mark.parametrize("dialled", ["303 555-0100", "1 303 5550100", "9,13035550100", "+1 (303) 555-0100"])
async def test_the_number_may_be_dialled_as_people_do(tmp_path, dialled):
    async with desk(tmp_path) as at:
        _, task = await at.misses()
        began = at.pbx.calls_somebody(ALICE, Party(number=dialled))
        at.pbx.picks_up(began.call)
        at.pbx.is_over(began.call)
        await at.passes(0)
        assert (await at.store.task(task.id)).state is TaskState.DONE


# --- escalation


async def test_a_task_nobody_touches_is_escalated_and_again_and_then_no_more(tmp_path):
    async with desk(tmp_path, replace(ALWAYS_AWAKE, due_s=300, again_s=900, at_most=2)) as at:
        _, task = await at.misses()
        await at.until(task.due_at - timedelta(seconds=1))
        assert await at.texts() == []
        await at.passes(12)
        assert len(await at.texts()) == 1
        await at.passes(885)
        assert len(await at.texts()) == 1
        await at.passes(20)
        assert len(await at.texts()) == 2
        await at.passes(2 * 3600)
        assert len(await at.texts()) == 2
        assert (await at.store.tasks(1))[0].escalations == 2


async def test_a_claim_keeps_the_owner_in_peace(tmp_path):
    async with desk(tmp_path) as at:
        _, task = await at.misses()
        await at.store.claim_task(task.id, "bob", at.clock.now())
        await at.passes(2 * 3600)
        assert await at.texts() == []


async def test_an_attempt_puts_the_escalation_off(tmp_path):
    async with desk(tmp_path, replace(ALWAYS_AWAKE, due_s=300, again_s=900)) as at:
        await at.misses()
        await at.passes(200)
        began = at.pbx.calls_somebody(ALICE, LEA_IN)
        await at.passes(20)
        at.pbx.is_over(began.call)
        await at.passes(890)
        assert await at.texts() == []
        await at.passes(20)
        assert len(await at.texts()) == 1


async def test_nobody_is_told_while_the_lead_is_talked_with(tmp_path):
    async with desk(tmp_path) as at:
        await at.misses()
        began = at.pbx.calls_somebody(ALICE, LEA_IN)
        at.pbx.picks_up(began.call)
        await at.passes(3600)
        assert await at.texts() == []


async def test_in_the_leads_quiet_hours_the_text_waits_for_their_end(tmp_path):
    # The lead's number is in Denver, where it is 09:00 when the office's clock starts at 15:00 UTC.
    quiet = QuietHours(start_min=9 * 60, end_min=11 * 60)
    async with desk(tmp_path, TaskRules(quiet=quiet)) as at:
        await at.misses()
        await at.passes(3600)
        assert await at.texts() == []
        until = datetime(2026, 6, 1, 17, tzinfo=UTC)
        assert (await at.store.tasks(1))[0].escalate_at == until
        await at.passes((until - at.clock.now()) / timedelta(seconds=1) + 11)
        assert len(await at.texts()) == 1


async def test_of_two_daemons_on_one_database_one_tells_the_owner(tmp_path):
    async with desk(tmp_path) as at:
        other = SqlStore(f"sqlite:///{tmp_path / 'office.db'}")
        await at.watches(other)
        try:
            await at.misses()
            await at.passes(2 * 3600)
            assert len(await at.texts()) == TaskRules().at_most
        finally:
            await at.stops_watching()
            await other.close()
