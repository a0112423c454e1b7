"""The outbox as a person, or a gateway's delivery report, sees it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, select, update

from callcontrol.adapters.sql import schema as s
from callcontrol.core.model import TransferId
from callcontrol.ports import Delivery, DeliveryReport, MessageKind, MessageState, MessageStatus, Which

_STUCK = ("parked", "queued")
_CHANGE = update(s.outbox).where(
    s.outbox.c.id.in_(bindparam("ids", expanding=True)), s.outbox.c.state.in_(_STUCK)
)
_ENDS = (Delivery.DELIVERED, Delivery.UNDELIVERED)


def newest(connection: Connection, which: Which, limit: int) -> Sequence[MessageStatus]:
    found = select(s.outbox).where(*_conditions(which)).order_by(s.outbox.c.id.desc()).limit(limit)
    return tuple(_status(row) for row in connection.execute(found))


def stuck(connection: Connection, which: Which) -> Sequence[int]:
    """Those that a person may still do something about."""
    found = select(s.outbox.c.id).where(*_conditions(which), s.outbox.c.state.in_(_STUCK))
    return connection.execute(found.order_by(s.outbox.c.id)).scalars().all()


def retry(connection: Connection, ids: Sequence[int], now: datetime) -> int:
    """As if they were new: every gateway may be tried again."""
    again = {
        "state": "queued",
        "attempts": 0,
        "next_at": now,
        "via": None,
        "refused_by": "",
        "doubtful": False,
    }
    return connection.execute(_CHANGE, {"ids": ids, **again}).rowcount


def discard(connection: Connection, ids: Sequence[int]) -> int:
    return connection.execute(_CHANGE, {"ids": ids, "state": "discarded"}).rowcount


def report(connection: Connection, given: DeliveryReport, now: datetime) -> bool:
    """A report on a message that may have been sent is the proof that it was."""
    one = (
        s.outbox.c.id == given.message_id
        if given.message_id is not None
        else s.outbox.c.provider_id == given.provider_id
    )
    found = select(s.outbox).where(one, s.outbox.c.via == given.gateway).with_for_update()
    row = connection.execute(found).first()
    if row is None:
        return False
    if row.delivery in _ENDS:
        return True
    values: dict[str, Any] = {
        "delivery": given.delivery,
        "delivery_at": now,
        "delivery_detail": given.detail,
        "provider_id": row.provider_id or given.provider_id or None,
    }
    if row.state == "parked" and row.doubtful:
        values |= {"state": "sent", "doubtful": False, "sent_at": now}
    connection.execute(update(s.outbox).where(s.outbox.c.id == row.id).values(**values))
    return True


def _conditions(which: Which) -> list[ColumnElement[bool]]:
    given: list[ColumnElement[bool]] = []
    if which.ids:
        given.append(s.outbox.c.id.in_(which.ids))
    if which.states:
        given.append(s.outbox.c.state.in_(which.states))
    for column, value in (
        (s.outbox.c.via, which.gateway),
        (s.outbox.c.kind, which.kind),
        (s.outbox.c.to, which.to),
        (s.outbox.c.transfer_id, which.transfer_id),
        (s.outbox.c.doubtful, which.doubtful),
    ):
        if value is not None:
            given.append(column == value)
    return given


def _status(row: Any) -> MessageStatus:
    return MessageStatus(
        id=row.id,
        kind=MessageKind(row.kind),
        transfer_id=None if row.transfer_id is None else TransferId(row.transfer_id),
        recipient=row.recipient,
        to=row.to,
        body=row.body,
        state=MessageState(row.state),
        doubtful=row.doubtful,
        gateway=row.via or row.gateway or "",
        attempts=row.attempts,
        created_at=row.created_at,
        next_at=row.next_at,
        sent_at=row.sent_at,
        last_error=row.last_error,
        provider_id=row.provider_id or "",
        delivery=None if row.delivery is None else Delivery(row.delivery),
        delivery_at=row.delivery_at,
        delivery_detail=row.delivery_detail,
    )
