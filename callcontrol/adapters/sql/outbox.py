"""Texts that wait to be sent. One number gets its texts one after the other, in order."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, Connection, Integer, bindparam, exists, select, update

from callcontrol.adapters.sql import schema as s
from callcontrol.core.model import TransferId
from callcontrol.ports import Text, TextStatus

# Written into the statement, not bound: else no database sees that the partial indexes fit.
_UNSENT: BindParameter[Any] = bindparam("unsent", ("queued", "claimed"), expanding=True, literal_execute=True)
_earlier = s.outbox.alias("earlier")

# A text whose lease ran out is due again: whoever had it is gone.
_DUE = (
    select(s.outbox)
    .where(
        s.outbox.c.state.in_(_UNSENT),
        s.outbox.c.next_at <= bindparam("now"),
        ~exists().where(
            _earlier.c.to == s.outbox.c.to,
            _earlier.c.id < s.outbox.c.id,
            _earlier.c.state.in_(_UNSENT),
        ),
    )
    .order_by(s.outbox.c.id)
    .limit(bindparam("at_most", type_=Integer))
    .with_for_update(of=s.outbox, skip_locked=True)
)
_CLAIM = update(s.outbox).where(s.outbox.c.id == bindparam("text"))
_SENT = update(s.outbox).where(s.outbox.c.id == bindparam("text"), s.outbox.c.state != "sent")
_FAILED = update(s.outbox).where(
    s.outbox.c.id == bindparam("text"),
    s.outbox.c.state == "claimed",
    s.outbox.c.attempts == bindparam("attempt"),
)


_OF_TRANSFER = select(s.outbox).where(s.outbox.c.transfer_id == bindparam("transfer")).order_by(s.outbox.c.id)


def of_transfer(connection: Connection, transfer_id: TransferId) -> tuple[TextStatus, ...]:
    return tuple(
        TextStatus(
            to=row.to,
            body=row.body,
            state=row.state,
            attempts=row.attempts,
            sent_at=row.sent_at,
            last_error=row.last_error,
        )
        for row in connection.execute(_OF_TRANSFER, {"transfer": transfer_id})
    )


def claim(connection: Connection, limit: int, now: datetime, lease_s: float) -> Sequence[Text]:
    """Texts now the caller's for `lease_s`; `attempts` counts this one."""
    rows = connection.execute(_DUE, {"now": now, "at_most": limit}).all()
    until = now + timedelta(seconds=lease_s)
    if rows:
        connection.execute(
            _CLAIM,
            [
                {
                    "text": row.id,
                    "state": "claimed",
                    "attempts": row.attempts + 1,
                    "next_at": until,
                    "lease_until": until,
                }
                for row in rows
            ],
        )
    return tuple(_claimed(row) for row in rows)


def sent(connection: Connection, text: Text, now: datetime) -> None:
    """True whoever holds the lease by now."""
    connection.execute(_SENT, {"text": text.id, "state": "sent", "sent_at": now, "lease_until": None})


def failed(connection: Connection, text: Text, now: datetime, why: str, retry_in_s: float | None) -> None:
    """Says nothing where the lease has run out and the text is another claimer's."""
    connection.execute(
        _FAILED,
        {
            "text": text.id,
            "attempt": text.attempts,
            "state": "parked" if retry_in_s is None else "queued",
            "next_at": now + timedelta(seconds=retry_in_s or 0),
            "lease_until": None,
            "last_error": why,
        },
    )


def _claimed(row: Any) -> Text:
    return Text(
        id=row.id,
        dedupe_key=row.dedupe_key,
        transfer_id=TransferId(row.transfer_id),
        to=row.to,
        body=row.body,
        attempts=row.attempts + 1,
    )
