"""Follow-up tasks."""

from typing import Any

from sqlalchemy import Connection, bindparam, select

from callcontrol.adapters.sql import schema as s
from callcontrol.core.model import AgentId, LeadId, TransferId
from callcontrol.ports import Task

_NEWEST = select(s.task).order_by(s.task.c.created_at.desc(), s.task.c.id.desc()).limit(bindparam("at_most"))


def newest(connection: Connection, limit: int) -> tuple[Task, ...]:
    return tuple(_task(row) for row in connection.execute(_NEWEST, {"at_most": limit}))


def _task(row: Any) -> Task:
    return Task(
        id=row.id,
        transfer_id=TransferId(row.transfer_id),
        lead_id=LeadId(row.lead_id),
        title=row.title,
        reason=row.reason,
        owner_agent_id=None if row.owner_agent_id is None else AgentId(row.owner_agent_id),
        created_at=row.created_at,
        due_at=row.due_at,
        state=row.state,
    )
