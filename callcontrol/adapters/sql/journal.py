"""The journal of a transfer, and its legs."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, select

from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.codec import decode, encode
from callcontrol.adapters.sql.driven import Driven
from callcontrol.adapters.sql.instants import at, instant, stored
from callcontrol.adapters.sql.statements import insert_once, upsert
from callcontrol.core.events import AttemptResolved
from callcontrol.core.model import (
    AcceptBy,
    AgentId,
    ChannelId,
    Endpoint,
    EndpointKind,
    Leg,
    LegFate,
    LegRecord,
    PoolId,
    StepKind,
    TransferId,
)
from callcontrol.core.tuning import rings_of
from callcontrol.ports import Entry, StoreError

_COLUMNS = (
    s.journal.c.transfer_id,
    s.journal.c.seq,
    s.journal.c.at,
    s.journal.c.type,
    s.journal.c.payload,
)
_OF_THE_OUTCOME = frozenset({"bot_id", "requested_at"})  # see past: a later turn leaves them
_OF = select(*_COLUMNS).where(s.journal.c.transfer_id == bindparam("sought")).order_by(s.journal.c.seq)
_RESOLVED = select(s.journal.c.payload).where(
    s.journal.c.transfer_id == bindparam("sought"), s.journal.c.type == AttemptResolved.__name__
)
_OF_UNCLOSED = (
    select(*_COLUMNS)
    .join(s.transfer, s.transfer.c.id == s.journal.c.transfer_id)
    .where(s.transfer.c.closed_at.is_(None))
    .order_by(s.journal.c.transfer_id, s.journal.c.seq)
)
_APPEND = Driven(lambda dialect: insert_once(dialect, s.journal), [column.name for column in _COLUMNS])
_PUT_LEG = Driven(
    lambda dialect: upsert(dialect, s.leg, _OF_THE_OUTCOME),
    [column.name for column in s.leg.columns if column.name not in _OF_THE_OUTCOME],
)


class _LegRow(NamedTuple):
    id: str
    agent_id: str | None
    label: str
    kind: str
    address: str
    accept_by: str
    attempt: int
    step: str
    dialled_at: Any
    ringing_at: Any
    answered_at: Any
    accepted_at: Any
    joined_at: Any
    ended_at: Any
    fate: str | None
    cause: str
    pool_id: str | None


_LEGS_OF = Driven(
    lambda _: (
        select(*(s.leg.c[name] for name in _LegRow._fields))
        .where(s.leg.c.transfer_id == bindparam("sought"))
        .order_by(s.leg.c.attempt, s.leg.c.dialled_at, s.leg.c.id)
    )
)


def append(connection: Connection, transfer_id: TransferId, entries: Sequence[Entry]) -> bool:
    """False where every entry was there already.

    Raises StoreError where another entry has its place: two daemons run one transfer, or a bug.
    """
    if not entries:
        return True
    added = put(connection, rows_of(connection, transfer_id, entries))
    if added == len(entries):
        return True
    there = {entry.seq: entry for entry in entries_of(connection, transfer_id)}
    for entry in entries:
        if there[entry.seq] != entry:
            raise StoreError(
                f"transfer {transfer_id} already has another entry {entry.seq} in its journal",
                retryable=False,
            )
    return added > 0


def rows_of(
    connection: Connection, transfer_id: TransferId, entries: Iterable[Entry]
) -> Sequence[dict[str, Any]]:
    """The entries as the database has them."""
    return [_values(connection, transfer_id, entry) for entry in entries]


def put(connection: Connection, rows: Sequence[dict[str, Any]]) -> int:
    """How many of the rows were not there yet."""
    return _APPEND.each(connection, rows)


def entries_of(connection: Connection, transfer_id: TransferId) -> tuple[Entry, ...]:
    return tuple(_entry(row) for row in connection.execute(_OF, {"sought": transfer_id}))


def of_unclosed(connection: Connection) -> Mapping[str, tuple[Entry, ...]]:
    found: defaultdict[str, list[Entry]] = defaultdict(list)
    for row in connection.execute(_OF_UNCLOSED):
        found[row.transfer_id].append(_entry(row))
    return defaultdict(tuple, {key: tuple(entries) for key, entries in found.items()})


def resolved(connection: Connection, transfer_id: TransferId) -> tuple[AttemptResolved, ...]:
    """Whom each attempt considered."""
    payloads = connection.execute(_RESOLVED, {"sought": transfer_id}).scalars()
    events = [decode(AttemptResolved.__name__, payload) for payload in payloads]
    return tuple(event for event in events if isinstance(event, AttemptResolved))


def put_legs(connection: Connection, transfer_id: TransferId, legs: Iterable[LegRecord]) -> None:
    rows = [_leg_values(connection, transfer_id, record) for record in legs]
    if rows:
        _PUT_LEG.each(connection, rows)


def legs_of(connection: Connection, transfer_id: TransferId) -> tuple[LegRecord, ...]:
    return tuple(_leg_record(_LegRow(*row)) for row in _LEGS_OF.rows(connection, {"sought": transfer_id}))


def _values(connection: Connection, transfer_id: TransferId, entry: Entry) -> dict[str, Any]:
    kind, payload = encode(entry.event)
    return {
        "transfer_id": transfer_id,
        "seq": entry.seq,
        "at": stored(connection.dialect, entry.at),
        "type": kind,
        "payload": payload,
    }


def _entry(row: Any) -> Entry:
    return Entry(seq=row.seq, at=row.at, event=decode(row.type, row.payload))


def _leg_values(connection: Connection, transfer_id: TransferId, record: LegRecord) -> dict[str, Any]:
    leg, ended = record.leg, rings_of(record)
    return {
        "id": leg.id,
        "transfer_id": transfer_id,
        "agent_id": leg.agent_id,
        "label": leg.label,
        "kind": leg.endpoint.kind,
        "address": leg.endpoint.address,
        "accept_by": leg.endpoint.accept_by,
        "attempt": record.attempt,
        "step": record.step,
        "dialled_at": stored(connection.dialect, record.dialled_at),
        "ringing_at": stored(connection.dialect, record.ringing_at),
        "answered_at": stored(connection.dialect, record.answered_at),
        "accepted_at": stored(connection.dialect, record.accepted_at),
        "joined_at": stored(connection.dialect, record.joined_at),
        "ended_at": stored(connection.dialect, record.ended_at),
        "fate": record.fate,
        "cause": record.cause,
        "pool_id": record.pool_id,
        "ending": ended and ended.end,
        "rang_s": ended and ended.second,
    }


def _leg_record(row: _LegRow) -> LegRecord:
    return LegRecord(
        leg=_leg_of(row),
        attempt=row.attempt,
        step=StepKind(row.step),
        dialled_at=at(row.dialled_at),
        ringing_at=instant(row.ringing_at),
        answered_at=instant(row.answered_at),
        accepted_at=instant(row.accepted_at),
        joined_at=instant(row.joined_at),
        ended_at=instant(row.ended_at),
        fate=None if row.fate is None else LegFate(row.fate),
        cause=row.cause,
        pool_id=None if row.pool_id is None else PoolId(row.pool_id),
    )


def _leg_of(row: _LegRow) -> Leg:
    return Leg(
        id=ChannelId(row.id),
        agent_id=None if row.agent_id is None else AgentId(row.agent_id),
        label=row.label,
        endpoint=Endpoint(
            kind=EndpointKind(row.kind), address=row.address, accept_by=AcceptBy(row.accept_by)
        ),
    )
