"""Follow-up tasks: made by a miss, claimed, noted and done by people or by the calls that are seen."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, exists, literal_column, select, update

from callcontrol.adapters.sql import hooks
from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.directory import Memory
from callcontrol.adapters.sql.driven import Driven
from callcontrol.adapters.sql.leads import LEAD_COLUMNS, by_id, lead_of
from callcontrol.adapters.sql.rulebook import Matching
from callcontrol.adapters.sql.statements import insert_once
from callcontrol.core import escalation, rules
from callcontrol.core.callback import Direction, How
from callcontrol.core.escalation import TaskRules
from callcontrol.core.followup import NewTask
from callcontrol.core.hooks import Hook, HookEvent
from callcontrol.core.model import AgentId, BotId, Connected, LeadId, PoolId, TransferId
from callcontrol.ports import (
    Done,
    Task,
    TaskCall,
    TaskFilter,
    TaskNote,
    TaskRefusedError,
    TaskState,
    Transition,
    UnknownError,
    WaitingLead,
)

CALL_BACK = "call_back"
OURSELVES = "callcontrol"  # who writes notes about calls
UNDONE = (TaskState.OPEN.value, TaskState.CLAIMED.value)

_LARGEST_ID = 2**63 - 1
_ONE = select(s.task).where(s.task.c.id == bindparam("task"))
_NOTES = (
    select(s.task_note)
    .where(s.task_note.c.task_id.in_(bindparam("tasks", expanding=True)))
    .order_by(s.task_note.c.id)
)
_CALLS = (
    select(s.task_call)
    .where(s.task_call.c.task_id.in_(bindparam("tasks", expanding=True)))
    .order_by(s.task_call.c.began_at, s.task_call.c.call)
)
# Written into the statement, so that each database sees that the partial index fits.
WAITING = s.task.c.state.in_([literal_column(f"'{state}'") for state in UNDONE])
_WAITING = (
    select(s.lead.c.phone, s.task.c.id)
    .join(s.lead, s.lead.c.id == s.task.c.lead_id)
    .where(WAITING, s.lead.c.phone != "")
    .order_by(s.task.c.id)
)
_CHANGE = update(s.task).where(s.task.c.id == bindparam("task"), WAITING)
_CLAIM = update(s.task).where(s.task.c.id == bindparam("task"), s.task.c.state == TaskState.OPEN.value)
_MADE = select(s.task).where(s.task.c.transfer_id == bindparam("transfer"), s.task.c.kind == CALL_BACK)
_OF_TRANSFER = (
    select(*LEAD_COLUMNS, s.transfer.c.bot_id)
    .join(s.lead, s.lead.c.id == s.transfer.c.lead_id)
    .where(s.transfer.c.id == bindparam("transfer"))
)
# Also those of whoever else has the same number.
_same = s.lead.alias("same")
_OF_LEAD = (
    select(s.task)
    .join(s.lead, s.lead.c.id == s.task.c.lead_id)
    .where(
        WAITING,
        (s.task.c.lead_id == bindparam("lead"))
        | exists().where(
            _same.c.id == bindparam("lead"),
            _same.c.phone == s.lead.c.phone,
            s.lead.c.phone != literal_column("''"),
        ),
    )
)


_HAS_LEAD = Driven(lambda _: _OF_LEAD.with_only_columns(s.task.c.id))


# --- looking


def newest(connection: Connection, limit: int, wanted: TaskFilter | None) -> tuple[Task, ...]:
    statement = select(s.task).where(*_conditions(wanted or TaskFilter()))
    rows = connection.execute(statement.order_by(s.task.c.created_at.desc(), s.task.c.id.desc()).limit(limit))
    return whole(connection, rows.all())


def one(connection: Connection, task_id: int) -> Task:
    (task,) = whole(connection, [_row(connection, task_id)])
    return task


def waiting_leads(connection: Connection) -> tuple[WaitingLead, ...]:
    by_phone: dict[str, list[int]] = {}
    for phone, task_id in connection.execute(_WAITING):
        by_phone.setdefault(phone, []).append(task_id)
    return tuple(WaitingLead(phone=phone, task_ids=tuple(ids)) for phone, ids in by_phone.items())


def whole(connection: Connection, rows: Sequence[Row[Any]]) -> tuple[Task, ...]:
    """The tasks in these rows, each with its notes and calls."""
    ids = [row.id for row in rows]
    notes = _by_task(connection.execute(_NOTES, {"tasks": ids})) if ids else {}
    calls = _by_task(connection.execute(_CALLS, {"tasks": ids})) if ids else {}
    return tuple(_task(row, notes.get(row.id, ()), calls.get(row.id, ())) for row in rows)


def _row(connection: Connection, task_id: int) -> Row[Any]:
    row = connection.execute(_ONE, {"task": task_id}).one_or_none() if 0 < task_id <= _LARGEST_ID else None
    if row is None:
        raise UnknownError("task", str(task_id))
    return row


def _by_task(rows: Iterable[Row[Any]]) -> Mapping[int, Sequence[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = {}
    for row in rows:
        found.setdefault(row.task_id, []).append(row)
    return found


def _conditions(wanted: TaskFilter) -> Iterable[Any]:
    if wanted.states:
        yield s.task.c.state.in_([state.value for state in wanted.states])
    if wanted.owner is not None:
        yield (s.task.c.owner_agent_id == wanted.owner) | (s.task.c.owner_pool_id == wanted.owner)
    if wanted.lead_id is not None:
        yield s.task.c.lead_id == wanted.lead_id
    if wanted.transfer_id is not None:
        yield s.task.c.transfer_id == wanted.transfer_id
    if wanted.overdue_at is not None:
        yield WAITING
        yield s.task.c.due_at <= wanted.overdue_at


# --- made, and changed by people


def after(
    connection: Connection,
    memory: Memory,
    transition: Transition,
    lead_id: LeadId,
    *,
    at: datetime,
    rules: TaskRules,
) -> None:
    """What an outcome that has just been written means for tasks."""
    follow_up, outcome = transition.follow_up, transition.outcome
    if isinstance(outcome, Connected):
        words = f"talking with {outcome.leg.label} after a transfer"
        _close_of_lead(connection, memory, lead_id, at=at, by=outcome.leg.label, words=words)
    if follow_up is not None and follow_up.task is not None:
        new = _new(connection, memory, transition.transfer_id, follow_up.task, at=at, by=rules)
        connection.execute(insert_once(connection.dialect.name, s.task), new)
        row = connection.execute(_MADE, {"transfer": transition.transfer_id}).one()
        owner = {"owner": row.owner_agent_id, "owner_pool": row.owner_pool_id}
        tell(connection, memory, HookEvent.TASK_CREATED, row, at=at, due_at=row.due_at.isoformat(), **owner)


def _new(
    connection: Connection,
    memory: Memory,
    transfer_id: TransferId,
    task: NewTask,
    *,
    at: datetime,
    by: TaskRules,
) -> dict[str, Any]:
    found: Any = connection.execute(_OF_TRANSFER, {"transfer": transfer_id}).one()
    agent_id = task.owner_agent_id
    return {
        "transfer_id": transfer_id,
        "kind": CALL_BACK,
        "lead_id": found.lead_id,
        "title": task.title,
        "reason": task.reason,
        "owner_agent_id": agent_id,
        "owner_pool_id": _pool_of(connection, memory, found, at) if agent_id is None else None,
        "created_at": at,
        "due_at": escalation.due_at(at, by),
        "escalate_at": escalation.first_at(at, by),
        "state": TaskState.OPEN.value,
    }


def _pool_of(connection: Connection, memory: Memory, found: Any, at: datetime) -> PoolId | None:
    """The pool that the routing rules send such a lead to."""
    known = memory.current(connection)
    bot_id = BotId(found.bot_id)
    bot = known.bots.get(bot_id) or known.removed_bots[bot_id]
    rule, _ = known.book.first_that_fits(rules.facts_of(lead_of(found), bot, at, Matching()))
    return None if rule is None else rule.pool_id


def claim(connection: Connection, memory: Memory, task_id: int, by: str, now: datetime) -> Task:
    values = {"state": TaskState.CLAIMED.value, "claimed_by": by, "claimed_at": now, "escalate_at": None}
    row = _row(connection, task_id)
    if connection.execute(_CLAIM, {"task": task_id, **values}).rowcount:
        tell(connection, memory, HookEvent.TASK_CLAIMED, row, at=now, by=by)
    else:
        row = _row(connection, task_id)
        if row.state == TaskState.DONE:
            raise TaskRefusedError(f"task {task_id} is done already: {_deed(row)}")
        if row.claimed_by != by:
            raise TaskRefusedError(f"task {task_id} is claimed by {row.claimed_by}")
    return one(connection, task_id)


def note(
    connection: Connection, task_id: int, by: str, words: str, *, now: datetime, rules: TaskRules
) -> Task:
    row = _row(connection, task_id)
    key = hashlib.sha256(f"{by}\0{words}".encode()).hexdigest()
    if put_note(connection, task_id, key, by=by, words=words, at=now):
        touch(connection, row, now, rules)
    return one(connection, task_id)


def finish(
    connection: Connection, memory: Memory, task_id: int, by: str, words: str, *, now: datetime
) -> Task:
    row = _row(connection, task_id)
    if not close(connection, memory, row, at=now, by=by, how=How.BY_HAND, words=words):
        row = _row(connection, task_id)
        if (row.done_by, row.done_how, row.done_words) != (by, How.BY_HAND, words):
            raise TaskRefusedError(f"task {task_id} is done already: {_deed(row)}")
    return one(connection, task_id)


def _deed(row: Row[Any]) -> str:
    return f"by {row.done_by}" + (f", {row.done_words}" if row.done_words else "")


# --- what people and calls have in common


def put_note(connection: Connection, task_id: int, key: str, *, by: str, words: str, at: datetime) -> bool:
    """False where the task has that note already."""
    row = {"task_id": task_id, "key": key, "at": at, "by": by, "text": words}
    return bool(connection.execute(insert_once(connection.dialect.name, s.task_note), row).rowcount)


def touch(connection: Connection, row: Row[Any], at: datetime, rules: TaskRules) -> None:
    """Somebody is at it: the owner hears later of it."""
    if row.state == TaskState.OPEN and row.escalate_at is not None:
        later = escalation.next_at(row.escalations, at, rules)
        if later is not None and later > row.escalate_at:
            connection.execute(_CHANGE, {"task": row.id, "escalate_at": later})


def close(
    connection: Connection,
    memory: Memory,
    row: Row[Any],
    *,
    at: datetime,
    by: str,
    how: How,
    words: str,
    talk_s: float | None = None,
) -> bool:
    """False where it was done before."""
    values = {
        "state": TaskState.DONE.value,
        "done_at": at,
        "done_by": by,
        "done_how": how.value,
        "done_words": words,
        "escalate_at": None,
        "talk_s": talk_s,
    }
    if connection.execute(_CHANGE, {"task": row.id, **values}).rowcount == 0:
        return False
    told = {"by": by, "how": how.value, "talk_s": talk_s, "after_s": (at - row.created_at).total_seconds()}
    tell(connection, memory, HookEvent.TASK_DONE, row, at=at, **told)
    return True


def tell(
    connection: Connection,
    memory: Memory,
    event: HookEvent,
    row: Any,
    *,
    at: datetime,
    key: str = "",
    **data: Any,
) -> None:
    """Outside systems, of a fact about a task. What people wrote on it is not told: it may be personal."""
    if memory.subscriptions:
        hook = Hook(
            event=event,
            key=f"{row.id}{key}",
            at=at,
            data={"task": row.id, "transfer": row.transfer_id, **data},
            transfer_id=TransferId(row.transfer_id),
            lead=by_id(connection, LeadId(row.lead_id)),
        )
        hooks.emit(connection, memory, hook)


def _close_of_lead(
    connection: Connection, memory: Memory, lead_id: LeadId, *, at: datetime, by: str, words: str
) -> None:
    """A warm transfer of the lead was connected: nobody need call back any more."""
    if not _HAS_LEAD.rows(connection, {"lead": lead_id}):
        return
    for row in connection.execute(_OF_LEAD, {"lead": lead_id}).all():
        measure(connection, row, at, "first_answered_s")
        close(connection, memory, row, at=at, by=by, how=How.TRANSFER, words=words)


_MEASURE = {
    name: update(s.task).where(
        s.task.c.id == bindparam("task"), s.task.c[name].is_(None) | (s.task.c[name] > bindparam("seconds"))
    )
    for name in ("first_attempt_s", "first_answered_s")
}


def measure(connection: Connection, row: Row[Any], at: datetime, column: str) -> None:
    """Keep how long after the miss that was; the earliest counts."""
    seconds = max(0.0, (at - row.created_at).total_seconds())
    connection.execute(_MEASURE[column].values({column: seconds}), {"task": row.id, "seconds": seconds})


def _task(row: Row[Any], notes: Iterable[Row[Any]], calls: Iterable[Row[Any]]) -> Task:
    done = None
    if row.state == TaskState.DONE:
        done = Done(at=row.done_at, by=row.done_by, how=How(row.done_how), words=row.done_words)
    return Task(
        id=row.id,
        transfer_id=TransferId(row.transfer_id),
        lead_id=LeadId(row.lead_id),
        title=row.title,
        reason=row.reason,
        owner_agent_id=None if row.owner_agent_id is None else AgentId(row.owner_agent_id),
        owner_pool_id=None if row.owner_pool_id is None else PoolId(row.owner_pool_id),
        created_at=row.created_at,
        due_at=row.due_at,
        state=TaskState(row.state),
        claimed_by=row.claimed_by,
        claimed_at=row.claimed_at,
        done=done,
        escalations=row.escalations,
        escalate_at=row.escalate_at,
        first_attempt_s=row.first_attempt_s,
        first_answered_s=row.first_answered_s,
        talk_s=row.talk_s,
        notes=tuple(TaskNote(at=note.at, by=note.by, text=note.text) for note in notes),
        calls=tuple(_call(call) for call in calls),
    )


def _call(row: Row[Any]) -> TaskCall:
    return TaskCall(
        direction=Direction(row.direction),
        who=row.who,
        agent_id=None if row.agent_id is None else AgentId(row.agent_id),
        began_at=row.began_at,
        answered_at=row.answered_at,
        ended_at=row.ended_at,
    )
