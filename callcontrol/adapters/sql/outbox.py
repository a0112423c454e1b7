"""Messages that wait to be sent. Those of one queue go one after the other, in order."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    String,
    bindparam,
    exists,
    or_,
    select,
    update,
)
from sqlalchemy import literal_column as lit

from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.statements import insert_once
from callcontrol.core.model import AgentId, TransferId
from callcontrol.ports import Claim, Message, MessageKind, NewMessage, Setback

ENDED = "callcontrol ended while it was being sent"
NO_MORE = "its gateway is not in the configuration any more"
NO_GATEWAY = "no gateway of the configuration is for it"
_AT_ONE_GO = 500  # routed in one transaction

# Written into the statement, not bound: else no database sees that the partial indexes fit.
_UNSENT: BindParameter[Any] = bindparam("unsent", ("queued", "claimed"), expanding=True, literal_execute=True)
_QUEUED: ColumnElement[str] = lit("'queued'")
_CLAIMED: ColumnElement[str] = lit("'claimed'")
_earlier = s.outbox.alias("earlier")
_DUE = s.outbox.c.next_at <= bindparam("now")

# One that is put off until later holds up no other; one that waits for another attempt does.
_FIRST_OF_ITS_QUEUE = ~exists().where(
    _earlier.c.queue == s.outbox.c.queue,
    _earlier.c.id < s.outbox.c.id,
    _earlier.c.state.in_(_UNSENT),
    or_(_earlier.c.attempts > 0, _earlier.c.next_at <= bindparam("now")),
)


def _some(*conditions: Any) -> Any:
    found = select(s.outbox).where(*conditions).order_by(s.outbox.c.id)
    return found.limit(bindparam("at_most", type_=Integer))


def _locked(found: Any) -> Any:
    return found.with_for_update(of=s.outbox, skip_locked=True)


_UNROUTED = _some(s.outbox.c.state == _QUEUED, s.outbox.c.via.is_(None), _DUE)
_READY = _some(
    s.outbox.c.state == _QUEUED, s.outbox.c.via == bindparam("lane", type_=String), _DUE, _FIRST_OF_ITS_QUEUE
)
_LEFT = _some(s.outbox.c.state == _CLAIMED, _DUE, s.outbox.c.id.not_in(bindparam("holding", expanding=True)))
_ROUTE = _locked(_UNROUTED)
_TAKE = _locked(_READY.where(s.outbox.c.id.in_(bindparam("seen", expanding=True))))
_TAKE_UP = _locked(_LEFT)
_CHANGE = update(s.outbox).where(s.outbox.c.id == bindparam("message"))
_SENT = _CHANGE.where(s.outbox.c.state != "sent")
_FAILED = _CHANGE.where(s.outbox.c.state == "claimed", s.outbox.c.attempts == bindparam("attempt"))
_WAITING = (
    select(s.outbox.c.id)
    .where(s.outbox.c.state == _QUEUED, s.outbox.c.via.is_not(None), ~s.outbox.c.doubtful)
    .order_by(s.outbox.c.id)
)
_REROUTE = update(s.outbox).where(
    s.outbox.c.id.in_(bindparam("ids", expanding=True)), s.outbox.c.state == _QUEUED
)

_ORPHANS = update(s.outbox).where(
    s.outbox.c.state == _QUEUED,
    s.outbox.c.doubtful,
    s.outbox.c.via.not_in(bindparam("known", expanding=True)),
)


def enqueue(connection: Connection, messages: Sequence[NewMessage], at: datetime) -> None:
    """Part of the caller's transaction. A message whose key is there already is left as it is."""
    if messages:
        rows = [_new(message, at) for message in messages]
        connection.execute(insert_once(connection.dialect.name, s.outbox), rows)


def look(
    connection: Connection, room: Mapping[str, int], now: datetime, holding: Collection[int]
) -> tuple[int, ...]:
    """What might be claimed, so that the search for it holds no lock."""
    values = {"now": now, "at_most": _AT_ONE_GO}
    seen = [row.id for row in connection.execute(_UNROUTED, values)]
    for lane, places in room.items():
        ready = connection.execute(_READY, {"lane": lane, "now": now, "at_most": places})
        seen += [row.id for row in ready]
    seen += [row.id for row in connection.execute(_LEFT, {**values, "holding": list(holding)})]
    return tuple(seen)


def claim(
    connection: Connection,
    seen: Collection[int],
    route: Callable[[Message], str | None],
    room: Mapping[str, int],
    now: datetime,
    *,
    lease_s: float,
    resends: Collection[str],
    holding: Collection[int],
) -> Claim:
    """Of those that were seen, what is still to be had; see the port."""
    parked = [*_take_up(connection, now, resends, holding), *_route(connection, route, now)]
    until = now + timedelta(seconds=lease_s)
    rows = [
        row
        for lane, places in room.items()
        if places > 0
        for row in connection.execute(
            _TAKE, {"lane": lane, "now": now, "at_most": places, "seen": list(seen)}
        )
    ]
    _change(
        connection,
        rows,
        lambda row: {
            "state": "claimed",
            "attempts": row.attempts + 1,
            "next_at": until,
            "lease_until": until,
        },
    )
    return Claim(messages=tuple(_message(row, row.attempts + 1) for row in rows), parked=tuple(parked))


def _take_up(
    connection: Connection, now: datetime, resends: Collection[str], holding: Collection[int]
) -> list[tuple[Message, str]]:
    """Messages whose claimer is gone: through the same gateway again where it resends, parked otherwise."""
    values = {"now": now, "at_most": _AT_ONE_GO, "holding": list(holding)}
    rows = connection.execute(_TAKE_UP, values).all()
    why = f"may have been sent: {ENDED}"
    _change(
        connection,
        rows,
        lambda row: {
            "state": "queued" if row.via in resends else "parked",
            "doubtful": True,
            "lease_until": None,
            "last_error": why,
        },
    )
    return [(_message(row, row.attempts), why) for row in rows if row.via not in resends]


def _route(
    connection: Connection, route: Callable[[Message], str | None], now: datetime
) -> list[tuple[Message, str]]:
    rows = connection.execute(_ROUTE, {"now": now, "at_most": _AT_ONE_GO}).all()
    chosen = {row.id: route(_message(row, row.attempts)) for row in rows}
    routed = [row for row in rows if chosen[row.id] is not None]
    stranded = [row for row in rows if chosen[row.id] is None]
    _change(connection, routed, lambda row: {"via": chosen[row.id]})
    _change(connection, stranded, lambda _: {"state": "parked", "last_error": NO_GATEWAY})
    return [(_message(row, row.attempts), NO_GATEWAY) for row in stranded]


def sent(connection: Connection, message: Message, now: datetime, provider_id: str) -> None:
    """True whoever holds the lease by now."""
    values = {
        "state": "sent",
        "doubtful": False,
        "via": message.via,
        "sent_at": now,
        "lease_until": None,
        "provider_id": provider_id or None,
    }
    connection.execute(_SENT, {"message": message.id, **values})


def failed(connection: Connection, message: Message, now: datetime, setback: Setback) -> None:
    """Says nothing where the lease has run out and the message is another claimer's."""
    parked = setback.retry_in_s is None
    values = {
        "state": "parked" if parked else "queued",
        "next_at": now + timedelta(seconds=setback.retry_in_s or 0),
        "lease_until": None,
        "last_error": setback.why,
        "via": message.via if parked else setback.via,
        "refused_by": ",".join(setback.refused_by),
        "doubtful": setback.doubtful,
    }
    connection.execute(_FAILED, {"message": message.id, "attempt": message.attempts, **values})


def waiting(connection: Connection, gateway: str | None) -> Sequence[int]:
    """What would be sent through that gateway, or any; but for what may have been sent through it before."""
    of = _WAITING if gateway is None else _WAITING.where(s.outbox.c.via == gateway)
    return connection.execute(of).scalars().all()


def reroute(connection: Connection, ids: Sequence[int]) -> None:
    connection.execute(_REROUTE, {"ids": ids, "via": None})


def park_orphans(connection: Connection, known: Collection[str]) -> int:
    parked = {"state": "parked", "last_error": f"may have been sent: {NO_MORE}"}
    return connection.execute(_ORPHANS, {"known": list(known), **parked}).rowcount


def _change(connection: Connection, rows: Sequence[Any], values: Callable[[Any], dict[str, Any]]) -> None:
    if rows:
        connection.execute(_CHANGE, [{"message": row.id, **values(row)} for row in rows])


def _new(message: NewMessage, at: datetime) -> dict[str, Any]:
    return {
        "dedupe_key": message.dedupe_key,
        "kind": message.kind,
        "transfer_id": message.transfer_id,
        "recipient": message.recipient,
        "agent_id": message.agent_id,
        "to": message.to,
        "queue": message.queue or message.to,
        "body": message.body,
        "gateway": message.gateway,
        "state": "queued",
        "attempts": 0,
        "next_at": message.not_before or at,
        "last_error": "",
        "created_at": at,
    }


def _message(row: Any, attempts: int) -> Message:
    return Message(
        id=row.id,
        dedupe_key=row.dedupe_key,
        kind=MessageKind(row.kind),
        transfer_id=None if row.transfer_id is None else TransferId(row.transfer_id),
        agent_id=None if row.agent_id is None else AgentId(row.agent_id),
        recipient=row.recipient,
        to=row.to,
        body=row.body,
        gateway=row.gateway,
        via=row.via or "",
        refused_by=tuple(name for name in row.refused_by.split(",") if name),
        doubtful=row.doubtful,
        attempts=attempts,
    )
