"""Enrolments and their steps: claimed by workers, cancelled by an outcome or a person.

A step is `pending`, `claimed` (with a lease: past it, it is pending again), `done` or `cancelled`. Claiming
takes only what nobody else holds and never waits; cancelling waits for whoever is at it, and has the last
word. All lock the enrolments first, by id, then steps, so that none waits for another in a circle; claiming
alone begins with the steps, and skips what is locked.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    bindparam,
    exists,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from callcontrol.adapters.sql import hooks, leads
from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.directory import Memory
from callcontrol.adapters.sql.driven import Driven
from callcontrol.adapters.sql.own_tables import Site
from callcontrol.core.hooks import Hook, HookEvent
from callcontrol.core.model import LeadId, TransferId
from callcontrol.ports import Cancelled, ClaimedStep, ClaimLostError, Enrolment, Planned, UnknownError

_E, _S = s.cadence_enrolment, s.cadence_step
# Written into the statement, not bound: else no database sees that the partial indexes fit.
_PENDING: ColumnElement[str] = literal_column("'pending'")
_CLAIMED: ColumnElement[str] = literal_column("'claimed'")
_OPEN = (_PENDING, _CLAIMED)
_earlier = _S.alias("earlier")

# --- enrolling


def enrol(
    connection: Connection,
    lead_id: LeadId,
    name: str,
    steps: Sequence[Planned],
    *,
    key: str | None,
    now: datetime,
    site: Site,
) -> int:
    """The enrolment's id; with a key that was used before, of the one it was used for. Raises UnknownError."""
    if site.lead is not None:
        leads.put(connection, site.lead)
    elif leads.by_id(connection, lead_id) is None:
        raise UnknownError("lead", lead_id)
    if key is not None:
        known: int | None = connection.scalar(select(_E.c.id).where(_E.c.key == key, _E.c.lead_id == lead_id))
        if known is not None:
            return known
    enrolment: int = connection.execute(
        insert(_E).returning(_E.c.id),
        {
            "lead_id": lead_id,
            "name": name,
            "state": "pending",
            "why": "",
            "key": key,
            "created_at": now,
        },
    ).scalar_one()
    if steps:
        connection.execute(insert(_S), [_row(enrolment, lead_id, *one) for one in enumerate(steps, start=1)])
    return enrolment


def _row(enrolment: int, lead_id: LeadId, position: int, step: Planned) -> dict[str, Any]:
    return {
        "enrolment_id": enrolment,
        "position": position,
        "lead_id": lead_id,
        "name": step.name,
        "due_at": step.due_at,
        "state": step.state,
        "why": "",
    }


def of_lead(connection: Connection, lead_id: LeadId) -> tuple[Enrolment, ...]:
    steps: dict[int, list[Planned]] = {}
    for row in connection.execute(select(_S).where(_S.c.lead_id == lead_id).order_by(_S.c.position)):
        steps.setdefault(row.enrolment_id, []).append(
            Planned(
                name=row.name,
                due_at=row.due_at,
                state=row.state,
                claimed_by=row.claimed_by or "",
                cancelled_by=row.cancelled_by,
                why=row.why,
                done_at=row.done_at,
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
        for row in connection.execute(select(_E).where(_E.c.lead_id == lead_id).order_by(_E.c.id))
    )


# --- claiming

_DUE = (
    select(_S.c.enrolment_id, _S.c.position, _S.c.name, _S.c.due_at, _E.c.name.label("cadence"))
    .add_columns(*leads.LEAD_COLUMNS)
    .join(_E, _E.c.id == _S.c.enrolment_id)
    .join(s.lead, s.lead.c.id == _S.c.lead_id)
    .where(
        _S.c.state.in_(_OPEN),
        or_(_S.c.state == "pending", _S.c.claimed_until <= bindparam("now")),
        or_(_S.c.due_at.is_(None), _S.c.due_at <= bindparam("now")),
        ~exists().where(
            _earlier.c.enrolment_id == _S.c.enrolment_id,
            _earlier.c.position < _S.c.position,
            _earlier.c.state.in_(_OPEN),
        ),
        # A lead who is just being transferred is left alone: the outcome cancels what is planned.
        ~exists().where(s.transfer.c.lead_id == _S.c.lead_id, s.transfer.c.closed_at.is_(None)),
    )
    .order_by(_S.c.due_at.nulls_first(), _S.c.enrolment_id)
    .limit(bindparam("at_most", type_=Integer))
    .with_for_update(of=_S, skip_locked=True)
)
_TAKE = update(_S).where(
    _S.c.enrolment_id == bindparam("of"), _S.c.position == bindparam("at"), _S.c.state.in_(_OPEN)
)


def claim(
    connection: Connection, worker: str, limit: int, now: datetime, lease_s: float
) -> tuple[ClaimedStep, ...]:
    """Due steps, now the worker's for `lease_s`; those of one enrolment one after the other."""
    until = now + timedelta(seconds=lease_s)
    claimed = tuple(
        ClaimedStep(
            claim_id=str(uuid4()),
            enrolment_id=row.enrolment_id,
            cadence=row.cadence,
            position=row.position,
            name=row.name,
            due_at=row.due_at,
            until=until,
            lead=leads.lead_of(row),
        )
        for row in connection.execute(_DUE, {"now": now, "at_most": limit})
    )
    for step in claimed:
        values = {"state": "claimed", "claim_id": step.claim_id, "claimed_by": worker, "claimed_until": until}
        connection.execute(_TAKE, {"of": step.enrolment_id, "at": step.position, **values})
    return claimed


_BY_CLAIM = select(_S).where(_S.c.claim_id == bindparam("claim")).with_for_update()
_HOLD = update(_S).where(_S.c.claim_id == bindparam("claim"))
_FINISHED = update(_E).where(
    _E.c.id == bindparam("enrolment"),
    _E.c.state == "pending",
    ~exists().where(_S.c.enrolment_id == _E.c.id, _S.c.state.in_(_OPEN)),
)


def renew(connection: Connection, claim_id: str, now: datetime, lease_s: float) -> datetime:
    """Until when it is the worker's. A lease that ran out counts while nobody else took the step.

    Raises ClaimLostError.
    """
    _held(connection, claim_id)
    until = now + timedelta(seconds=lease_s)
    connection.execute(_HOLD, {"claim": claim_id, "claimed_until": until})
    return until


def complete(connection: Connection, claim_id: str, now: datetime) -> str:
    """The step is done; a repeat changes nothing. Why it should not have been: empty, where all is well.

    A step that was cancelled while the worker was at it stays so, and it is noted that it was carried out.
    Raises ClaimLostError where another worker has taken it.
    """
    step = _of(connection, claim_id)
    if step.state == "cancelled":
        if step.done_at is None:
            connection.execute(_HOLD, {"claim": claim_id, "done_at": now})
        return _cancelled_words(step)
    if step.state == "claimed":
        connection.execute(_HOLD, {"claim": claim_id, "state": "done", "done_at": now})
        connection.execute(_FINISHED, {"enrolment": step.enrolment_id, "state": "done"})
    return ""


def release(connection: Connection, claim_id: str, due_at: datetime) -> None:
    """Give the step back, to be claimed again from `due_at` on. Raises ClaimLostError."""
    _held(connection, claim_id)
    values = {"state": "pending", "claim_id": None, "claimed_by": None, "claimed_until": None}
    connection.execute(_HOLD, {"claim": claim_id, "due_at": due_at, **values})


def _held(connection: Connection, claim_id: str) -> Any:
    step = _of(connection, claim_id)
    if step.state != "claimed":
        raise ClaimLostError(
            _cancelled_words(step) if step.state == "cancelled" else "the step is done already"
        )
    return step


def _of(connection: Connection, claim_id: str) -> Any:
    """The step, with its enrolment locked first."""
    enrolment = select(_S.c.enrolment_id).where(_S.c.claim_id == claim_id).scalar_subquery()
    connection.execute(select(_E.c.id).where(_E.c.id == enrolment).with_for_update())
    step = connection.execute(_BY_CLAIM, {"claim": claim_id}).one_or_none()
    if step is None:
        raise ClaimLostError("nobody has this claim: its lease ran out, or it was given back")
    return step


def _cancelled_words(step: Any) -> str:
    return f"cancelled by {step.cancelled_by}: {step.why}"


# --- cancelling


class _Planned(NamedTuple):
    enrolment_id: int
    position: int
    name: str
    state: str
    claimed_by: str | None


_LOCK = Driven(
    lambda _: (
        select(_E.c.id, _E.c.name)
        .where(_E.c.lead_id == bindparam("lead"), _E.c.state == _PENDING)
        .order_by(_E.c.id)
        .with_for_update()
    )
)
_LOCK_STEPS = Driven(
    lambda _: (
        select(*(_S.c[name] for name in _Planned._fields))
        .where(_S.c.lead_id == bindparam("lead"), _S.c.state.in_(_OPEN))
        .order_by(_S.c.enrolment_id, _S.c.position)
        .with_for_update()
    )
)
_CANCEL = update(_E).where(_E.c.lead_id == bindparam("lead"), _E.c.state == "pending")
_CANCEL_STEPS = update(_S).where(_S.c.lead_id == bindparam("lead"), _S.c.state.in_(_OPEN))


def cancel(
    connection: Connection,
    memory: Memory,
    lead_id: LeadId,
    *,
    by: str,
    why: str,
    at: datetime,
    transfer_id: TransferId | None = None,
) -> Cancelled:
    """All that is planned for the lead, also what a worker has in hand; a repeat finds nothing more."""
    enrolments = _LOCK.rows(connection, {"lead": lead_id})
    steps = [_Planned(*row) for row in _LOCK_STEPS.rows(connection, {"lead": lead_id})]
    found = Cancelled(
        lead_id=lead_id,
        enrolments=tuple(key for key, _ in enrolments),
        steps=tuple(row.name for row in steps if row.state == "pending"),
        in_hand=tuple(row.name for row in steps if row.state == "claimed"),
    )
    if not enrolments and not steps:
        return found
    values = {"lead": lead_id, "state": "cancelled", "cancelled_at": at, "cancelled_by": by, "why": why}
    connection.execute(_CANCEL, values)
    connection.execute(_CANCEL_STEPS, values)
    if memory.subscriptions:
        told = {key: name for key, name in enrolments}  # noqa: C416 - rows are no pairs to the type checker
        hook = Hook(
            event=HookEvent.CADENCE_CANCELLED,
            key=transfer_id or f"{lead_id}:{at.isoformat()}",
            at=at,
            data={
                "by": by,
                "why": why,
                "enrolments": [{"id": key, "cadence": name} for key, name in told.items()],
                "steps": [
                    {
                        "enrolment": row.enrolment_id,
                        "position": row.position,
                        "name": row.name,
                        "claimed_by": row.claimed_by if row.state == "claimed" else None,
                    }
                    for row in steps
                ],
            },
            transfer_id=transfer_id,
            lead=leads.by_id(connection, lead_id),
        )
        hooks.emit(connection, memory, hook)
    return found
