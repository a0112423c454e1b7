"""A site's own tables: named queries against its own database, which is only ever read.

A query gives the columns that callcontrol expects, under these names (`AS` does it):

- `lead`, by :lead_id: lead_id, name, phone (E.164), email, source, assigned_agent_id; every other column
  is a field that rules can look at.
- `availability`, by :agent_ids (written `IN (:agent_ids)`) or of everyone: agent_id, available. Who is not
  in it keeps the toggle callcontrol has.
- `agents`: id, name, active, zone, phone, extension; and where it likes number, tags, languages, weight,
  wrap_up_s (see own_agents.py).
"""

import asyncio
import re
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import (
    Connection,
    Engine,
    QueuePool,
    TextClause,
    bindparam,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.exc import DataError, SQLAlchemyError

from callcontrol.adapters.sql.errors import translated
from callcontrol.adapters.sql.own_agents import Snapshot, snapshot, word, yes
from callcontrol.adapters.sql.roster import Roster
from callcontrol.core.model import AgentId, Lead, LeadId
from callcontrol.ports import StoreError, UnknownError

T = TypeVar("T")

LIMIT_S = 2.0
_CONNECTIONS = 4
_STEPS = 10_000  # of SQLite's machine, between two looks at the clock

_COLUMNS = {
    "lead": ("lead_id", "name", "phone", "email", "source", "assigned_agent_id"),
    "availability": ("agent_id", "available"),
    "agents": ("id", "name", "active", "zone", "phone", "extension"),
}
_PARAMETERS = {"lead": "lead_id", "availability": "agent_ids", "agents": None}


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnTables:
    """The queries; an empty one is none, and callcontrol's own table counts."""

    url: str
    lead: str = ""
    availability: str = ""
    agents: str = ""

    def queries(self) -> dict[str, str]:
        named = {"lead": self.lead, "availability": self.availability, "agents": self.agents}
        return {name: query for name, query in named.items() if query}


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """What the site's own tables said for one question."""

    lead: Lead | None = None
    lead_failed: StoreError | None = None
    availability: Mapping[AgentId, bool] | None = None
    warning: str = ""

    def toggles(self, roster: Roster) -> Roster:
        if self.availability is None and not self.warning:
            return roster
        return roster.under(self.availability or {}, self.warning)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """A lead that nobody knows, while the site's table could not be read, may well exist."""
        try:
            yield
        except UnknownError as unknown:
            if unknown.what == "lead" and self.lead_failed is not None:
                raise self.lead_failed from None
            raise


NOTHING = Site()


class OwnDatabase:
    """Each question ends after 2 s. All raise StoreError."""

    def __init__(self, tables: OwnTables) -> None:
        """Raises ValueError for a query whose parameters callcontrol does not have."""
        self._engine = _engine(tables.url)
        self._threads = ThreadPoolExecutor(_CONNECTIONS, "callcontrol-own-tables")
        self._last: tuple[Sequence[Mapping[str, Any]], Snapshot] | None = None
        self._queries = {name: _prepared(name, query) for name, query in tables.queries().items()}

    @property
    def has_leads(self) -> bool:
        return "lead" in self._queries

    @property
    def has_availability(self) -> bool:
        return "availability" in self._queries

    @property
    def has_agents(self) -> bool:
        return "agents" in self._queries

    async def check(self) -> None:
        """Whether each query runs and gives its columns; the error names the query."""
        for name in self._queries:
            await self._ask(name, {_PARAMETERS[name]: None}, lambda _: None)

    async def lead(self, lead_id: LeadId) -> Lead | None:
        found = await self._ask("lead", {"lead_id": lead_id}, lambda rows: [_lead(row) for row in rows[:1]])
        return found[0] if found else None

    async def availability(self, agents: Collection[AgentId]) -> Mapping[AgentId, bool]:
        return await self._ask("availability", {"agent_ids": agents}, _availability)

    async def agents(self) -> Snapshot:
        """The same object while the rows are the same."""
        return await self._ask("agents", {}, self._snapshot)

    def _snapshot(self, rows: Sequence[Mapping[str, Any]]) -> Snapshot:
        if self._last is None or self._last[0] != rows:
            self._last = rows, snapshot(rows)
        return self._last[1]

    async def close(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LIMIT_S):
                await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        self._engine.dispose()

    async def _ask(
        self, name: str, given: Mapping[Any, Any], made: Callable[[Sequence[Mapping[str, Any]]], T]
    ) -> T:
        statement = self._queries[name]
        parameters = {key: value for key, value in given.items() if key in statement.compile().params}
        if "agent_ids" in parameters:
            parameters["agent_ids"] = list(parameters["agent_ids"] or [None])  # a list of none has no type
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(LIMIT_S):
                rows = await loop.run_in_executor(self._threads, self._rows, name, statement, parameters)
        except TimeoutError:
            raise _failed(name, f"no answer for {LIMIT_S:g} s", retryable=True) from None
        except StoreError as error:
            raise _failed(name, str(error), retryable=error.retryable) from None
        except RuntimeError as error:
            raise StoreError("the store is closed", retryable=False) from error
        return made(rows)

    def _rows(
        self, name: str, statement: TextClause, parameters: Mapping[str, Any]
    ) -> list[Mapping[str, Any]]:
        with translated(), self._engine.connect() as connection:
            _bound(connection)
            try:
                found = connection.execute(statement, parameters)
            except DataError:
                if name == "lead":  # the id can't be one: letters, where this site's are numbers
                    return []
                raise
            columns = tuple(found.keys())
            missing = [column for column in _COLUMNS[name] if column not in columns]
            if missing:
                raise StoreError(
                    f"it gives {', '.join(columns)}, and not {', '.join(missing)}; rename columns with AS",
                    retryable=False,
                )
            return [dict(row) for row in found.mappings()]


def _failed(name: str, why: str, *, retryable: bool) -> StoreError:
    return StoreError(f"own tables, query {name!r}: {why}", retryable=retryable)


def _prepared(name: str, query: str) -> TextClause:
    statement = text(re.sub(r"\(\s*:agent_ids\s*\)", ":agent_ids", query.strip().rstrip(";")))
    given, allowed = set(statement.compile().params), _PARAMETERS[name]
    if given - {allowed} or (name == "lead" and not given):
        has = ", ".join(f":{parameter}" for parameter in sorted(given)) or "none"
        wants = "it has none to give" if allowed is None else f"write :{allowed}"
        raise ValueError(f"own tables, query {name!r}: its parameters are {has}; {wants}")
    return statement.bindparams(bindparam("agent_ids", expanding=True)) if "agent_ids" in given else statement


def _engine(url: str) -> Engine:
    """Raises ValueError for a URL that is none, or whose driver is not installed."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            path = quote(parsed.database or "")
            return create_engine(
                "sqlite://",
                creator=lambda: sqlite3.connect(
                    f"file:{path}?mode=ro", uri=True, timeout=LIMIT_S, check_same_thread=False
                ),
                poolclass=QueuePool,
                pool_size=_CONNECTIONS,
                max_overflow=0,
                hide_parameters=True,
            )
        if parsed.drivername in ("postgres", "postgresql"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        engine = create_engine(
            parsed,
            pool_size=_CONNECTIONS,
            max_overflow=0,
            pool_timeout=LIMIT_S,
            pool_pre_ping=True,
            hide_parameters=True,
        )
    except (SQLAlchemyError, ImportError) as exc:
        raise ValueError(f"own tables: the URL of the database can't be used: {exc}") from None
    if engine.dialect.name == "postgresql":
        event.listen(engine, "connect", _set_up_postgresql)
    return engine


def _set_up_postgresql(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SET default_transaction_read_only = on; SET statement_timeout = {int(LIMIT_S * 1000)}"
        )
    connection.commit()


def _bound(connection: Connection) -> None:
    """SQLite has no time limit of its own."""
    if connection.dialect.name == "sqlite":
        until = monotonic() + LIMIT_S
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(lambda: monotonic() > until, _STEPS)


def _lead(row: Mapping[str, Any]) -> Lead:
    fields = {
        name: str(value) for name, value in row.items() if name not in _COLUMNS["lead"] and value is not None
    }
    assigned = row["assigned_agent_id"]
    return Lead(
        id=LeadId(word(row["lead_id"])),
        name=word(row["name"]),
        phone=word(row["phone"]),
        email=word(row["email"]),
        source=word(row["source"]),
        assigned_agent_id=None if assigned is None else AgentId(word(assigned)),
        fields=fields,
    )


def _availability(rows: Sequence[Mapping[str, Any]]) -> Mapping[AgentId, bool]:
    return {AgentId(word(row["agent_id"])): yes(row["available"]) for row in rows}
