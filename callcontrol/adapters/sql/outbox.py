"""Messages that wait to be sent. Those of one queue go one after the other, in order."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    String,
    bindparam,
    exists,
    false,
    null,
    or_,
    select,
    update,
)
from sqlalchemy import literal_column as lit

from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.driven import Driven
from callcontrol.adapters.sql.instants import stored
from callcontrol.adapters.sql.statements import bound, given_ids, insert_once
from callcontrol.core.model import AgentId, TransferId
from callcontrol.ports import Claim, Late, Message, MessageKind, NewMessage, Setback

ENDED = "callcontrol ended while it was being sent"
NO_MORE = "its gateway is not in the configuration any more"
NO_GATEWAY = "no gateway of the configuration is for it"
_AT_ONE_GO = 500  # routed in one transaction
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class _Row(NamedTuple):
    """Of a message, what a claimer needs."""

    id: int
    dedupe_key: str
    kind: str
    transfer_id: str | None
    agent_id: str | None
    recipient: str
    to: str
    body: str
    gateway: str | None
    via: str | None
    refused_by: str
    doubtful: bool
    attempts: int


_o = s.outbox.c
_earlier = s.outbox.alias("earlier")
# Written into the statement, not bound: else no database sees that the partial indexes fit.
_QUEUED: ColumnElement[str] = lit("'queued'")
_CLAIMED: ColumnElement[str] = lit("'claimed'")
_DUE = _o.next_at <= bindparam("now")

# One that is put off until later holds up no other; one that waits for another attempt does.
_FIRST_OF_ITS_QUEUE = ~exists().where(
    _earlier.c.queue == _o.queue,
    _earlier.c.id < _o.id,
    _earlier.c.state.in_([_QUEUED, _CLAIMED]),
    or_(_earlier.c.attempts > lit("0"), _earlier.c.next_at <= bindparam("now")),
)


def _some(*conditions: ColumnElement[bool]) -> Select[Any]:
    found = select(*(_o[name] for name in _Row._fields)).where(*conditions).order_by(_o.id)
    return found.limit(bindparam("at_most", type_=Integer)).offset(lit("0"))


def _locked(found: Select[Any]) -> Select[Any]:
    return found.with_for_update(of=s.outbox, skip_locked=True)


def _left(dialect: str) -> Select[Any]:
    return _some(_o.state == _CLAIMED, _DUE, _o.id.not_in(given_ids(dialect, "holding")))


def _ready(age: ColumnElement[bool]) -> Select[Any]:
    its_lane = _o.via == bindparam("lane", type_=String)
    return _some(_o.state == _QUEUED, its_lane, _DUE, age, _FIRST_OF_ITS_QUEUE)


def _of_the_seen(found: Select[Any]) -> Driven:
    return Driven(lambda dialect: _locked(found.where(_o.id.in_(given_ids(dialect, "seen")))))


_UNROUTED = _some(_o.state == _QUEUED, _o.via.is_(None), _DUE)
_FRESH = _ready(_o.next_at > bindparam("late"))
_LATE = _ready(_o.next_at <= bindparam("late"))
_SEE_UNROUTED, _ROUTE = Driven(lambda _: _UNROUTED), Driven(lambda _: _locked(_UNROUTED))
_SEE_LEFT, _TAKE_UP = Driven(_left), Driven(lambda dialect: _locked(_left(dialect)))
_SEE_FRESH, _TAKE_FRESH = Driven(lambda _: _FRESH), _of_the_seen(_FRESH)
_SEE_LATE, _TAKE_LATE = Driven(lambda _: _LATE), _of_the_seen(_LATE)
_CLAIM = Driven(
    lambda dialect: (
        update(s.outbox)
        .where(_o.id.in_(given_ids(dialect, "ids")))
        .values(
            state=_CLAIMED,
            attempts=_o.attempts + lit("1"),
            next_at=bindparam("until"),
            lease_until=bindparam("until"),
        )
    )
)
_SEND_BY = Driven(
    lambda dialect: update(s.outbox).where(_o.id.in_(given_ids(dialect, "ids"))).values(via=bindparam("lane"))
)
_SENT = Driven(
    lambda _: (
        update(s.outbox)
        .where(_o.id == bindparam("message"), _o.state != lit("'sent'"))
        .values(
            state=lit("'sent'"),
            doubtful=false(),
            via=bindparam("lane"),
            sent_at=bindparam("at"),
            lease_until=null(),
            provider_id=bindparam("provider"),
        )
    )
)
_CHANGE = update(s.outbox).where(_o.id == bindparam("message"))
_FAILED = _CHANGE.where(_o.state == "claimed", _o.attempts == bindparam("attempt"))
_WAITING = select(_o.id).where(_o.state == _QUEUED, _o.via.is_not(None), ~_o.doubtful).order_by(_o.id)
_REROUTE = update(s.outbox).where(_o.id.in_(bindparam("ids", expanding=True)), _o.state == _QUEUED)
_ORPHANS = update(s.outbox).where(
    _o.state == _QUEUED, _o.doubtful, _o.via.not_in(bindparam("known", expanding=True))
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """How much each gateway may be given, and what the claimer holds already."""

    room: Mapping[str, int]
    late: Late | None
    now: datetime
    holding: Collection[int]

    def due(self, connection: Connection) -> dict[str, Any]:
        return {"now": stored(connection.dialect, self.now), "at_most": _AT_ONE_GO}

    def left(self, connection: Connection) -> dict[str, Any]:
        return {**self.due(connection), "holding": bound(self.holding)}

    def ready(
        self, connection: Connection, fresh: Driven, late: Driven, **given: Any
    ) -> Iterator[tuple[_Row, bool]]:
        """And whether it has waited: of those only what finds room when the fresh ones have theirs."""
        waited = self.late or Late(due_before=_NEVER, room={})
        given |= self.due(connection) | {"late": stored(connection.dialect, waited.due_before)}
        for lane, places in self.room.items():
            given["lane"], given["at_most"] = lane, places
            rows = fresh.rows(connection, given) if places > 0 else ()
            yield from ((_Row(*row), False) for row in rows)
            given["at_most"] = min(places - len(rows), waited.room.get(lane, 0))
            if given["at_most"] > 0:
                yield from ((_Row(*row), True) for row in late.rows(connection, given))


def enqueue(connection: Connection, messages: Sequence[NewMessage], at: datetime) -> None:
    """Part of the caller's transaction. A message whose key is there already is left as it is."""
    if messages:
        rows = [_new(message, at) for message in messages]
        connection.execute(insert_once(connection.dialect.name, s.outbox), rows)


def look(connection: Connection, wanted: Wanted) -> tuple[int, ...]:
    """What might be claimed, so that the search for it holds no lock."""
    seen = [row[0] for row in _SEE_UNROUTED.rows(connection, wanted.due(connection))]
    seen += [row.id for row, _ in wanted.ready(connection, _SEE_FRESH, _SEE_LATE)]
    seen += [row[0] for row in _SEE_LEFT.rows(connection, wanted.left(connection))]
    return tuple(seen)


def claim(
    connection: Connection,
    seen: Collection[int],
    route: Callable[[Message], str | None],
    wanted: Wanted,
    *,
    lease_s: float,
    resends: Collection[str],
) -> Claim:
    """Of those that were seen, what is still to be had; see the port."""
    parked = [*_take_up(connection, wanted, resends), *_route(connection, wanted, route)]
    rows = tuple(wanted.ready(connection, _TAKE_FRESH, _TAKE_LATE, seen=bound(seen)))
    if rows:
        until = stored(connection.dialect, wanted.now + timedelta(seconds=lease_s))
        _CLAIM.count(connection, {"ids": bound(row.id for row, _ in rows), "until": until})
    claimed = tuple(_message(row, row.attempts + 1, late=late) for row, late in rows)
    return Claim(messages=claimed, parked=tuple(parked))


def _take_up(connection: Connection, wanted: Wanted, resends: Collection[str]) -> list[tuple[Message, str]]:
    """Messages whose claimer is gone: through the same gateway again where it resends, parked otherwise."""
    rows = [_Row(*row) for row in _TAKE_UP.rows(connection, wanted.left(connection))]
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
    connection: Connection, wanted: Wanted, route: Callable[[Message], str | None]
) -> list[tuple[Message, str]]:
    chosen: defaultdict[str | None, list[_Row]] = defaultdict(list)
    for row in _ROUTE.rows(connection, wanted.due(connection)):
        one = _Row(*row)
        chosen[route(_message(one, one.attempts))].append(one)
    stranded = chosen.pop(None, [])
    _change(connection, stranded, lambda _: {"state": "parked", "last_error": NO_GATEWAY})
    for lane, rows in chosen.items():
        _SEND_BY.count(connection, {"ids": bound(row.id for row in rows), "lane": lane})
    return [(_message(row, row.attempts), NO_GATEWAY) for row in stranded]


def sent(connection: Connection, message: Message, now: datetime, provider_id: str) -> None:
    """True whoever holds the lease by now."""
    at = stored(connection.dialect, now)
    given = {"message": message.id, "lane": message.via, "at": at, "provider": provider_id or None}
    _SENT.count(connection, given)


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


def _change(connection: Connection, rows: Sequence[_Row], values: Callable[[_Row], dict[str, Any]]) -> None:
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


def _message(row: _Row, attempts: int, *, late: bool = False) -> Message:
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
        doubtful=bool(row.doubtful),
        attempts=attempts,
        late=late,
    )
