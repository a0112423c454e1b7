"""Resolving alone: from asking the store whom a step rings until the agents are claimed on disk.

Sites of four sizes on SQLite and on a PostgreSQL of its own, each with a million leads. The switch is not
asked: every phone is free.
"""

import asyncio
import random
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg

from callcontrol.adapters.sql import SqlStore
from callcontrol.app import heap
from callcontrol.core.events import CancelRequested, ResolveNextAttempt, TransferRequested
from callcontrol.core.model import (
    AcceptBy,
    Agent,
    AgentId,
    All,
    Bot,
    BotId,
    Call,
    ChannelId,
    Compare,
    Directory,
    Endpoint,
    EndpointKind,
    LineState,
    Missed,
    MissedBecause,
    Operator,
    Pattern,
    Pool,
    PoolId,
    PoolOrder,
    Rule,
    SoFar,
    Step,
    StepKind,
    TransferId,
    Window,
)
from callcontrol.ports import Entry, FactsOf, NewLead, Request, TransferRow, Transition
from callcontrol.turn import decide, settings_of
from tests.adapters.store.server import Server, running
from tests.lab.bench.report import Sheet, Verdict, ms, quantile

SIZES = (10, 100, 1_000, 10_000)
LEADS = 1_000_000
POOLS = 200
AT_ONCE = 50
ON_DUTY = 40  # of everyone, where no rule fits
NOW = datetime(2026, 6, 1, 15, 0, tzinfo=UTC)
DENVER = ZoneInfo("America/Denver")
GROUP = Step(kind=StepKind.GROUP)
BOT = Bot(id=BotId("bot"), name="Bot", pattern=Pattern.GROUP)
DAYTIME = tuple(Window(weekday=day, start_min=480, end_min=1080) for day in range(5))
NIGHT = tuple(Window(weekday=day, start_min=1320, end_min=360) for day in range(5))

ABOUT = f"""\
From asking the store whom a step rings until the answer is there and the agents are claimed on disk: the directory's
version, the rules, each candidate's standing, every term of availability, and the commit. {LEADS:,} leads; a rule for
each kind of lead, some of them with prefixes, ranges and regular expressions; up to {POOLS} pools of fifty, half of
them by tag, one agent in five on duty, which ring three at a time, the longest idle first. "{AT_ONCE} at once" are asked in the same instant, of one
daemon, which looks the agents up, decides and claims for as many as ask together. "Commit" is one row changed by the database's own driver in the same database, and is part of the others.
"CPU" is the processor's time of this process, for each: other work on the machine disturbs it less than the clock."""
FLAT_ABOUT = f"""\
The same where no rule fits, so that everyone is meant, of whom {ON_DUTY} (or all, of 10) are switched on and within
their hours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    agents: int
    rules: int
    pools: int

    @property
    def name(self) -> str:
        return f"{self.agents:,} agents, {self.rules:,} rules"


@dataclass(slots=True)
class Taken:
    """Seconds."""

    one: list[float] = field(default_factory=list)
    at_once: list[float] = field(default_factory=list)
    commit: list[float] = field(default_factory=list)
    cpu_one: float = 0.0  # of this process, for each
    cpu_at_once: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    database: str
    site: Site
    by_rule: Taken
    everyone: Taken


async def run(turns: int, rounds: int, leads: int = LEADS) -> list[Found]:
    """`turns` one at a time, and `rounds` of fifty at once, for every site."""
    found = []
    sites = [Site(agents=n, rules=n, pools=min(POOLS, max(1, n // 10))) for n in SIZES[:-1]]
    sites += [Site(agents=SIZES[-1], rules=n, pools=POOLS) for n in (1_000, SIZES[-1])]
    with running(fsync=True) as server:
        for site in sites:
            for database in ("SQLite", "PostgreSQL"):
                async with _store(database, server, leads) as (store, url):
                    measured = Measured(store, url, site)
                    await store.apply(directory(site, on_duty=site.agents // 5))
                    by_rule = await measured.taken("rule", turns, rounds)
                    await store.apply(directory(site, on_duty=ON_DUTY))
                    everyone = await measured.taken("none", turns, rounds)
                    found.append(Found(database=database, site=site, by_rule=by_rule, everyone=everyone))
    return found


@asynccontextmanager
async def _store(database: str, server: Server, leads: int) -> AsyncIterator[tuple[SqlStore, str]]:
    with tempfile.TemporaryDirectory(prefix="callcontrol-routing-") as folder:
        if database == "SQLite":
            path = Path(folder) / "bench.db"
            url = f"sqlite:///{path}"
        else:
            url = server.url(server.new_database())
        store = SqlStore(url)
        await store.ensure_schema()
        try:
            _fill(url, leads)
            yield store, url
        finally:
            await store.close()


def _fill(url: str, leads: int) -> None:
    """Leads whom nobody asks about, written past the store: they are many."""
    columns = "(id, name, phone, email, source, fields)"
    row = "'other-' || n, 'Lead ' || n, '+1444' || n, '', 'web', '{\"area\": \"none\"}'"
    if url.startswith("sqlite"):
        numbers = "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < ?)"
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
            connection.execute(f"INSERT INTO lead {columns} {numbers} SELECT {row} FROM s", (leads,))
        return
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            f"INSERT INTO lead {columns} SELECT {row} FROM generate_series(1, %s) AS n", (leads,)
        )
        connection.execute("ANALYZE lead")


# --- a site


def directory(site: Site, *, on_duty: int) -> Directory:
    every = max(1, site.agents // on_duty)
    return Directory(
        agents=tuple(_agent(n, site, on_duty=n % every == 0) for n in range(site.agents)),
        pools=tuple(_pool(n, site) for n in range(site.pools)),
        rules=tuple(_rule(n, site) for n in range(site.rules)),
        bots=(BOT,),
    )


def _agent(n: int, site: Site, *, on_duty: bool) -> Agent:
    """Those who are not on duty have switched themselves off, or it is not their time."""
    return Agent(
        id=AgentId(f"agent-{n}"),
        name=f"Agent {n}",
        active=True,
        available=on_duty or n % 2 == 0,
        zone=DENVER,
        schedule=DAYTIME if on_duty else NIGHT,
        endpoints=(
            Endpoint(kind=EndpointKind.EXTENSION, address=str(100000 + n), accept_by=AcceptBy.ANSWER),
        ),
        tags=frozenset({f"team-{n // 50 % site.pools}", "lang:en"}),
    )


def _pool(n: int, site: Site) -> Pool:
    """Fifty agents: by tag, or by name from anywhere."""
    pool = Pool(id=PoolId(f"pool-{n}"), name=f"Pool {n}", order=PoolOrder.LONGEST_IDLE, at_once=3, step_s=10)
    if n % 2:
        return replace(pool, tags=frozenset({f"team-{n}", "lang:en"}))
    chance = random.Random(n)
    listed = {chance.randrange(site.agents) for _ in range(50)}
    names = (AgentId(f"agent-{number}") for number in sorted(listed))
    return replace(pool, agent_ids=tuple(names))


def _rule(n: int, site: Site) -> Rule:
    area = Compare(fact="area", operator=Operator.IS, values=(f"area-{n}",))
    more = {
        0: Compare(fact="phone", operator=Operator.PREFIX, values=(f"+1{n:04}",)),
        1: Compare(fact="budget", operator=Operator.BETWEEN, values=(str(n * 1000), str(n * 1000 + 999))),
        2: Compare(fact="email", operator=Operator.MATCHES, values=(rf"^lead-{n}@",)),
    }.get(n % 20)
    pool_id = PoolId(f"pool-{n % site.pools}")
    when = area if more is None else All(conditions=(more,))
    return Rule(name=f"Rule {n}", when=when, pool_id=pool_id)


# --- measuring


@dataclass(slots=True)
class Measured:
    store: SqlStore
    url: str
    site: Site
    opened: int = 0

    async def taken(self, kind: str, turns: int, rounds: int) -> Taken:
        taken = Taken()
        await self._resolve(await self._rows(kind, 20), [])  # warm
        heap.settle()  # as the daemon does; in it the directory is read before
        cpu = 0.0
        for row in await self._rows(kind, turns):
            cpu += await self._resolve([row], taken.one)
        taken.cpu_one = cpu / turns
        cpu = 0.0
        for _ in range(rounds):
            cpu += await self._resolve(await self._rows(kind, AT_ONCE), taken.at_once)
        taken.cpu_at_once = cpu / (rounds * AT_ONCE)
        taken.commit = list(_commits(self.url))
        return taken

    async def _rows(self, kind: str, count: int) -> list[TransferRow]:
        """Transfers, open and waiting to be told whom they ring."""
        return [await self._row(kind) for _ in range(count)]

    async def _row(self, kind: str) -> TransferRow:
        self.opened += 1
        name = f"{kind}-{self.opened}"
        fitting = random.Random(self.opened).choice([n for n in range(self.site.rules) if n % 20 > 2])
        area = f"area-{fitting}" if kind == "rule" else "none"
        lead = NewLead(name=name, phone=f"+19{self.opened:09}", fields={"area": area})
        call = Call(lead=ChannelId(f"lead-of-{name}"), bot=None, pbx_started="now")
        request = Request(bot_id=BOT.id, lead=lead, channel=call.lead, summary="", key=name)
        return await self.store.open(TransferId(name), request, call, NOW, _only_asked)

    async def _resolve(self, rows: Sequence[TransferRow], taken: list[float]) -> float:
        """All at once; the processor's time for all. Whom they got is then given back."""
        begun = time.process_time()
        taken += await asyncio.gather(*(self._timed(row) for row in rows))
        cpu = time.process_time() - begun
        for row in rows:
            await self.store.record(_given_up(row))
        return cpu

    async def _timed(self, row: TransferRow) -> float:
        ask = ResolveNextAttempt(step=GROUP, ask=1)
        choose = partial(
            decide, ask, BOT, so_far=SoFar(transfer=row.id), now=NOW, lines=lambda _: LineState.NOT_IN_USE
        )
        begun = time.perf_counter()
        await self.store.resolve(row, GROUP, choose, NOW)
        return time.perf_counter() - begun


def _only_asked(row: TransferRow, _: FactsOf) -> Transition:
    """A first turn that rings nobody: whom to ring is what is measured, and comes later."""
    asked = TransferRequested(call=row.call, settings=settings_of(row.bot))
    return Transition(transfer_id=row.id, entries=(Entry(seq=1, at=NOW, event=asked),), legs=())


def _given_up(row: TransferRow) -> Transition:
    return Transition(
        transfer_id=row.id,
        entries=(Entry(seq=2, at=NOW + timedelta(seconds=1), event=CancelRequested()),),
        legs=(),
        outcome=Missed(because=MissedBecause.CANCELLED),
        closed=True,
    )


def _commits(url: str) -> Iterator[float]:
    """A row changed, and the commit of it timed."""
    change = "UPDATE directory SET strike_rest_s = strike_rest_s + 1"
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as lite:
            lite.execute("PRAGMA synchronous = FULL")
            for _ in range(100):
                lite.execute("BEGIN IMMEDIATE")
                lite.execute(change)
                begun = time.perf_counter()
                lite.execute("COMMIT")
                yield time.perf_counter() - begun
        return
    with psycopg.connect(url) as connection:
        for _ in range(100):
            connection.execute(change)
            begun = time.perf_counter()
            connection.commit()
            yield time.perf_counter() - begun


# --- figures


def sheets(found: Sequence[Found]) -> list[Sheet]:
    return [
        _sheet("Whom to ring, by a rule", ABOUT, [(one, one.by_rule) for one in found]),
        _sheet("Whom to ring, of everyone", FLAT_ABOUT, [(one, one.everyone) for one in found]),
    ]


def _sheet(title: str, about: str, rows: Sequence[tuple[Found, Taken]]) -> Sheet:
    return Sheet(
        title=title,
        about=about,
        headings=(
            "site",
            "database",
            "n",
            "p50",
            "p99",
            f"{AT_ONCE} at once, p50",
            "p99",
            "CPU each",
            f"of {AT_ONCE}",
            "commit, p50",
            "p99",
        ),
        rows=tuple(
            (
                one.site.name,
                one.database,
                str(len(taken.one)),
                *(ms2(quantile(values, q)) for values in (taken.one, taken.at_once) for q in (0.5, 0.99)),
                *(ms2(cpu) for cpu in (taken.cpu_one, taken.cpu_at_once)),
                *(ms2(quantile(taken.commit, q)) for q in (0.5, 0.99)),
            )
            for one, taken in rows
        ),
    )


def ms2(seconds: float) -> str:
    return f"{seconds * 1000:.2f}"


def verdicts(found: Sequence[Found]) -> list[Verdict]:
    at_target = [one for one in found if (one.site.agents, one.site.rules) == (10_000, 1_000)]
    return [
        verdict
        for one in at_target
        for verdict in _verdicts(f"whom to ring, 10,000 agents, {one.database}", one.by_rule)
    ]


def _verdicts(of: str, taken: Taken) -> Iterator[Verdict]:
    for what, values, q, limit in (
        ("p50", taken.one, 0.5, 0.002),
        ("p99", taken.one, 0.99, 0.010),
        (f"{AT_ONCE} at once, p99", taken.at_once, 0.99, 0.050),
    ):
        figure = quantile(values, q)
        yield Verdict(
            what=f"{of}, {what}",
            target=f"under {ms(limit)} ms",
            figure=f"{ms(figure)} ms",
            met=figure < limit,
        )
