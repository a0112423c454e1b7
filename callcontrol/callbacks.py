"""The closed loop: watches the switch for the call back that each task waits for, and tells the owner
of tasks that nobody touches.

Reports are taken one after the other, and one that the database could not take is tried again: what
was seen of a call is not seen twice.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial

import structlog

from callcontrol import numbers
from callcontrol.core import callback, escalation
from callcontrol.core.callback import (
    CallAnswered,
    CallBegan,
    CallEnded,
    CallReport,
    Direction,
    FollowedCall,
    Party,
    Person,
)
from callcontrol.core.escalation import TaskRules
from callcontrol.core.followup import Word
from callcontrol.core.model import ChannelId, Lead
from callcontrol.numbers import NumberPlan
from callcontrol.ports import Clock, LinkUp, Overdue, Pbx, PortError, TaskStore, WaitingLead
from callcontrol.wording import Wording

log = structlog.get_logger(__name__)

POLL_S = 2.0
STORE_RETRY_S = 1.0
AT_ONE_GO = 50  # tasks escalated in a round


@dataclass(frozen=True, kw_only=True, slots=True)
class _Waiting:
    e164: str
    task_ids: tuple[int, ...]


class _WaitedFor:
    """The numbers of waiting leads, found by their last digits: most calls are none of them."""

    def __init__(self, plan: NumberPlan, leads: Sequence[WaitingLead]) -> None:
        self._plan = plan
        self._by_tail: defaultdict[str, list[_Waiting]] = defaultdict(list)
        for lead in leads:
            e164 = numbers.canonical(lead.phone, plan.region)
            self._by_tail[numbers.tail(e164)].append(_Waiting(e164=e164, task_ids=lead.task_ids))

    def tasks_of(self, number: str) -> tuple[int, ...]:
        found = self._by_tail.get(numbers.tail(number), ()) if number else ()
        return tuple(
            task_id
            for waiting in found
            if self._plan.reaches(number, waiting.e164)
            for task_id in waiting.task_ids
        )


class CallBacks:
    """`run` it as a task, hand it the switch's reports, and `wake` it when a task may have been made."""

    def __init__(
        self,
        *,
        pbx: Pbx,
        store: TaskStore,
        clock: Clock,
        rules: TaskRules,
        plan: NumberPlan | None = None,
        zone: tzinfo = UTC,
        word: Word | None = None,
        on_text: Callable[[], None] = lambda: None,
        poll_s: float = POLL_S,
    ) -> None:
        """`zone`: for leads whose number tells none. `word` gives texts their words; the usual ones where
        there is none. `on_text` is called when a text or a webhook has been queued.
        """
        self._pbx = pbx
        self._store = store
        self._clock = clock
        self._rules = rules
        self._plan = plan or NumberPlan()
        self._zone = zone
        self._word = word or Wording()
        self._on_text = on_text
        self._poll_s = poll_s
        self._waited_for = _WaitedFor(self._plan, ())
        self._leads: Sequence[WaitingLead] = ()
        self._calls: dict[ChannelId, FollowedCall] = {}
        self._inbox: asyncio.Queue[tuple[datetime, CallReport | LinkUp]] = asyncio.Queue()
        self._woken = asyncio.Event()
        self._watching = self._listening = self._waiting = False

    def wake(self) -> None:
        self._woken.set()

    def report(self, report: CallReport | LinkUp) -> None:
        self._inbox.put_nowait((self._clock.now(), report))

    @property
    def busy(self) -> bool:
        """Something is being worked on right now; waiting for the database to come back is not work."""
        taking = not self._waiting and (self._listening or not self._inbox.empty())
        return taking or self._watching or self._woken.is_set()

    async def run(self) -> None:
        """Until cancelled. Calls that are up then are taken up by the next process."""
        await self._insist(self._take_up)
        await self._insist(self._look)
        await self._insist(lambda: self._pbx.follow(self._wanted))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            group.create_task(self._listen())

    async def _take_up(self) -> None:
        self._calls = {call.id: call for call in await self._store.unended_calls()}

    def _wanted(self, number: str) -> bool:
        return bool(self._waited_for.tasks_of(number))

    # --- what is waited for, and who has waited too long

    async def _watch(self) -> None:
        away, escalate_at = False, self._clock.now()
        while True:
            self._woken.clear()
            self._watching = True
            try:
                await self._look()
                if self._clock.now() >= escalate_at:
                    await self._escalate_overdue()
                    escalate_at = self._clock.now() + timedelta(seconds=self._poll_s)
                away = False
            except PortError as error:
                if not away:
                    log.error("the database is away, so no task is watched over", error=str(error))
                away = True
            except Exception:
                log.exception("watching over tasks broke")
            self._watching = False
            await self._rest()

    async def _rest(self) -> None:
        """Until woken, or for as long as a poll takes."""
        woken = asyncio.ensure_future(self._woken.wait())
        slept = asyncio.ensure_future(self._clock.sleep(self._poll_s))
        try:
            await asyncio.wait((woken, slept), return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            slept.cancel()

    async def _look(self) -> None:
        leads = await self._store.waiting_leads()
        if leads != self._leads:
            self._leads, self._waited_for = leads, _WaitedFor(self._plan, leads)

    async def _escalate_overdue(self) -> None:
        for found in await self._store.overdue(self._clock.now(), AT_ONE_GO):
            await self._escalate(found)

    async def _escalate(self, found: Overdue) -> None:
        task, now = found.task, self._clock.now()
        quiet_until = escalation.quiet_until(now, self._zones_of(found.lead), self._rules.quiet)
        if quiet_until is not None:
            await self._store.put_off(task, quiet_until)
            log.info("an escalation waits for the end of the quiet hours", task=task.id)
            return
        told = escalation.told(
            task.transfer_id,
            found.lead,
            found.bot,
            found.assigned,
            waited=now - task.created_at,
            word=self._word,
        )
        if await self._store.escalate(task, told.texts, now):
            log.warning("nobody has touched a task", task=task.id, level=task.escalations + 1)
            for warning in told.warnings:
                log.warning("a text could not be written as wished", task=task.id, why=warning)
            self._on_text()

    def _zones_of(self, lead: Lead) -> Sequence[tzinfo]:
        named = lead.fields.get("zone", "")
        if named and (zone := numbers.zone_named(named)) is not None:
            return (zone,)
        return numbers.zones_of(numbers.canonical(lead.phone, self._plan.region)) or (self._zone,)

    # --- what the switch reports

    async def _listen(self) -> None:
        while True:
            at, report = await self._inbox.get()
            self._listening = True
            try:
                await self._insist(partial(self._take, report, at))
            except Exception:
                log.exception("a report of a call broke")
            self._listening = False

    async def _insist(self, work: Callable[[], Awaitable[None]]) -> None:
        """Until the database, or the switch, takes it."""
        while True:
            try:
                return await work()
            except PortError as error:
                log.warning("call backs can't be followed just now", error=str(error))
                if not error.retryable:
                    return None
            self._waiting = True
            await self._clock.sleep(STORE_RETRY_S)
            self._waiting = False

    async def _take(self, report: CallReport | LinkUp, at: datetime) -> None:
        match report:
            case CallBegan():
                await self._began(report, at)
            case CallAnswered(call=call_id, leg=leg):
                if (call := self._calls.get(call_id)) is not None:
                    await self._keep(call.answered(leg, at))
            case CallEnded(call=call_id, cause=cause):
                if (call := self._calls.get(call_id)) is not None:
                    await self._conclude(call.ended(at, cause))
            case LinkUp(survey=survey):
                for call in [call for call in self._calls.values() if call.needs not in survey.alive]:
                    await self._conclude(call.lost(at))

    async def _began(self, began: CallBegan, at: datetime) -> None:
        if (known := self._calls.get(began.call)) is not None:
            inbound = known.direction is Direction.IN
            who = await self._person(began.called, known.direction) if inbound else known.who
            self._calls[known.id] = known.rings(began.leg, who)
            return
        from_lead = self._waited_for.tasks_of(began.caller.number)
        to_lead = self._waited_for.tasks_of(began.called.number)
        way = callback.direction(caller_waited_for=bool(from_lead), called_waited_for=bool(to_lead))
        if way is None:
            return
        who = await self._person(callback.ours(began, way), way)
        call = callback.begun(began, way, who, from_lead or to_lead, at)
        if call is not None:
            await self._keep(call)
            log.info("a call with a waiting lead has begun", tasks=call.task_ids, direction=way.value)

    async def _person(self, party: Party, way: Direction) -> Person:
        """A phone of ours may show any number outside: it is known by its endpoint."""
        by_number = way is Direction.IN or not party.address
        number = numbers.canonical(party.number, self._plan.region) if by_number else ""
        found = await self._store.person_at(party.address, number)
        return found or Person(label=party.label)

    async def _keep(self, call: FollowedCall) -> None:
        if call != self._calls.get(call.id):
            await self._store.put_call(call)
            self._calls[call.id] = call

    async def _conclude(self, call: FollowedCall) -> None:
        verdict = callback.verdict(call, self._rules.shortest_talk_s)
        closed = await self._store.put_call(call, verdict)
        del self._calls[call.id]
        log.info("a call with a waiting lead has ended", tasks=call.task_ids, result=verdict.result.value)
        if closed:
            self.wake()
            self._on_text()
