"""Personal data, erased; what is counted stays.

A lead's row is replaced by an empty one with an id of its own that says nothing; of its transfers go the
summary, the keys, the channels, the journal, the messages, and the words of tasks and notes. What stays
is when it was, how it came out, and what each phone did.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    delete,
    exists,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from callcontrol.adapters.sql import schema as s
from callcontrol.core.callback import How
from callcontrol.core.model import LeadId
from callcontrol.ports import Forgotten, StoreError, UnknownError, Whom

FORGOTTEN = "forgotten-"
BATCH = 50  # at one go: a live call waits for the writer no longer
_UNDONE = ("open", "claimed")
_OVER = ("sent", "parked", "discarded")
_t = s.transfer.c
_REMEMBERED: ColumnElement[bool] = literal_column(
    "transfer.forgotten_at IS NULL", Boolean
)  # literally, so that SQLite sees its index fits


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """What there is to be forgotten; looked for at leisure, so that the writer is held up for the erasing alone."""

    transfers: Sequence[str] = ()
    leads: Sequence[str] = ()
    messages: Sequence[int] = ()
    newest_message: int = 0  # of all


def messages_about(connection: Connection, whom: Whom, after: int = 0) -> Due:
    """Those of no transfer, such as a webhook on a cancelled cadence, or one that went to the lead."""
    leads = connection.execute(select(s.lead).where(_is(whom))).all()
    of = s.outbox.c
    statement = select(of.id, of.queue, of.to, of.body).where(of.transfer_id.is_(None), of.id > after)
    rows = connection.execute(statement).all()
    about = [row.id for row in rows if any(_is_about(row, lead) for lead in leads)]
    return Due(messages=about, newest_message=max((row.id for row in rows), default=after))


def forget(connection: Connection, whom: Whom, found: Due, now: datetime, *, with_tasks: bool) -> Forgotten:
    """Raises UnknownError; StoreError while a transfer is live, or a task open and not to be forgotten too."""
    leads = connection.execute(select(s.lead.c.id).where(_is(whom))).scalars().all()
    if not leads:
        raise UnknownError("lead", whom.lead_id or "with that number")
    _refuse_if_live(connection, leads)
    undone = select(s.task.c.id).where(s.task.c.lead_id.in_(leads), s.task.c.state.in_(_UNDONE))
    if not with_tasks and connection.execute(undone).first() is not None:
        raise StoreError("the lead has an open task: finish it, or have it forgotten too", retryable=False)
    newer = messages_about(connection, whom, found.newest_message).messages
    transfers = connection.execute(select(_t.id, _t.summary).where(_t.lead_id.in_(leads))).all()
    messages = _erase(connection, [row.id for row in transfers], now)
    messages += _delete_messages(connection, [*found.messages, *newer])
    for lead_id in leads:
        _replace(connection, lead_id, now)
    return Forgotten(
        leads=len(leads),
        transfers=len(transfers),
        messages=messages,
        said=tuple(row.summary for row in transfers if row.summary),
    )


def due(connection: Connection, before: datetime) -> Due:
    """Some of what is older; nothing, once all of it is forgotten."""
    old = (
        select(_t.id)
        .where(_t.requested_at < before, _REMEMBERED, _t.closed_at.is_not(None))
        .order_by(_t.requested_at)
        .limit(BATCH)
    )
    if transfers := connection.execute(old).scalars().all():
        return Due(transfers=transfers)
    stray = select(s.outbox.c.id).where(
        s.outbox.c.transfer_id.is_(None), s.outbox.c.created_at < before, s.outbox.c.state.in_(_OVER)
    )
    return Due(
        leads=connection.execute(_PAST_LEADS.limit(BATCH)).scalars().all(),
        messages=connection.execute(stray.limit(BATCH)).scalars().all(),
    )


def forget_due(connection: Connection, found: Due, now: datetime) -> Forgotten:
    """Leads are looked at again: one may have called since."""
    said = connection.execute(select(_t.summary).where(_t.id.in_(found.transfers))).scalars().all()
    messages = _erase(connection, found.transfers, now) + _delete_messages(connection, found.messages)
    leads = connection.execute(_PAST_LEADS.where(s.lead.c.id.in_(found.leads))).scalars().all()
    for lead_id in leads:
        _replace(connection, lead_id, now)
    return Forgotten(
        leads=len(leads),
        transfers=len(found.transfers),
        messages=messages,
        said=tuple(text for text in said if text),
    )


# Whose every transfer is forgotten, and for whom nothing is planned or open.
_PAST_LEADS = select(s.lead.c.id).where(
    s.lead.c.id.not_like(f"{FORGOTTEN}%"),
    exists().where(_t.lead_id == s.lead.c.id),
    ~exists().where(_t.lead_id == s.lead.c.id, _REMEMBERED),
    ~exists().where(
        s.cadence_step.c.lead_id == s.lead.c.id, s.cadence_step.c.state.in_(("pending", "claimed"))
    ),
    ~exists().where(s.cadence_enrolment.c.lead_id == s.lead.c.id, s.cadence_enrolment.c.state == "pending"),
    ~exists().where(s.task.c.lead_id == s.lead.c.id, s.task.c.state.in_(_UNDONE)),
)


def _is(whom: Whom) -> Any:
    return s.lead.c.id == whom.lead_id if whom.lead_id else s.lead.c.phone.in_(whom.phones)


def _refuse_if_live(connection: Connection, lead_ids: Collection[str]) -> None:
    live = select(_t.id).where(_t.lead_id.in_(lead_ids), _t.closed_at.is_(None)).limit(1)
    found = connection.execute(live).scalar_one_or_none()
    if found is not None:
        raise StoreError(f"the lead is in transfer {found} now: forget it when that is over", retryable=False)


def _erase(connection: Connection, transfers: Sequence[str], now: datetime) -> int:
    """How many messages went."""
    if not transfers:
        return 0
    scrub(connection)
    connection.execute(
        update(s.transfer)
        .where(_t.id.in_(transfers))
        .values(
            key=literal_column("'forgotten:'").concat(_t.id),
            fingerprint="",
            summary="",
            lead_channel="",
            bot_channel=None,
            forgotten_at=now,
        )
    )
    connection.execute(delete(s.journal).where(s.journal.c.transfer_id.in_(transfers)))
    _erase_tasks(connection, transfers, now)
    messages = select(s.outbox.c.id).where(s.outbox.c.transfer_id.in_(transfers))
    return _delete_messages(connection, connection.execute(messages).scalars().all())


def _erase_tasks(connection: Connection, transfers: Sequence[str], now: datetime) -> None:
    of = s.task.c
    tasks = connection.execute(select(of.id).where(of.transfer_id.in_(transfers))).scalars().all()
    if not tasks:
        return
    connection.execute(delete(s.task_note).where(s.task_note.c.task_id.in_(tasks)))
    connection.execute(update(s.task_call).where(s.task_call.c.task_id.in_(tasks)).values(who=""))
    connection.execute(update(s.task).where(of.id.in_(tasks)).values(title="", reason="", done_words=""))
    connection.execute(
        update(s.task)
        .where(of.id.in_(tasks), of.state.in_(_UNDONE))
        .values(state="done", done_at=now, done_by="forgotten", done_how=How.BY_HAND.value, escalate_at=None)
    )


def _delete_messages(connection: Connection, ids: Sequence[int]) -> int:
    if ids:
        scrub(connection)
        connection.execute(delete(s.outbox).where(s.outbox.c.id.in_(ids)))
    return len(ids)


def _is_about(row: Any, lead: Any) -> bool:
    told = (lead.phone, lead.email)
    return (
        f'"{lead.id}"' in row.body
        or row.queue.endswith(f":{lead.id}")
        or (lead.phone != "" and row.to == lead.phone)
        or any(fact in row.body for fact in told if fact)
    )


def _replace(connection: Connection, lead_id: str, now: datetime) -> None:
    """Put an empty lead in its place, wherever it is referred to."""
    scrub(connection)
    empty = LeadId(f"{FORGOTTEN}{uuid4()}")
    connection.execute(
        insert(s.lead), {"id": empty, "name": "", "phone": "", "email": "", "source": "", "fields": {}}
    )
    for table in s.metadata.tables.values():
        for key in table.foreign_keys:
            if key.column is s.lead.c.id:
                connection.execute(
                    update(table).where(key.parent == lead_id).values({key.parent.name: empty})
                )
    for table in (s.cadence_enrolment, s.cadence_step):
        planned = or_(table.c.state == "pending", table.c.state == "claimed")
        connection.execute(
            update(table)
            .where(table.c.lead_id == empty, planned)
            .values(state="cancelled", cancelled_at=now, why="forgotten")
        )
    connection.execute(delete(s.lead).where(s.lead.c.id == lead_id))


def scrub(connection: Connection) -> None:
    """What SQLite deletes or shortens is overwritten in the file, not only taken off its lists."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
