"""Calls between waiting leads and somebody here, and the tasks that are to be escalated."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, select, update

from callcontrol.adapters.sql import outbox, tasks
from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.directory import Memory
from callcontrol.adapters.sql.leads import LEAD_COLUMNS, lead_of
from callcontrol.adapters.sql.roster import Known
from callcontrol.adapters.sql.statements import insert_once
from callcontrol.core import escalation
from callcontrol.core.callback import Direction, FollowedCall, Person, Result, Verdict
from callcontrol.core.escalation import TaskRules
from callcontrol.core.followup import TextOut
from callcontrol.core.hooks import HookEvent
from callcontrol.core.model import AgentId, BotId, ChannelId, Endpoint, EndpointKind
from callcontrol.ports import NewMessage, Overdue, Task, TaskState

_TASKS = select(s.task).where(s.task.c.id.in_(bindparam("tasks", expanding=True))).order_by(s.task.c.id)
_CALL = update(s.task_call).where(
    s.task_call.c.task_id == bindparam("of_task"),
    s.task_call.c.call == bindparam("of_call"),
    s.task_call.c.ended_at.is_(None),
)
_UP = select(s.task_call).where(s.task_call.c.ended_at.is_(None)).order_by(s.task_call.c.task_id)
# The bot has called the lead, and its call became a transfer: no call back by anybody.
_OF_A_BOT = select(
    exists().where(
        s.transfer.c.lead_id == bindparam("lead"),
        s.transfer.c.lead_channel.in_(bindparam("legs", expanding=True)),
    )
)
_DROP = delete(s.task_call).where(
    s.task_call.c.task_id == bindparam("of_task"), s.task_call.c.call == bindparam("of_call")
)
_talked_with = exists().where(
    s.task_call.c.task_id == s.task.c.id,
    s.task_call.c.answered_at.is_not(None),
    s.task_call.c.ended_at.is_(None),
)
_OPEN: Any = s.task.c.state == bindparam("open", TaskState.OPEN.value, literal_execute=True)
_OVERDUE = (
    select(s.task.c.id.label("task_id"), *LEAD_COLUMNS, s.transfer.c.bot_id)
    .join(s.transfer, s.transfer.c.id == s.task.c.transfer_id)
    .join(s.lead, s.lead.c.id == s.task.c.lead_id)
    .where(_OPEN, s.task.c.escalate_at <= bindparam("now"), ~_talked_with)
    .order_by(s.task.c.escalate_at, s.task.c.id)
    .limit(bindparam("at_most"))
)
_LEVEL = update(s.task).where(
    s.task.c.id == bindparam("task"),
    _OPEN,
    s.task.c.escalations == bindparam("sent"),
    s.task.c.escalate_at == bindparam("was_at"),
)


def person_at(connection: Connection, memory: Memory, address: str, number: str) -> Person | None:
    """Where several share a phone, the first of them."""
    for agent in memory.current(connection).agents.values():
        if any(_is(endpoint, address, number) for endpoint in agent.endpoints) or (
            number and agent.phone == number
        ):
            return Person(label=agent.name, agent_id=agent.id)
    return None


def _is(endpoint: Endpoint, address: str, number: str) -> bool:
    match endpoint.kind:
        case EndpointKind.EXTENSION:
            return bool(address) and endpoint.address == address
        case EndpointKind.NUMBER:
            return bool(number) and endpoint.address == number
        case EndpointKind.DIAL:  # PJSIP/alice
            return bool(address) and endpoint.address.partition("/")[2] == address


def unended(connection: Connection) -> tuple[FollowedCall, ...]:
    calls: dict[str, list[Any]] = {}
    for row in connection.execute(_UP):
        calls.setdefault(row.call, []).append(row)
    return tuple(_followed(rows) for rows in calls.values())


def put(
    connection: Connection, memory: Memory, call: FollowedCall, verdict: Verdict | None, rules: TaskRules
) -> bool:
    """A task that is done takes up no new call; one that was up while it was done comes to its end."""
    closed = False
    for task in connection.execute(_TASKS, {"tasks": call.task_ids}).all():
        if not _put_row(connection, call, task, verdict):
            continue
        if verdict is None:
            tasks.touch(connection, task, call.began_at, rules)
        elif _is_of_a_bot(connection, call, task):
            connection.execute(_DROP, {"of_task": task.id, "of_call": call.id})
        elif _conclude(connection, memory, call, task, verdict, rules):
            closed = True
    return closed


def _put_row(connection: Connection, call: FollowedCall, task: Any, verdict: Verdict | None) -> bool:
    """False where it had ended before, or is none of the task's."""
    known = {"of_task": task.id, "of_call": call.id}
    row = {
        "agent_id": call.who.agent_id,
        "who": call.who.label,
        "answered_at": call.answered_at,
        "answered_leg": call.answered_leg,
        "ended_at": call.ended_at,
        "result": verdict.result.value if verdict is not None else None,
    }
    if connection.execute(_CALL, known | row).rowcount:
        return True
    if task.state == TaskState.DONE:
        return False
    new = {"task_id": task.id, "call": call.id, "direction": call.direction, "began_at": call.began_at}
    return bool(connection.execute(insert_once(connection.dialect.name, s.task_call), new | row).rowcount)


def _is_of_a_bot(connection: Connection, call: FollowedCall, task: Any) -> bool:
    legs = [*call.legs, *filter(None, [call.answered_leg])] if call.direction is Direction.BACK else []
    return bool(connection.scalar(_OF_A_BOT, {"lead": task.lead_id, "legs": legs}))


def _conclude(  # noqa: PLR0917
    connection: Connection, memory: Memory, call: FollowedCall, task: Any, verdict: Verdict, rules: TaskRules
) -> bool:
    """True where that closes the task."""
    ended_at = call.ended_at or call.began_at
    if call.direction is Direction.BACK:
        tasks.measure(connection, task, call.began_at, "first_attempt_s")
    if verdict.result is Result.CLOSES and call.answered_at is not None:
        tasks.measure(connection, task, call.answered_at, "first_answered_s")
        if tasks.close(
            connection,
            memory,
            task,
            at=ended_at,
            by=call.who.label,
            how=verdict.how,
            words=verdict.words,
            talk_s=call.talk_s,
        ):
            return True
    tasks.put_note(
        connection, task.id, f"call:{call.id}", by=tasks.OURSELVES, words=verdict.words, at=ended_at
    )
    tasks.touch(connection, task, ended_at, rules)
    return False


def overdue(connection: Connection, memory: Memory, now: datetime, limit: int) -> tuple[Overdue, ...]:
    rows = connection.execute(_OVERDUE, {"now": now, "at_most": limit}).all()
    if not rows:
        return ()
    known = memory.current(connection)
    ids = [row.task_id for row in rows]
    of = {task.id: task for task in tasks.whole(connection, connection.execute(_TASKS, {"tasks": ids}).all())}
    return tuple(_overdue(known, of[row.task_id], row) for row in rows)


def _overdue(known: Known, task: Task, row: Any) -> Overdue:
    bot_id, agent_id = BotId(row.bot_id), task.owner_agent_id
    return Overdue(
        task=task,
        lead=lead_of(row),
        bot=known.bots.get(bot_id) or known.removed_bots[bot_id],
        assigned=known.agents.get(agent_id) if agent_id is not None else None,
    )


def put_off(connection: Connection, task: Task, until: datetime) -> None:
    connection.execute(_LEVEL, _level(task) | {"escalate_at": until})


def escalate(
    connection: Connection,
    memory: Memory,
    task: Task,
    texts: Sequence[TextOut],
    *,
    now: datetime,
    rules: TaskRules,
) -> bool:
    """The level is claimed and its texts queued in one transaction: once, however many daemons there are."""
    sent = task.escalations + 1
    next_at = escalation.next_at(sent, now, rules)
    claimed = connection.execute(_LEVEL, _level(task) | {"escalations": sent, "escalate_at": next_at})
    if claimed.rowcount == 0:
        return False
    tasks.tell(connection, memory, HookEvent.TASK_ESCALATED, task, at=now, key=f":{sent}", level=sent)
    told = [
        NewMessage(
            dedupe_key=f"task:{task.id}:escalated:{sent}:{text.recipient}",
            transfer_id=task.transfer_id,
            recipient=text.recipient,
            to=text.to,
            body=text.body,
            agent_id=text.agent_id,
        )
        for text in texts
    ]
    outbox.enqueue(connection, told, now)
    return True


def _level(task: Task) -> dict[str, Any]:
    return {"task": task.id, "sent": task.escalations, "was_at": task.escalate_at}


def _followed(rows: Sequence[Any]) -> FollowedCall:
    """From the rows of one call, one for each task."""
    row = rows[0]
    who = Person(label=row.who, agent_id=None if row.agent_id is None else AgentId(row.agent_id))
    return FollowedCall(
        id=ChannelId(row.call),
        direction=Direction(row.direction),
        task_ids=tuple(one.task_id for one in rows),
        who=who,
        began_at=row.began_at,
        answered_at=row.answered_at,
        answered_leg=None if row.answered_leg is None else ChannelId(row.answered_leg),
    )
