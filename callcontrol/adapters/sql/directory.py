"""Agents, pools, rules and bots as they stand.

A directory is read whole and kept in memory; every question that needs it first reads its version, in
its own transaction, so that a change by another process is never missed. Only the agents' toggles
change without a new version: they are read each time.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Table, bindparam, select

from callcontrol.adapters.sql import schema as s
from callcontrol.core.model import (
    AcceptBy,
    Agent,
    AgentId,
    Bot,
    BotId,
    Contact,
    Endpoint,
    EndpointKind,
    Fallback,
    HandoffStyle,
    OutcomeActions,
    Pattern,
    Pool,
    PoolId,
    Rule,
    Window,
)

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """The directory at one version. Toggles are as they were when it was read."""

    version: int = -1
    agents: Mapping[AgentId, Agent] = field(default_factory=dict)  # in the directory's order
    bots: Mapping[BotId, Bot] = field(default_factory=dict)  # in the directory's order
    pools: Mapping[PoolId, Pool] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    removed_bots: Mapping[BotId, Bot] = field(default_factory=dict)  # old transfers may refer to them


_VERSION = select(s.directory.c.version)


class Memory:
    """The newest directory read. Threads may share it: what it holds is replaced, never changed."""

    def __init__(self) -> None:
        self._known = Known()

    def current(self, connection: Connection, version: int | None = None) -> Known:
        """The directory as this transaction sees it. `version`, where the caller has just read it."""
        known = self._known
        seen = connection.scalars(_VERSION).one() if version is None else version
        while known.version != seen:
            # Where each statement sees its own state (PostgreSQL, writing), another process may
            # write between two of them.
            known = read(connection, seen)
            seen = connection.scalars(_VERSION).one()
            if known.version == seen:
                self._known = known
        return known


def read(connection: Connection, version: int) -> Known:
    endpoints = _grouped(connection, s.agent_endpoint, "agent_id", _endpoint)
    windows = _grouped(connection, s.schedule_window, "agent_id", _window)
    fallbacks = _grouped(connection, s.bot_fallback, "bot_id", _fallback)
    members = _grouped(connection, s.pool_member, "pool_id", lambda row: AgentId(row.agent_id))
    agents = connection.execute(
        select(s.agent).where(s.agent.c.removed_at.is_(None)).order_by(s.agent.c.position)
    )
    bots = [
        (_bot(row, fallbacks[row.id]), row.removed_at is not None)
        for row in connection.execute(select(s.bot).order_by(s.bot.c.position))
    ]
    return Known(
        version=version,
        agents={AgentId(r.id): _agent(r, windows[r.id], endpoints[r.id]) for r in agents},
        bots={bot.id: bot for bot, removed in bots if not removed},
        removed_bots={bot.id: bot for bot, removed in bots if removed},
        pools={
            PoolId(row.id): Pool(id=PoolId(row.id), name=row.name, agent_ids=members[row.id])
            for row in connection.execute(select(s.pool).order_by(s.pool.c.position))
        },
        rules=tuple(
            Rule(name=row.name, when=_when(row.conditions), pool_id=PoolId(row.pool_id))
            for row in connection.execute(select(s.rule).order_by(s.rule.c.position))
        ),
    )


_TOGGLES = select(s.agent.c.id, s.agent.c.available).where(s.agent.c.removed_at.is_(None))
_TOGGLE_OF = _TOGGLES.where(s.agent.c.id == bindparam("agent"))
_TOGGLES_IN = _TOGGLES.join(s.pool_member, s.pool_member.c.agent_id == s.agent.c.id).where(
    s.pool_member.c.pool_id == bindparam("pool")
)


def agent_now(connection: Connection, agent: Agent) -> Agent:
    return _with_toggles((agent,), connection.execute(_TOGGLE_OF, {"agent": agent.id}))[0]


def members_now(connection: Connection, known: Known, pool: Pool) -> tuple[Agent, ...]:
    """In the pool's order."""
    members = [known.agents[agent_id] for agent_id in pool.agent_ids]
    return _with_toggles(members, connection.execute(_TOGGLES_IN, {"pool": pool.id}))


def all_agents(connection: Connection, memory: Memory) -> tuple[Agent, ...]:
    known = memory.current(connection)
    return _with_toggles(known.agents.values(), connection.execute(_TOGGLES))


def all_bots(connection: Connection, memory: Memory) -> tuple[Bot, ...]:
    return tuple(memory.current(connection).bots.values())


def with_toggle(agent: Agent, *, available: bool) -> Agent:
    return agent if agent.available == available else replace(agent, available=available)


def _with_toggles(agents: Iterable[Agent], rows: Iterable[Any]) -> tuple[Agent, ...]:
    available: dict[str, bool] = {row[0]: row[1] for row in rows}
    return tuple(with_toggle(agent, available=available.get(agent.id, False)) for agent in agents)


def _grouped(
    connection: Connection, table: Table, owner: str, make: Callable[[Any], T]
) -> defaultdict[str, tuple[T, ...]]:
    """The table's rows by their owner, in order."""
    grouped: defaultdict[str, list[T]] = defaultdict(list)
    for row in connection.execute(select(table).order_by(table.c.position)):
        grouped[getattr(row, owner)].append(make(row))
    return defaultdict(tuple, {key: tuple(made) for key, made in grouped.items()})


def _endpoint(row: Any) -> Endpoint:
    return Endpoint(kind=EndpointKind(row.kind), address=row.address, accept_by=AcceptBy(row.accept_by))


def _window(row: Any) -> Window:
    return Window(weekday=row.weekday, start_min=row.start_min, end_min=row.end_min)


def _fallback(row: Any) -> Fallback:
    return Fallback(label=row.label, endpoint=_endpoint(row))


def _when(conditions: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {fact: tuple(values) for fact, values in conditions.items()}


def _agent(row: Any, schedule: tuple[Window, ...], endpoints: tuple[Endpoint, ...]) -> Agent:
    return Agent(
        id=AgentId(row.id),
        name=row.name,
        active=row.active,
        available=row.available,
        zone=ZoneInfo(row.zone),
        schedule=schedule,
        endpoints=endpoints,
        phone=row.phone,
    )


def _bot(row: Any, fallbacks: tuple[Fallback, ...]) -> Bot:
    owner = None
    if row.owner_phone is not None:
        owner = Contact(name=row.owner_name or "", phone=row.owner_phone)
    return Bot(
        id=BotId(row.id),
        name=row.name,
        pattern=Pattern(row.pattern),
        ring_timeout_s=row.ring_timeout_s,
        accept_timeout_s=row.accept_timeout_s,
        handoff=HandoffStyle(row.handoff),
        handoff_limit_s=row.handoff_limit_s,
        closing_line=row.closing_line,
        fallbacks=fallbacks,
        fallback_all_at_once=row.fallback_all_at_once,
        missed_goto=row.missed_goto,
        owner=owner,
        on_connected=_actions(row, "on_connected"),
        on_missed=_actions(row, "on_missed"),
    )


def _actions(row: Any, prefix: str) -> OutcomeActions:
    columns = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row by column
    return OutcomeActions(
        cancel_cadence=columns[f"{prefix}_cancel_cadence"],
        notify_agent=columns[f"{prefix}_notify_agent"],
        notify_owner=columns[f"{prefix}_notify_owner"],
        create_task=columns[f"{prefix}_create_task"],
    )
