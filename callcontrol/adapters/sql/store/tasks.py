"""Tasks to call a lead back, and the calls that do."""

from collections.abc import Sequence
from datetime import datetime

from callcontrol.adapters.sql import callbacks, tasks
from callcontrol.adapters.sql.store.ground import Ground
from callcontrol.core.callback import FollowedCall, Person, Verdict
from callcontrol.core.followup import TextOut
from callcontrol.ports import Overdue, Task, TaskFilter, WaitingLead


class SqlTasks(Ground):
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
