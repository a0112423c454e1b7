"""What has lately become of the agents. Rows are written in the order of the agents' ids, so that two
daemons never wait for each other.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    delete,
    select,
)

from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.claims import FREED
from callcontrol.adapters.sql.driven import Driven
from callcontrol.adapters.sql.instants import instant
from callcontrol.adapters.sql.roster import Known
from callcontrol.adapters.sql.statements import bound, given, insert_once, upsert
from callcontrol.core.model import Agent, AgentId, Standing, TransferId
from callcontrol.core.standing import Became, StandingChange

_T = s.agent_standing
_NONE = Standing()


# --- as of now


def of_agents(connection: Connection, agents: Collection[Agent], now: datetime) -> Mapping[AgentId, Standing]:
    """Those of the agents who have one."""
    if not agents:
        return {}
    zones = {agent.id: agent.zone for agent in agents}
    rows = _STANDING.rows(connection, {"agents": bound(zones)})
    return {row[0]: standing(row, zones[row[0]], now) for row in rows}


@cache
def _of_agents(dialect: str) -> Select[Any]:
    return select(_T).where(_T.c.agent_id.in_(given(dialect, "agents")))


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
_STANDING = Driven(lambda dialect: select(*COLUMNS).where(_T.c.agent_id.in_(given(dialect, "agents"))))


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


# --- what a transfer leaves them with


@dataclass(frozen=True, kw_only=True, slots=True)
class Rested:
    """An agent who has just been let rest for missing rings."""

    agent: Agent
    misses: int
    at: datetime
    until: datetime


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
            row.update(FREED)
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
        _of_agents(dialect).order_by(_T.c.agent_id).with_for_update(), {"agents": bound(agents)}
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
        connection.execute(_forget(dialect), {"agents": bound(agents)})


@cache
def _forget(dialect: str) -> Any:
    return delete(_T).where(_T.c.agent_id.in_(given(dialect, "agents")))


def _fresh(agent_id: AgentId) -> dict[str, Any]:
    return {"agent_id": agent_id, "strikes": 0, "resting_why": "", "talks_today": 0}
