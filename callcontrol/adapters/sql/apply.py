"""directory.yaml into the database, in one transaction."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update

from callcontrol.adapters.sql import conditions, leads, standings
from callcontrol.adapters.sql import directory as stored
from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.changes import Change, changes, differs, lead_change
from callcontrol.adapters.sql.own_agents import Snapshot, merged
from callcontrol.adapters.sql.roster import Known
from callcontrol.adapters.sql.statements import upsert
from callcontrol.core.model import Agent, AgentId, Bot, Directory, Endpoint, Lead, OutcomeActions, Pool
from callcontrol.ports import UnknownError

Rows = Iterator[dict[str, Any]]

_BATCH = 500  # SQLite allows 32,766 values in a statement, older builds 999


def apply(
    connection: Connection,
    memory: stored.Memory,
    directory: Directory,
    now: datetime,
    own: Snapshot | None = None,
) -> tuple[Change, ...]:
    """`own`: the site's own agents of now; none: those of before.

    Raises UnknownError where a pool, rule or lead names what neither has.
    """
    old = _locked(connection, memory)
    directory, theirs = _with_own(old, directory, own)
    _check(directory)
    made = changes(old, directory)
    writes = bool(made) or _moved(old, directory, theirs)
    if writes:
        for table in (s.rule, s.pool_member, s.pool_tag):
            connection.execute(delete(table))
        _put_agents(connection, old, directory, theirs, now)
        _put_pools(connection, old, directory)
        _put_bots(connection, old, directory, now)
        policy = directory.strikes
        connection.execute(update(s.directory).values(strike_limit=policy.limit, strike_rest_s=policy.rest_s))
    _settle(connection, old, directory, changed=writes)
    return (*made, *_put_leads(connection, directory.leads))


def sync(connection: Connection, memory: stored.Memory, own: Snapshot, now: datetime) -> tuple[Change, ...]:
    """Make the site's own agents of the directory those of now, and leave everything else as it is."""
    old = _locked(connection, memory)
    as_filed = Directory(
        agents=tuple(agent for agent in old.agents.values() if agent.id not in old.own),
        pools=tuple(old.pools.values()),
        rules=old.rules,
        bots=tuple(old.bots.values()),
        strikes=old.strikes,
    )
    directory, theirs = _with_own(old, as_filed, own)
    made = changes(old, directory)
    if made:
        _put_agents(connection, old, directory, theirs, now)
    _settle(connection, old, directory, changed=bool(made))
    return made


def _locked(connection: Connection, memory: stored.Memory) -> Known:
    version = connection.scalars(select(s.directory.c.version).with_for_update()).one()
    return memory.current(connection, version)


def _with_own(old: Known, directory: Directory, own: Snapshot | None) -> tuple[Directory, frozenset[AgentId]]:
    """The whole of it, and who in it is the site's own."""
    before = [agent for agent in old.agents.values() if agent.id in old.own]
    if own is None:
        theirs = before
    else:
        theirs = [*own.agents, *(agent for agent in before if agent.id in own.unreadable)]
    filed = {agent.id for agent in directory.agents}
    return merged(directory, theirs), frozenset(agent.id for agent in theirs if agent.id not in filed)


def _moved(old: Known, new: Directory, own: frozenset[AgentId]) -> bool:
    """Whether someone is in the other's hands now, unchanged: the file's, or the site's."""
    return any(agent.id in old.agents for agent in new.agents if (agent.id in own) != (agent.id in old.own))


def _settle(connection: Connection, old: Known, new: Directory, *, changed: bool) -> None:
    reordered = _reordered(old, new)
    if reordered:
        _put_order(connection, new)
    if changed or reordered:
        connection.execute(update(s.directory).values(version=s.directory.c.version + 1))


def plan(
    connection: Connection, memory: stored.Memory, directory: Directory, own: Snapshot | None = None
) -> tuple[Change, ...]:
    """Raises UnknownError as `apply` does."""
    old = memory.current(connection)
    directory, _ = _with_own(old, directory, own)
    _check(directory)
    made = changes(old, directory)
    return (*made, *(change for _, batch in _lead_changes(connection, directory.leads) for change in batch))


def _check(directory: Directory) -> None:
    agents = {agent.id for agent in directory.agents}
    pools = {pool.id for pool in directory.pools}
    assigned = [lead.assigned_agent_id for lead in directory.leads if lead.assigned_agent_id is not None]
    members = [member for pool in directory.pools for member in pool.agent_ids]
    for agent_id in (*members, *assigned):
        if agent_id not in agents:
            raise UnknownError("agent", agent_id)
    for rule in directory.rules:
        if rule.pool_id not in pools:
            raise UnknownError("pool", rule.pool_id)


def _put_agents(
    connection: Connection, old: Known, new: Directory, own: frozenset[AgentId], now: datetime
) -> None:
    added = [agent for agent in new.agents if agent.id not in old.agents]
    changed = [
        agent
        for agent in new.agents
        if agent.id in old.agents
        and ((agent.id in own) != (agent.id in old.own) or differs(old.agents[agent.id], agent))
    ]
    dialect = connection.dialect.name
    for some, kept in ((added, {"toggle_seq"}), (changed, {"available", "position", "toggle_seq"})):
        statement = upsert(dialect, s.agent, frozenset(kept))
        _run(connection, statement, (_agent_values(agent, own=agent.id in own) for agent in some))
    _mark_removed(connection, s.agent, old.agents.keys() - {agent.id for agent in new.agents}, now)
    standings.forget(connection, [agent.id for agent in added])
    written = (*added, *changed)
    for table, rows in _AGENT_ROWS.items():
        _clear(connection, table, "agent_id", [agent.id for agent in written])
        _run(
            connection,
            insert(table),
            ({"agent_id": agent.id, **row} for agent in written for row in rows(agent)),
        )


def _endpoint_rows(agent: Agent) -> Rows:
    for n, endpoint in enumerate(agent.endpoints, start=1):
        yield {"position": n, **_endpoint_values(endpoint)}


def _window_rows(agent: Agent) -> Rows:
    for n, window in enumerate(agent.schedule, start=1):
        yield {
            "position": n,
            "weekday": window.weekday,
            "start_min": window.start_min,
            "end_min": window.end_min,
        }


def _exception_rows(agent: Agent) -> Rows:
    for n, exception in enumerate(agent.exceptions, start=1):
        yield {
            "position": n,
            "on": exception.on,
            "start_min": exception.start_min,
            "end_min": exception.end_min,
            "opens": exception.opens,
            "why": exception.why,
        }


def _tag_rows(agent: Agent) -> Rows:
    for tag in sorted(agent.tags):
        yield {"tag": tag}


_AGENT_ROWS = {
    s.agent_endpoint: _endpoint_rows,
    s.schedule_window: _window_rows,
    s.agent_exception: _exception_rows,
    s.agent_tag: _tag_rows,
}


def _put_pools(connection: Connection, old: Known, new: Directory) -> None:
    """Rules, members and tags have been deleted before: they are all written anew."""
    gone = old.pools.keys() - {pool.id for pool in new.pools}
    _clear(connection, s.pool, "id", gone)
    pools = ({"position": n, **_pool_values(pool)} for n, pool in enumerate(new.pools, start=1))
    _run(connection, upsert(connection.dialect.name, s.pool), pools)
    tags = ({"pool_id": pool.id, "tag": tag} for pool in new.pools for tag in sorted(pool.tags))
    _run(connection, insert(s.pool_tag), tags)
    _run(
        connection,
        insert(s.pool_member),
        (
            {"pool_id": pool.id, "position": n, "agent_id": agent_id}
            for pool in new.pools
            for n, agent_id in enumerate(pool.agent_ids, start=1)
        ),
    )
    _run(
        connection,
        insert(s.rule),
        (
            {
                "position": n,
                "name": rule.name,
                "conditions": conditions.to_json(rule.when),
                "pool_id": rule.pool_id,
            }
            for n, rule in enumerate(new.rules, start=1)
        ),
    )


def _put_bots(connection: Connection, old: Known, new: Directory, now: datetime) -> None:
    written = [bot for bot in new.bots if bot.id not in old.bots or differs(old.bots[bot.id], bot)]
    statement = upsert(connection.dialect.name, s.bot, frozenset({"position"}))
    _run(connection, statement, map(_bot_values, written))
    _mark_removed(connection, s.bot, old.bots.keys() - {bot.id for bot in new.bots}, now)
    for table in (s.bot_fallback, s.bot_contact):
        _clear(connection, table, "bot_id", [bot.id for bot in written])
    _run(connection, insert(s.bot_contact), (row for bot in written for row in _contact_rows(bot)))
    _run(
        connection,
        insert(s.bot_fallback),
        (
            {"bot_id": bot.id, "position": n, "label": fallback.label, **_endpoint_values(fallback.endpoint)}
            for bot in written
            for n, fallback in enumerate(bot.fallbacks, start=1)
        ),
    )


def _contact_rows(bot: Bot) -> Rows:
    for outcome, actions in (("on_connected", bot.on_connected), ("on_missed", bot.on_missed)):
        listed = [(named.name, contact) for named in actions.notify_lists for contact in named.contacts]
        for n, (name, contact) in enumerate(listed, start=1):
            yield {
                "bot_id": bot.id,
                "outcome": outcome,
                "position": n,
                "list": name,
                "name": contact.name,
                "phone": contact.phone,
            }


def _reordered(old: Known, new: Directory) -> bool:
    """Also where someone was added or removed."""
    return [*old.agents, *old.bots] != [*(a.id for a in new.agents), *(b.id for b in new.bots)]


def _put_order(connection: Connection, new: Directory) -> None:
    for table, ids in ((s.agent, [a.id for a in new.agents]), (s.bot, [b.id for b in new.bots])):
        statement = update(table).where(table.c.id == bindparam("of"))
        _run(connection, statement, ({"of": key, "position": n} for n, key in enumerate(ids, start=1)))


def _put_leads(connection: Connection, given: Sequence[Lead]) -> tuple[Change, ...]:
    said: list[Change] = []
    for changed, made in _lead_changes(connection, given):
        _run(connection, upsert(connection.dialect.name, s.lead), map(leads.values, changed))
        said += made
    return tuple(said)


def _lead_changes(
    connection: Connection, given: Sequence[Lead]
) -> Iterator[tuple[Sequence[Lead], Sequence[Change]]]:
    for start in range(0, len(given), _BATCH):
        batch = given[start : start + _BATCH]
        rows = connection.execute(
            select(*leads.LEAD_COLUMNS).where(s.lead.c.id.in_([lead.id for lead in batch]))
        )
        old = {lead.id: lead for lead in map(leads.lead_of, rows)}
        changed = [lead for lead in batch if old.get(lead.id) != lead]
        yield changed, [lead_change(old.get(lead.id), lead) for lead in changed]


def _run(connection: Connection, statement: Any, rows: Iterable[dict[str, Any]]) -> None:
    listed = list(rows)
    if listed:
        connection.execute(statement, listed)


def _clear(connection: Connection, table: Table, column: str, keys: Collection[str]) -> None:
    statement = delete(table).where(table.c[column] == bindparam("of"))
    _run(connection, statement, ({"of": key} for key in keys))


def _mark_removed(connection: Connection, table: Table, ids: Iterable[str], now: datetime) -> None:
    statement = update(table).where(table.c.id == bindparam("of"))
    _run(connection, statement, ({"of": key, "removed_at": now} for key in ids))


def _agent_values(agent: Agent, *, own: bool) -> dict[str, Any]:
    return {
        "id": agent.id,
        "position": 0,  # until _put_order
        "name": agent.name,
        "active": agent.active,
        "available": agent.available,
        "zone": ZoneInfo(str(agent.zone)).key,
        "phone": agent.phone,
        "removed_at": None,
        "weight": agent.weight,
        "wrap_up_s": agent.wrap_up_s,
        "endpoint_order": agent.endpoint_order,
        "endpoint_step_s": agent.endpoint_step_s,
        "own": own,
    }


def _pool_values(pool: Pool) -> dict[str, Any]:
    return {
        "id": pool.id,
        "name": pool.name,
        "ring_order": pool.order,
        "at_once": pool.at_once,
        "step_s": pool.step_s,
        "last_agent_first": pool.last_agent_first,
        "wrap_up_s": pool.wrap_up_s,
    }


def _bot_values(bot: Bot) -> dict[str, Any]:
    return {
        "id": bot.id,
        "position": 0,  # until _put_order
        "name": bot.name,
        "pattern": bot.pattern,
        "ring_timeout_s": bot.ring_timeout_s,
        "accept_timeout_s": bot.accept_timeout_s,
        "handoff": bot.handoff,
        "handoff_limit_s": bot.handoff_limit_s,
        "closing_line": bot.closing_line,
        "fallback_all_at_once": bot.fallback_all_at_once,
        "missed_goto": bot.missed_goto,
        "owner_name": None if bot.owner is None else bot.owner.name,
        "owner_phone": None if bot.owner is None else bot.owner.phone,
        "removed_at": None,
        **_action_values("on_connected", bot.on_connected),
        **_action_values("on_missed", bot.on_missed),
    }


def _action_values(prefix: str, actions: OutcomeActions) -> dict[str, bool]:
    return {
        f"{prefix}_cancel_cadence": actions.cancel_cadence,
        f"{prefix}_notify_agent": actions.notify_agent,
        f"{prefix}_notify_owner": actions.notify_owner,
        f"{prefix}_notify_pool": actions.notify_pool,
        f"{prefix}_create_task": actions.create_task,
        f"{prefix}_webhook": actions.webhook,
    }


def _endpoint_values(endpoint: Endpoint) -> dict[str, Any]:
    return {"kind": endpoint.kind, "address": endpoint.address, "accept_by": endpoint.accept_by}
