"""Agents, pools, rules and bots as they stand.

A directory is read whole and kept in memory; every question that needs it first reads its version, in
its own transaction, so that a change by another process is never missed. Only the agents' toggles
change without a new version: each has a number, and those since the last one seen are read.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Table, bindparam, select

from callcontrol.adapters.sql import conditions, leads
from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.crew import Crew
from callcontrol.adapters.sql.driven import Driven
from callcontrol.adapters.sql.engine import is_here
from callcontrol.adapters.sql.errors import NotHereError
from callcontrol.adapters.sql.roster import Known, Roster
from callcontrol.adapters.sql.rulebook import RuleBook
from callcontrol.core.model import (
    AcceptBy,
    Agent,
    AgentId,
    Bot,
    BotId,
    Contact,
    ContactList,
    DatedWindow,
    Directory,
    Endpoint,
    EndpointKind,
    EndpointOrder,
    Fallback,
    HandoffStyle,
    OutcomeActions,
    Pattern,
    Pool,
    PoolId,
    PoolOrder,
    Rule,
    StrikePolicy,
    Window,
)
from callcontrol.ports import Subscription

T = TypeVar("T")


class State(NamedTuple):
    """What a roster is of: the directory's version, and the last toggle."""

    version: int
    toggle_seq: int


STATE = (s.directory.c.version, s.directory.c.toggle_seq)
_STATE = Driven(lambda _: select(*STATE))
_TOGGLED = select(s.agent.c.id, s.agent.c.available, s.agent.c.toggle_seq).where(
    s.agent.c.toggle_seq > bindparam("seen"), s.agent.c.removed_at.is_(None)
)


class Memory:
    """The newest directory read. Threads may share it: what it holds is replaced, never changed.

    With it goes who is told of facts by webhook, which the configuration says and the database does not.
    """

    def __init__(
        self, subscriptions: Sequence[Subscription] = (), on_read: Callable[[], None] = lambda: None
    ) -> None:
        """`on_read` is called in the thread that has read a directory anew."""
        self._roster = Roster()
        self._on_read = on_read
        self.subscriptions = tuple(subscriptions)

    @property
    def newest(self) -> Roster:
        """The directory as it was last seen."""
        return self._roster

    def current(self, connection: Connection, version: int | None = None) -> Known:
        """The directory as this transaction sees it. `version`, where the caller has just read it."""
        known = self._roster.known
        return known if known.version == version else self.roster(connection).known

    def roster(self, connection: Connection, state: State | None = None) -> Roster:
        """The directory as this transaction sees it, with the toggles of now. `state`, where the caller has
        just read it.
        """
        roster = newest = self._roster
        if state is None:
            state = _state(connection)
        if roster.known.version != state.version and is_here(connection):
            raise NotHereError  # it may be thousands of agents
        while roster.known.version != state.version:
            # Where each statement sees its own state (PostgreSQL, writing), another process may
            # write between two of them.
            known = read(connection, state.version, roster.known)
            roster = Roster(known=known, seq=state.toggle_seq, on=known.crew.available)
            state = _state(connection)
            if roster.known.version == state.version:
                self._roster = roster
        if roster.seq < state.toggle_seq:
            self._roster = roster = _with_toggles(connection, roster)
        if roster.known is not newest.known:
            self._on_read()
        return roster


def _state(connection: Connection) -> State:
    ((version, toggle_seq),) = _STATE.rows(connection, {})
    return State(version, toggle_seq)


def _with_toggles(connection: Connection, roster: Roster) -> Roster:
    """A toggle is numbered under the directory's lock: those seen here have none missing before them."""
    on, seq = roster.on, roster.seq
    for agent_id, available, at in connection.execute(_TOGGLED, {"seen": seq}):
        seq = max(seq, at)
        n = roster.known.crew.numbers.get(agent_id)
        if n is not None and bool(on >> n & 1) != available:
            on ^= 1 << n
    return replace(roster, on=on, seq=seq)


def read(connection: Connection, version: int, before: Known) -> Known:
    """Agents who are as they were stay the same objects: what is remembered of them still counts."""
    endpoints = _grouped(connection, s.agent_endpoint, "agent_id", _endpoint)
    windows = _grouped(connection, s.schedule_window, "agent_id", _window)
    exceptions = _grouped(connection, s.agent_exception, "agent_id", _exception)
    tags = _tags(connection, s.agent_tag, "agent_id")
    fallbacks = _grouped(connection, s.bot_fallback, "bot_id", _fallback)
    contacts = _grouped(connection, s.bot_contact, "bot_id", lambda row: row)
    listed = _grouped(connection, s.pool_member, "pool_id", lambda row: AgentId(row.agent_id))
    pool_tags = _tags(connection, s.pool_tag, "pool_id")
    people = connection.execute(
        select(s.agent).where(s.agent.c.removed_at.is_(None)).order_by(s.agent.c.position)
    ).all()
    agents = [
        _as_before(before, _agent(row, windows[row.id], endpoints[row.id], exceptions[row.id], tags[row.id]))
        for row in people
    ]
    bots = [
        (_bot(row, fallbacks[row.id], contacts[row.id]), row.removed_at is not None)
        for row in connection.execute(select(s.bot).order_by(s.bot.c.position))
    ]
    rules = tuple(
        Rule(name=row.name, when=conditions.from_json(row.conditions), pool_id=PoolId(row.pool_id))
        for row in connection.execute(select(s.rule).order_by(s.rule.c.position))
    )
    policy = connection.execute(select(s.directory.c.strike_limit, s.directory.c.strike_rest_s)).one()
    return Known(
        version=version,
        agents={agent.id: agent for agent in agents},
        own=frozenset(AgentId(row.id) for row in people if row.own),
        bots={bot.id: bot for bot, removed in bots if not removed},
        removed_bots={bot.id: bot for bot, removed in bots if removed},
        pools={
            PoolId(row.id): _pool(row, listed[row.id], pool_tags[row.id])
            for row in connection.execute(select(s.pool).order_by(s.pool.c.position))
        },
        rules=rules,
        strikes=StrikePolicy(limit=policy.strike_limit, rest_s=policy.strike_rest_s),
        crew=Crew(agents),
        book=RuleBook(rules),
    )


def all_agents(
    connection: Connection, memory: Memory, toggles: Callable[[Roster], Roster]
) -> tuple[Agent, ...]:
    return toggles(memory.roster(connection)).everyone()


def all_bots(connection: Connection, memory: Memory) -> tuple[Bot, ...]:
    return tuple(memory.current(connection).bots.values())


def export(connection: Connection, memory: Memory, with_leads: bool) -> Directory:
    """Without the site's own agents, and in pools without those who are there no more."""
    roster = memory.roster(connection)
    known = roster.known
    return Directory(
        agents=tuple(agent for agent in roster.everyone() if agent.id not in known.own),
        pools=tuple(_of_those(pool, known.agents) for pool in known.pools.values()),
        rules=known.rules,
        bots=tuple(known.bots.values()),
        leads=leads.all_leads(connection) if with_leads else (),
        strikes=known.strikes,
    )


def _of_those(pool: Pool, agents: Mapping[AgentId, Agent]) -> Pool:
    kept = tuple(agent_id for agent_id in pool.agent_ids if agent_id in agents)
    return pool if kept == pool.agent_ids else replace(pool, agent_ids=kept)


def with_toggle(agent: Agent, *, available: bool) -> Agent:
    return agent if agent.available == available else replace(agent, available=available)


def _grouped(
    connection: Connection, table: Table, owner: str, make: Callable[[Any], T]
) -> defaultdict[str, tuple[T, ...]]:
    """The table's rows by their owner, in order."""
    grouped: defaultdict[str, list[T]] = defaultdict(list)
    alike: dict[Any, Any] = {}  # thousands may have the same hours: kept once
    for row in connection.execute(select(table).order_by(table.c.position)):
        made = make(row)
        grouped[getattr(row, owner)].append(alike.setdefault(made, made))
    tuples = ((key, tuple(made)) for key, made in grouped.items())
    return defaultdict(tuple, {key: alike.setdefault(made, made) for key, made in tuples})


def _endpoint(row: Any) -> Endpoint:
    return Endpoint(kind=EndpointKind(row.kind), address=row.address, accept_by=AcceptBy(row.accept_by))


def _window(row: Any) -> Window:
    return Window(weekday=row.weekday, start_min=row.start_min, end_min=row.end_min)


def _fallback(row: Any) -> Fallback:
    return Fallback(label=row.label, endpoint=_endpoint(row))


def _exception(row: Any) -> DatedWindow:
    return DatedWindow(on=row.on, start_min=row.start_min, end_min=row.end_min, opens=row.opens, why=row.why)


def _tags(connection: Connection, table: Table, owner: str) -> defaultdict[str, frozenset[str]]:
    grouped: defaultdict[str, set[str]] = defaultdict(set)
    for row in connection.execute(select(table)):
        grouped[getattr(row, owner)].add(row.tag)
    return defaultdict(frozenset, {key: frozenset(tags) for key, tags in grouped.items()})


def _agent(
    row: Any,
    schedule: tuple[Window, ...],
    endpoints: tuple[Endpoint, ...],
    exceptions: tuple[DatedWindow, ...],
    tags: frozenset[str],
) -> Agent:
    return Agent(
        id=AgentId(row.id),
        name=row.name,
        active=row.active,
        available=row.available,
        zone=ZoneInfo(row.zone),
        schedule=schedule,
        endpoints=endpoints,
        phone=row.phone,
        exceptions=exceptions,
        tags=tags,
        weight=row.weight,
        wrap_up_s=row.wrap_up_s,
        endpoint_order=EndpointOrder(row.endpoint_order),
        endpoint_step_s=row.endpoint_step_s,
    )


def _as_before(before: Known, agent: Agent) -> Agent:
    was = before.agents.get(agent.id)
    return was if was == agent and was is not None else agent


def _pool(row: Any, agent_ids: Sequence[AgentId], tags: frozenset[str]) -> Pool:
    return Pool(
        id=PoolId(row.id),
        name=row.name,
        agent_ids=tuple(agent_ids),
        tags=tags,
        order=PoolOrder(row.ring_order),
        at_once=row.at_once,
        step_s=row.step_s,
        last_agent_first=row.last_agent_first,
        wrap_up_s=row.wrap_up_s,
    )


def _bot(row: Any, fallbacks: tuple[Fallback, ...], contacts: Sequence[Any]) -> Bot:
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
        on_connected=_actions(row, "on_connected", contacts),
        on_missed=_actions(row, "on_missed", contacts),
    )


def _actions(row: Any, prefix: str, contacts: Sequence[Any]) -> OutcomeActions:
    columns = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row by column
    return OutcomeActions(
        cancel_cadence=columns[f"{prefix}_cancel_cadence"],
        notify_agent=columns[f"{prefix}_notify_agent"],
        notify_owner=columns[f"{prefix}_notify_owner"],
        notify_pool=columns[f"{prefix}_notify_pool"],
        notify_lists=_lists(found for found in contacts if found.outcome == prefix),
        create_task=columns[f"{prefix}_create_task"],
        webhook=columns[f"{prefix}_webhook"],
    )


def _lists(rows: Iterable[Any]) -> tuple[ContactList, ...]:
    """Rows of a list follow each other."""
    return tuple(
        ContactList(name=name, contacts=tuple(Contact(name=row.name, phone=row.phone) for row in of_list))
        for name, of_list in groupby(rows, key=lambda row: row.list)
    )
