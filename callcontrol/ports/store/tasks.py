"""Tasks to call a lead back, and the calls that do."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from callcontrol.core.callback import FollowedCall, Person, Verdict
from callcontrol.core.followup import TextOut
from callcontrol.ports.records import Overdue, Task, TaskFilter, WaitingLead


class TaskStore(Protocol):
    async def tasks(self, limit: int, wanted: TaskFilter | None = None) -> Sequence[Task]:
        """The newest first."""
        ...

    async def task(self, task_id: int) -> Task:
        """Raises UnknownError."""
        ...

    async def claim_task(self, task_id: int, by: str, now: datetime) -> Task:
        """Safe to repeat. Raises UnknownError, and TaskRefusedError where it is another's, or done."""
        ...

    async def note_task(self, task_id: int, by: str, text: str, now: datetime) -> Task:
        """The same words by the same person are one note. Raises UnknownError."""
        ...

    async def finish_task(self, task_id: int, by: str, words: str, now: datetime) -> Task:
        """Done by hand. Safe to repeat. Raises UnknownError, and TaskRefusedError where it was done
        otherwise before.
        """
        ...

    async def waiting_leads(self) -> Sequence[WaitingLead]:
        """Those of every task that is not done, where the lead has a number."""
        ...

    async def person_at(self, address: str, number: str) -> Person | None:
        """The agent of the directory whose extension that is, or else whose number (E.164)."""
        ...

    async def unended_calls(self) -> Sequence[FollowedCall]:
        """Calls of waiting leads that were up when last looked at."""
        ...

    async def put_call(self, call: FollowedCall, verdict: Verdict | None = None) -> bool:
        """Write how far a call has come and, with a verdict, what that means for its tasks. Safe to
        repeat. True where a task was closed.
        """
        ...

    async def overdue(self, now: datetime, limit: int) -> Sequence[Overdue]:
        """Tasks that nobody touched and that are to be escalated by now; none while their lead is talked with."""
        ...

    async def put_off(self, task: Task, until: datetime) -> None:
        """Escalate it later, unless that has changed meanwhile."""
        ...

    async def escalate(self, task: Task, texts: Sequence[TextOut], now: datetime) -> bool:
        """Count the next level, and queue its texts. False where the level was another's, or somebody touched the task."""
        ...
