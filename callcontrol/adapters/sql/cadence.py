"""What was planned for a lead: enrolments and their steps, cancelled by an outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from callcontrol.adapters.sql import schema as s
from callcontrol.core.model import LeadId, TransferId


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """One step of a cadence."""

    name: str
    due_at: datetime | None = None
    state: str = "pending"  # pending, cancelled, done
    cancelled_by: TransferId | None = None
    why: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Enrolment:
    id: int
    name: str
    state: str  # pending, cancelled, done
    steps: tuple[Planned, ...]
    cancelled_at: datetime | None
    cancelled_by: TransferId | None
    why: str


def enrol(connection: Connection, lead_id: LeadId, name: str, steps: Sequence[Planned]) -> int:
    """The new enrolment's id."""
    statement = insert(s.cadence_enrolment).returning(s.cadence_enrolment.c.id)
    enrolment: int = connection.execute(
        statement, {"lead_id": lead_id, "name": name, "state": "pending", "why": ""}
    ).scalar_one()
    if steps:
        connection.execute(
            insert(s.cadence_step),
            [
                {
                    "enrolment_id": enrolment,
                    "position": position,
                    "lead_id": lead_id,
                    "name": step.name,
                    "due_at": step.due_at,
                    "state": step.state,
                    "why": "",
                }
                for position, step in enumerate(steps, start=1)
            ],
        )
    return enrolment


def of_lead(connection: Connection, lead_id: LeadId) -> tuple[Enrolment, ...]:
    steps: dict[int, list[Planned]] = {}
    for row in connection.execute(
        select(s.cadence_step).where(s.cadence_step.c.lead_id == lead_id).order_by(s.cadence_step.c.position)
    ):
        steps.setdefault(row.enrolment_id, []).append(
            Planned(
                name=row.name,
                due_at=row.due_at,
                state=row.state,
                cancelled_by=row.cancelled_by,
                why=row.why,
            )
        )
    return tuple(
        Enrolment(
            id=row.id,
            name=row.name,
            state=row.state,
            steps=tuple(steps.get(row.id, ())),
            cancelled_at=row.cancelled_at,
            cancelled_by=row.cancelled_by,
            why=row.why,
        )
        for row in connection.execute(
            select(s.cadence_enrolment)
            .where(s.cadence_enrolment.c.lead_id == lead_id)
            .order_by(s.cadence_enrolment.c.id)
        )
    )
