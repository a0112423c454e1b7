"""Tasks as they go out."""

from datetime import datetime
from typing import Self

from callcontrol.api.answers import Answer
from callcontrol.ports import Done, Task, TaskCall, TaskNote


class NoteAnswer(Answer):
    at: datetime
    by: str
    text: str

    @classmethod
    def of(cls, note: TaskNote) -> Self:
        return cls(at=note.at, by=note.by, text=note.text)


class CallAnswer(Answer):
    """A call between the lead and somebody here. `back`: the lead was called; `in`: the lead called."""

    direction: str
    who: str
    agent: str | None
    began_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, call: TaskCall) -> Self:
        return cls(
            direction=call.direction.value,
            who=call.who,
            agent=call.agent_id,
            began_at=call.began_at,
            answered_at=call.answered_at,
            ended_at=call.ended_at,
        )


class DoneAnswer(Answer):
    """`how`: call_back, lead_called, transfer or by_hand; `words` says it for people."""

    at: datetime
    by: str
    how: str
    words: str
    talk_s: float | None

    @classmethod
    def of(cls, done: Done, talk_s: float | None) -> Self:
        return cls(at=done.at, by=done.by, how=done.how.value, words=done.words, talk_s=talk_s)


class TaskAnswer(Answer):
    id: int
    transfer: str
    lead: str
    title: str
    reason: str
    owner: str | None
    owner_pool: str | None
    created_at: datetime
    due_at: datetime
    state: str
    claimed_by: str | None
    claimed_at: datetime | None
    done: DoneAnswer | None
    escalations: int
    escalates_at: datetime | None
    first_attempt_s: float | None
    first_answered_s: float | None
    notes: tuple[NoteAnswer, ...]
    calls: tuple[CallAnswer, ...]

    @classmethod
    def of(cls, task: Task) -> Self:
        return cls(
            id=task.id,
            transfer=task.transfer_id,
            lead=task.lead_id,
            title=task.title,
            reason=task.reason,
            owner=task.owner_agent_id,
            owner_pool=task.owner_pool_id,
            created_at=task.created_at,
            due_at=task.due_at,
            state=task.state,
            claimed_by=task.claimed_by,
            claimed_at=task.claimed_at,
            done=DoneAnswer.of(task.done, task.talk_s) if task.done else None,
            escalations=task.escalations,
            escalates_at=task.escalate_at,
            first_attempt_s=task.first_attempt_s,
            first_answered_s=task.first_answered_s,
            notes=tuple(NoteAnswer.of(note) for note in task.notes),
            calls=tuple(CallAnswer.of(call) for call in task.calls),
        )


class TaskList(Answer):
    tasks: tuple[TaskAnswer, ...]
