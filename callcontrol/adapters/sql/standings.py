"""What has lately become of the agents, and whose they are just now.

A claim is a transfer's, or a hold's, until an instant; past it, it is nobody's, so that a daemon that died
keeps no one. Rows are written in the order of the agents' ids, so that two daemons never wait for each other.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    Connection,
    Select,
    Text,
    bindparam,
    delete,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.directory import Known
from callcontrol.adapters.sql.driven import Driven, instant, stored
from callcontrol.adapters.sql.errors import LostRaceError
from callcontrol.adapters.sql.instants import Instant
from callcontrol.adapters.sql.statements import insert_once, upsert
from callcontrol.core.model import Agent, AgentId, Bot, PoolId, Standing, TransferId
from callcontrol.core.standing import Became, StandingChange

CLAIM_MARGIN = timedelta(seconds=120)  # the overview, the join, and phones that are slow to let go
CALL_LASTS = timedelta(hours=4)  # at most, for a claim whose end nobody told
COME_BACK = "*50"  # the feature code; see dialplan/README.md

_T = s.agent_standing
_NONE = Standing()


def claimed_for(bot: Bot) -> timedelta:
    """How long an agent may be rung, asked, briefed and introduced."""
    return timedelta(seconds=bot.ring_timeout_s + bot.accept_timeout_s + bot.handoff_limit_s) + CLAIM_MARGIN


# --- as of now


def of_agents(connection: Connection, agents: Collection[Agent], now: datetime) -> Mapping[AgentId, Standing]:
    """Those of the agents who have one."""
    if not agents:
        return {}
    zones = {agent.id: agent.zone for agent in agents}
    rows = _STANDING.rows(connection, {"agents": keys(connection, agents)})
    return {row[0]: standing(row, zones[row[0]], now) for row in rows}


@cache
def _of_agents(dialect: str) -> Select[Any]:
    return select(_T).where(_T.c.agent_id.in_(given(dialect)))


COLUMNS = (
    _T.c.agent_id,
    _T.c.strikes,
    _T.c.resting_until,
    _T.c.resting_why,
    _T.c.wrapping_until,
    _T.c.claimed_by,
    _T.c.claimed_until,
    _T.c.idle_since,
    _T.c.last_rung_at,
    _T.c.talks_today,
    _T.c.talks_on,
)
_STANDING = Driven(lambda dialect: select(*COLUMNS).where(_T.c.agent_id.in_(given(dialect))))


def standing(row: Sequence[Any], zone: tzinfo, now: datetime) -> Standing:
    """From a row of `COLUMNS`, as the driver gives it."""
    _, strikes, resting, why, wrapping, claimed_by, claimed, idle, rung, talks, talks_on = row
    resting_until, wrapping_until, claimed_until = instant(resting), instant(wrapping), instant(claimed)
    rests = resting_until is not None and resting_until > now
    wraps = wrapping_until is not None and wrapping_until > now
    is_claimed = claimed_until is not None and claimed_until > now
    today = talks and str(talks_on) == str(now.astimezone(zone).date())
    return Standing(
        strikes=strikes,
        resting_until=resting_until if rests else None,
        resting_why=why if rests else "",
        wrapping_until=wrapping_until if wraps else None,
        claimed_by=TransferId(claimed_by) if is_claimed else None,
        idle_since=instant(idle),
        last_rung_at=instant(rung),
        transfers_today=talks if today else 0,
    )


# --- claims


def claim(
    connection: Connection,
    transfer_id: TransferId,
    agents: Collection[AgentId],
    *,
    now: datetime,
    until: datetime,
    pool_id: PoolId | None,
    mine: Iterable[AgentId] = (),
) -> None:
    """All of them, or none but those who are the transfer's already (`mine`).

    Raises LostRaceError where another transfer has one by now, or this one has its outcome: what it then
    did not need is given back, which counts where no transaction does that.
    """
    if not agents:
        return
    dialect = connection.dialect.name
    values = {
        "agents": _ids(dialect, agents),
        "by": transfer_id,
        "until": stored(connection, until),
        "now": stored(connection, now),
        "pool": pool_id,
    }
    got = {row[0] for row in _CLAIM.rows(connection, values)}
    if len(got) < len(agents):
        back = {"agents": _ids(dialect, got.difference(mine)), "transfer": transfer_id}
        connection.execute(_give_back(dialect), back)
        raise LostRaceError


def hold(
    connection: Connection, hold_id: str, agents: Collection[AgentId], *, now: datetime, until: datetime
) -> Sequence[AgentId]:
    """Those who were free, or held by this hold already."""
    dialect = connection.dialect.name
    values = {"by": _holder(hold_id), "until": until, "now": now}
    held = set(connection.scalars(_hold(dialect), {"agents": _ids(dialect, agents), **values}))
    return tuple(agent_id for agent_id in dict.fromkeys(agents) if agent_id in held)


_PASS_ON = update(_T).where(_T.c.claimed_by == bindparam("holder"), _T.c.claimed_until > bindparam("now"))


def pass_on(connection: Connection, hold_id: str, transfer_id: TransferId, now: datetime) -> None:
    """What the hold has is the transfer's from now on."""
    given = {"holder": _holder(hold_id), "now": now, "claimed_by": transfer_id}
    connection.execute(_PASS_ON, given)


@cache
def _give_back(dialect: str) -> Any:
    return (
        update(_T)
        .where(_T.c.claimed_by == bindparam("transfer"), _T.c.agent_id.in_(given(dialect)))
        .values(_FREED)
    )


def _holder(hold_id: str) -> str:
    """So that nobody takes a transfer's agents by giving its id as a hold's."""
    return f"hold:{hold_id}"


_FREED: dict[str, Any] = {"claimed_by": None, "claimed_until": None, "claimed_pool_id": None}
_RELEASE = (
    update(_T)
    .where(
        _T.c.claimed_by == bindparam("transfer"),
        or_(
            bindparam("winner", type_=Text).is_(None),
            _T.c.agent_id != bindparam("winner", type_=Text),
        ),
    )
    .values(_FREED)
)
_KEEP = (
    update(_T)
    .where(_T.c.claimed_by == bindparam("transfer"), _T.c.agent_id == bindparam("winner"))
    .values(claimed_until=bindparam("until", type_=Instant))
)


def release(connection: Connection, transfer_id: TransferId) -> None:
    connection.execute(_RELEASE, {"transfer": transfer_id, "winner": None})


def keep_only(connection: Connection, transfer_id: TransferId, winner: AgentId | None, at: datetime) -> None:
    """The transfer has its outcome: it needs nobody but the winner, and that one while they talk."""
    connection.execute(_RELEASE, {"transfer": transfer_id, "winner": winner})
    if winner is not None:
        connection.execute(_KEEP, {"transfer": transfer_id, "winner": winner, "until": at + CALL_LASTS})


def given(dialect: str) -> Any:
    """The ids bound as `agents`, in order: one parameter, however many they are."""
    if dialect == "sqlite":
        return select(func.json_each(bindparam("agents", type_=Text)).table_valued("value").c.value)
    return select(func.unnest(bindparam("agents", type_=ARRAY(Text))).column_valued("given"))


def keys(connection: Connection, agents: Iterable[Agent]) -> Any:
    """What is bound as `agents` for `given`."""
    return _ids(connection.dialect.name, [agent.id for agent in agents])


def _ids(dialect: str, agents: Iterable[AgentId]) -> Any:
    ordered = sorted(agents)
    return json.dumps(ordered) if dialect == "sqlite" else ordered


def _claiming(dialect: str, columns: Mapping[str, Any], *, given_that: Any = None) -> Any:
    """Insert or overwrite the rows of `agents`, but none that somebody else has."""
    them = given(dialect).subquery()
    rows = select(them.c[0], *columns.values()).where(true())  # SQLite takes ON for a join's without WHERE
    if given_that is not None:
        rows = rows.select_from(given_that.join(them, true()))
    into = sqlite.insert(_T) if dialect == "sqlite" else postgresql.insert(_T)
    inserted = into.from_select(["agent_id", *columns], rows)
    return inserted.on_conflict_do_update(
        index_elements=["agent_id"],
        set_={name: inserted.excluded[name] for name in columns},
        where=or_(
            _T.c.claimed_by.is_(None),
            _T.c.claimed_until <= bindparam("now", type_=Instant),
            _T.c.claimed_by == bindparam("by", type_=Text),
        ),
    )


def _claim(dialect: str) -> Any:
    return _claiming(
        dialect,
        {
            "claimed_by": bindparam("by", type_=Text),
            "claimed_until": bindparam("until", type_=Instant),
            "claimed_pool_id": bindparam("pool", type_=Text),
            "last_rung_at": bindparam("now", type_=Instant),
        },
        given_that=select(s.transfer.c.id)
        .where(s.transfer.c.id == bindparam("by"), s.transfer.c.outcome.is_(None))
        .with_for_update(read=True)  # an outcome just being written releases what we claim, or is seen
        .subquery(),
    ).returning(_T.c.agent_id)


_CLAIM = Driven(_claim)


@cache
def _hold(dialect: str) -> Any:
    return _claiming(
        dialect,
        {
            "claimed_by": bindparam("by", type_=Text),
            "claimed_until": bindparam("until", type_=Instant),
        },
    ).returning(_T.c.agent_id)


# --- what a transfer leaves them with


@dataclass(frozen=True, kw_only=True, slots=True)
class Rested:
    """An agent who has just been let rest for missing rings."""

    agent: Agent
    misses: int
    at: datetime
    until: datetime

    @property
    def text(self) -> str:
        shown = self.until.astimezone(self.agent.zone) + timedelta(
            seconds=59
        )  # a whole minute, never too early
        return (
            f"You missed {self.misses} transfers in a row, so no more will ring you until"
            f" {shown:%H:%M} ({self.agent.zone}). To come back sooner, dial {COME_BACK}."
        )


def change(
    connection: Connection, known: Known, transfer_id: TransferId, changes: Iterable[StandingChange]
) -> tuple[Rested, ...]:
    """Write what became of the agents; who is let rest now. That one was rung came with the claim."""
    over = [one for one in changes if one.became is not Became.RUNG]
    if not over:
        return ()
    rows = _locked(connection, {one.agent_id for one in over})
    rested = []
    for one in over:
        row = rows[one.agent_id]
        pool_id, mine = row["claimed_pool_id"], row["claimed_by"] == transfer_id
        if mine:
            row.update(_FREED)
        agent = known.agents.get(one.agent_id)
        if one.became is Became.TALKED:
            _talked(row, known, agent, pool_id if mine else None, one.at)
        elif one.became is Became.MISSED and (rest := _missed(row, known, agent, one.at)):
            rested.append(rest)
    connection.execute(upsert(connection.dialect.name, _T), list(rows.values()))
    return tuple(rested)


def _locked(connection: Connection, agents: Collection[AgentId]) -> dict[AgentId, dict[str, Any]]:
    """Their rows, made where there were none."""
    dialect = connection.dialect.name
    connection.execute(insert_once(dialect, _T), [_fresh(agent_id) for agent_id in sorted(agents)])
    found = connection.execute(
        _of_agents(dialect).order_by(_T.c.agent_id).with_for_update(), {"agents": _ids(dialect, agents)}
    )
    return {AgentId(row["agent_id"]): dict(row) for row in found.mappings()}


def _talked(row: dict[str, Any], known: Known, agent: Agent | None, pool_id: Any, at: datetime) -> None:
    pool = known.pools.get(pool_id)
    own = agent.wrap_up_s if agent is not None else 0.0
    wrap_up_s = own if pool is None or pool.wrap_up_s is None else pool.wrap_up_s
    today = at.astimezone(agent.zone if agent is not None else UTC).date()
    row["talks_today"] = row["talks_today"] + 1 if row["talks_on"] == today else 1
    row.update(strikes=0, idle_since=at, talks_on=today)
    row["wrapping_until"] = at + timedelta(seconds=wrap_up_s) if wrap_up_s else None


def _missed(row: dict[str, Any], known: Known, agent: Agent | None, at: datetime) -> Rested | None:
    policy = known.strikes
    row["strikes"] += 1
    if policy.limit == 0 or row["strikes"] < policy.limit:
        return None
    misses, until = row["strikes"], at + timedelta(seconds=policy.rest_s)
    row.update(strikes=0, resting_until=until, resting_why=f"missed {misses} transfers in a row")
    return Rested(agent=agent, misses=misses, at=at, until=until) if agent is not None else None


def rest(connection: Connection, agent_id: AgentId, until: datetime | None, why: str) -> None:
    row = {"agent_id": agent_id, "strikes": 0, "resting_until": until, "resting_why": why if until else ""}
    others = frozenset(column.name for column in _T.columns if column.name not in row)
    statement = upsert(connection.dialect.name, _T, others)
    connection.execute(statement, _fresh(agent_id) | row)


def forget(connection: Connection, agents: Collection[AgentId]) -> None:
    """They are new: what an earlier agent of the same id left behind is not theirs."""
    if agents:
        dialect = connection.dialect.name
        connection.execute(_forget(dialect), {"agents": _ids(dialect, agents)})


@cache
def _forget(dialect: str) -> Any:
    return delete(_T).where(_T.c.agent_id.in_(given(dialect)))


def _fresh(agent_id: AgentId) -> dict[str, Any]:
    return {"agent_id": agent_id, "strikes": 0, "resting_why": "", "talks_today": 0}
