"""`record`: one turn of the machine, and with an outcome all that it brings, in one transaction."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Text, bindparam, exists, literal_column, or_, select, update

from callcontrol.adapters.sql import claims, journal, outbox, standings
from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.directory import Memory
from callcontrol.adapters.sql.statements import insert_once
from callcontrol.core.followup import FollowUp, NewTask
from callcontrol.core.model import Connected, Missed, Outcome, TransferId
from callcontrol.core.standing import Became
from callcontrol.ports import NewMessage, StoreError, Transition

CALL_BACK = "call_back"

_FINISH = (
    update(s.transfer)
    .where(
        s.transfer.c.id == bindparam("transfer"),
        s.transfer.c.outcome.is_(None),
        or_(
            bindparam("by_leg", type_=Text).is_(None),
            exists().where(s.leg.c.id == bindparam("by_leg", type_=Text)),
        ),
    )
    .returning(s.transfer.c.lead_id)
)
_OUTCOME = select(
    s.transfer.c.outcome,
    s.transfer.c.outcome_reason,
    s.transfer.c.outcome_leg_id,
    s.transfer.c.outcome_follow_up,
).where(s.transfer.c.id == bindparam("transfer"))
_CLOSE = update(s.transfer).where(s.transfer.c.id == bindparam("transfer"), s.transfer.c.closed_at.is_(None))
_CANCEL = tuple(
    update(table).where(table.c.lead_id == bindparam("lead"), table.c.state == literal_column("'pending'"))
    for table in (s.cadence_enrolment, s.cadence_step)
)


def record(connection: Connection, memory: Memory, transition: Transition) -> None:
    transfer_id = transition.transfer_id
    at = transition.entries[-1].at if transition.entries else datetime.now(UTC)
    if not journal.append(connection, transfer_id, transition.entries):
        # All of it was written before, in one transaction. A late repeat must not undo later legs.
        if transition.outcome is not None:
            _check_same(connection, transfer_id, transition.outcome)
        return
    journal.put_legs(connection, transfer_id, transition.legs)
    if transition.outcome is not None:
        _finish(connection, transfer_id, transition.outcome, transition.follow_up or FollowUp(), at)
    if any(change.became is not Became.RUNG for change in transition.standings):
        _leave_agents(connection, memory, transition)
    if transition.closed:
        connection.execute(_CLOSE, {"transfer": transfer_id, "closed_at": at})
        claims.release(connection, transfer_id)
    elif transition.outcome is not None:
        winner = transition.outcome.leg.agent_id if isinstance(transition.outcome, Connected) else None
        claims.keep_only(connection, transfer_id, winner, at)


def _leave_agents(connection: Connection, memory: Memory, transition: Transition) -> None:
    known = memory.current(connection)
    rested = standings.change(connection, known, transition.transfer_id, transition.standings)
    for one in rested:
        if one.agent.phone is not None:
            told = NewMessage(
                dedupe_key=f"agent-rest:{one.agent.id}:{one.at.astimezone(UTC).isoformat()}",
                transfer_id=transition.transfer_id,
                recipient="agent-rest",
                agent_id=one.agent.id,
                to=one.agent.phone,
                body=one.text,
            )
            outbox.enqueue(connection, (told,), one.at)


def _finish(
    connection: Connection, transfer_id: TransferId, outcome: Outcome, follow_up: FollowUp, at: datetime
) -> None:
    columns = _columns(outcome)
    lead_id = connection.execute(
        _FINISH,
        {"transfer": transfer_id, "by_leg": columns["outcome_leg_id"], "finished_at": at, **columns},
    ).scalar_one_or_none()
    if lead_id is None:
        _check_same(connection, transfer_id, outcome)
        return
    texts = [
        NewMessage(
            dedupe_key=f"{transfer_id}:{columns['outcome']}:{text.recipient}",
            transfer_id=transfer_id,
            recipient=text.recipient,
            to=text.to,
            body=text.body,
        )
        for text in follow_up.texts
    ]
    outbox.enqueue(connection, texts, at)
    if follow_up.task is not None:
        row = _task(transfer_id, lead_id, follow_up.task, at)
        connection.execute(insert_once(connection.dialect.name, s.task), row)
    if follow_up.cancel_cadence:
        why = f"{columns['outcome']}: {columns['outcome_reason']}"
        for statement in _CANCEL:
            connection.execute(
                statement,
                {
                    "lead": lead_id,
                    "state": "cancelled",
                    "cancelled_at": at,
                    "cancelled_by": transfer_id,
                    "why": why,
                },
            )


def _check_same(connection: Connection, transfer_id: TransferId, outcome: Outcome) -> None:
    stored = connection.execute(_OUTCOME, {"transfer": transfer_id}).mappings().one_or_none()
    if stored is None:
        raise StoreError(f"no transfer {transfer_id}", retryable=False)
    if stored["outcome"] is None:
        raise StoreError(f"transfer {transfer_id} was connected by a leg that has no record", retryable=False)
    if dict(stored) != _columns(outcome):
        raise StoreError(
            f"transfer {transfer_id} has the outcome {stored['outcome']} already, for another reason",
            retryable=False,
        )


def _columns(outcome: Outcome) -> dict[str, Any]:
    match outcome:
        case Connected(by=by, leg=leg):
            return {
                "outcome": "connected",
                "outcome_reason": by,
                "outcome_leg_id": leg.id,
                "outcome_follow_up": True,
            }
        case Missed(because=because, follow_up=follow_up):
            return {
                "outcome": "missed",
                "outcome_reason": because,
                "outcome_leg_id": None,
                "outcome_follow_up": follow_up,
            }


def _task(transfer_id: TransferId, lead_id: str, task: NewTask, at: datetime) -> dict[str, Any]:
    return {
        "transfer_id": transfer_id,
        "kind": CALL_BACK,
        "lead_id": lead_id,
        "title": task.title,
        "reason": task.reason,
        "owner_agent_id": task.owner_agent_id,
        "created_at": at,
        "due_at": task.due_at,
        "state": "open",
    }
