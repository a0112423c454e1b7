"""Whose the agents are just now.

A claim is a transfer's, or a hold's, until an instant; past it, it is nobody's, so that a daemon that died
keeps no one. Rows are written in the order of the agents' ids, so that two daemons never wait for each other.
"""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache, partial
from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    Text,
    bindparam,
    column,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect

from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.driven import Driven
from callcontrol.adapters.sql.errors import LostRaceError
from callcontrol.adapters.sql.instants import Instant, stored
from callcontrol.adapters.sql.statements import bound, given
from callcontrol.core.model import AgentId, Bot, Leg, PoolId, TransferId

MARGIN = timedelta(seconds=120)  # the overview, the join, and phones that are slow to let go
CALL_LASTS = timedelta(hours=4)  # at most, for a claim whose end nobody told

_T = s.agent_standing


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """Of one agent, for a transfer that is about to ring them."""

    agent_id: AgentId
    by: TransferId
    at: datetime
    until: datetime
    pool_id: PoolId | None  # the one they are rung for


def claims_of(
    transfer_id: TransferId, bot: Bot, legs: Iterable[Leg], pool_id: PoolId | None, now: datetime
) -> tuple[Claim, ...]:
    """For as long as an agent may be rung, asked, briefed and introduced."""
    until = now + timedelta(seconds=bot.ring_timeout_s + bot.accept_timeout_s + bot.handoff_limit_s) + MARGIN
    agents = dict.fromkeys(leg.agent_id for leg in legs if leg.agent_id is not None)
    return tuple(
        Claim(agent_id=agent_id, by=transfer_id, at=now, until=until, pool_id=pool_id) for agent_id in agents
    )


def claim(connection: Connection, claims: Collection[Claim]) -> set[AgentId]:
    """Whom the transfers got, of agents who are each claimed once: none whom somebody else has by now, and
    none for a transfer that has its outcome.
    """
    if not claims:
        return set()
    rows = _rows(claims, partial(_written, connection.dialect))
    values = {"claims": json.dumps(rows), "transfers": bound({one.by for one in claims})}
    return {row[0] for row in _CLAIM.rows(connection, values)}


def claim_all(connection: Connection, claims: Collection[Claim]) -> None:
    """For a transfer that this transaction opens. Raises LostRaceError where another has one of them by now."""
    rows = _rows(claims, partial(stored, connection.dialect))
    if rows and _TAKE.each(connection, rows) < len(rows):
        raise LostRaceError


def _rows(claims: Iterable[Claim], write: Callable[[datetime], Any]) -> list[dict[str, Any]]:
    return [
        {
            "agent_id": one.agent_id,
            "claimed_by": one.by,
            "claimed_until": write(one.until),
            "claimed_pool_id": one.pool_id,
            "last_rung_at": write(one.at),
        }
        for one in sorted(claims, key=lambda one: one.agent_id)
    ]


def give_back(connection: Connection, transfer_id: TransferId, agents: Collection[AgentId]) -> None:
    if agents:
        given = {"transfer": transfer_id, "agents": bound(agents)}
        connection.execute(_give_back(connection.dialect.name), given)


def hold(
    connection: Connection, hold_id: str, agents: Collection[AgentId], *, now: datetime, until: datetime
) -> Sequence[AgentId]:
    """Those who were free, or held by this hold already."""
    values = {"by": _holder(hold_id), "until": until, "now": now, "agents": bound(agents)}
    held = set(connection.scalars(_hold(connection.dialect.name), values))
    return tuple(agent_id for agent_id in dict.fromkeys(agents) if agent_id in held)


def pass_on(connection: Connection, hold_id: str, transfer_id: TransferId, now: datetime) -> None:
    """What the hold has is the transfer's from now on."""
    connection.execute(_PASS_ON, {"holder": _holder(hold_id), "now": now, "claimed_by": transfer_id})


def _holder(hold_id: str) -> str:
    """So that nobody takes a transfer's agents by giving its id as a hold's."""
    return f"hold:{hold_id}"


def release(connection: Connection, transfer_id: TransferId) -> None:
    _RELEASE.count(connection, {"transfer": transfer_id, "winner": None})


def keep_only(connection: Connection, transfer_id: TransferId, winner: AgentId | None, at: datetime) -> None:
    """The transfer has its outcome: it needs nobody but the winner, and that one while they talk."""
    _RELEASE.count(connection, {"transfer": transfer_id, "winner": winner})
    if winner is not None:
        until = stored(connection.dialect, at + CALL_LASTS)
        _KEEP.count(connection, {"transfer": transfer_id, "winner": winner, "until": until})


@lru_cache(maxsize=256)
def _written(dialect: Dialect, at: datetime) -> Any:
    """An instant in JSON; a transfer's claims have the same."""
    found = stored(dialect, at)
    return found if isinstance(found, int) else str(found)


# --- statements

FREED: dict[str, Any] = {"claimed_by": None, "claimed_until": None, "claimed_pool_id": None}
_PASS_ON = update(_T).where(_T.c.claimed_by == bindparam("holder"), _T.c.claimed_until > bindparam("now"))
_RELEASE = Driven(
    lambda _: (
        update(_T)
        .where(
            _T.c.claimed_by == bindparam("transfer"),
            or_(
                bindparam("winner", type_=Text).is_(None),
                _T.c.agent_id != bindparam("winner", type_=Text),
            ),
        )
        .values({name: null() for name in FREED})
    )
)
_KEEP = Driven(
    lambda _: (
        update(_T)
        .where(_T.c.claimed_by == bindparam("transfer"), _T.c.agent_id == bindparam("winner"))
        .values(claimed_until=bindparam("until", type_=Instant))
    )
)


@cache
def _give_back(dialect: str) -> Any:
    return (
        update(_T)
        .where(_T.c.claimed_by == bindparam("transfer"), _T.c.agent_id.in_(given(dialect, "agents")))
        .values(FREED)
    )


_CLAIMED = ("agent_id", "claimed_by", "claimed_until", "claimed_pool_id", "last_rung_at")


def _claim(dialect: str) -> Any:
    claims = _claims(dialect)
    live = (
        select(s.transfer.c.id)
        .where(s.transfer.c.id.in_(given(dialect, "transfers")), s.transfer.c.outcome.is_(None))
        .with_for_update(read=True)  # an outcome just being written releases what we claim, or is seen
        .subquery()
    )
    rows = (
        select(*(claims.c[name] for name in _CLAIMED))
        .select_from(claims.join(live, live.c.id == claims.c.claimed_by))
        .where(true())  # SQLite takes ON for a join's without WHERE
        .order_by(claims.c.agent_id)
    )
    inserted = _insert(dialect).from_select(_CLAIMED, rows)
    excluded = inserted.excluded
    return _unless_taken(inserted, _CLAIMED, now=excluded.last_rung_at, by=excluded.claimed_by)


_CLAIM = Driven(_claim)


def _take(dialect: str) -> Any:
    inserted = _insert(dialect)
    excluded = inserted.excluded
    return _overwritten(inserted, _CLAIMED, now=excluded.last_rung_at, by=excluded.claimed_by)


_TAKE = Driven(_take, _CLAIMED)


def _claims(dialect: str) -> Any:
    """The rows bound as `claims`, in JSON."""
    if dialect == "sqlite":
        each = func.json_each(bindparam("claims", type_=Text)).table_valued("value")
        paths: dict[str, Any] = {name: literal_column(f"'$.{name}'") for name in _CLAIMED}
        columns = (func.json_extract(each.c.value, path).label(name) for name, path in paths.items())
        return select(*columns).subquery()
    records = func.json_to_recordset(bindparam("claims", type_=Text).cast(JSON))
    typed = records.table_valued(*(column(name, _T.c[name].type) for name in _CLAIMED))
    return typed.render_derived(with_types=True)


@cache
def _hold(dialect: str) -> Any:
    columns = {
        "claimed_by": bindparam("by", type_=Text),
        "claimed_until": bindparam("until", type_=Instant),
    }
    them = given(dialect, "agents").subquery()
    rows = select(them.c[0], *columns.values()).where(true())
    inserted = _insert(dialect).from_select(["agent_id", *columns], rows)
    return _unless_taken(inserted, columns, now=bindparam("now", type_=Instant), by=columns["claimed_by"])


def _unless_taken(inserted: Any, columns: Iterable[str], *, now: Any, by: Any) -> Any:
    """The agents of those it wrote."""
    return _overwritten(inserted, columns, now=now, by=by).returning(_T.c.agent_id)


def _overwritten(inserted: Any, columns: Iterable[str], *, now: Any, by: Any) -> Any:
    """Insert or overwrite, but none that somebody else has."""
    return inserted.on_conflict_do_update(
        index_elements=["agent_id"],
        set_={name: inserted.excluded[name] for name in columns},
        where=or_(_T.c.claimed_by.is_(None), _T.c.claimed_until <= now, _T.c.claimed_by == by),
    )


def _insert(dialect: str) -> Any:
    return sqlite.insert(_T) if dialect == "sqlite" else postgresql.insert(_T)
