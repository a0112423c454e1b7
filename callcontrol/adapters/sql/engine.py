"""SQLAlchemy engines from a URL, set up so that what is committed is on disk and nothing waits for ever."""

import sqlite3
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL

WAIT_MS = 4000  # for a lock, a statement, a connection: less than the store's own limit

_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}

_SQLITE_PRAGMAS = (
    f"PRAGMA busy_timeout = {WAIT_MS}",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
)
# Of the connection that is used in the event loop: it waits for no lock and no disk, and leaves the log's
# tidying to others.
_HERE_PRAGMAS = (
    "PRAGMA busy_timeout = 0",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA wal_autocheckpoint = 0",
    "PRAGMA foreign_keys = ON",
)
_HERE = "here"


def parse(url: str) -> URL:
    """Raises ValueError for a database that is not supported."""
    parsed = make_url(url)
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None:
        raise ValueError(f"a database of kind {parsed.drivername!r}: use sqlite:///PATH or postgresql://...")
    if driver == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise ValueError("a SQLite database needs a file: sqlite:///PATH")
    return parsed.set(drivername=driver)


def make_engine(url: str, connections: int, *, by_statement: bool = False) -> Engine:
    """At most `connections` at once. Nothing is opened yet. `by_statement`: for questions that want no
    transaction, on PostgreSQL; each statement is one.
    """
    parsed = parse(url)
    common: dict[str, Any] = {
        "pool_size": connections,
        "max_overflow": 0,
        "pool_timeout": WAIT_MS / 1000,
        "hide_parameters": True,  # names and numbers stay out of error texts
    }
    if parsed.drivername == "sqlite":
        engine = create_engine(parsed, **common, connect_args={"timeout": WAIT_MS / 1000})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    limits = {
        "connect_timeout": str(WAIT_MS // 1000),
        "tcp_user_timeout": str(WAIT_MS),
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "application_name": "callcontrol",
    }
    given = parsed.query
    arguments = {name: value for name, value in limits.items() if name not in given}
    level: Any = "AUTOCOMMIT" if by_statement else None
    engine = create_engine(parsed, **common, connect_args=arguments, isolation_level=level)
    event.listen(engine, "connect", _set_up_postgresql)
    return engine


def make_engine_here(url: str) -> Engine:
    """For SQLite: one connection whose transactions are short enough for the event loop. `Here` begins and ends
    them at the driver; SQLAlchemy, which would take as long for that as for a statement, knows of none.

    What it commits outlives this process at once, and the machine as soon as the log has been synchronised.
    """
    engine = create_engine(
        parse(url),
        pool_size=1,
        max_overflow=0,
        pool_timeout=0,
        hide_parameters=True,
        connect_args={"timeout": 0},
        execution_options={_HERE: True},
    )
    event.listen(engine, "connect", _set_up_here)
    return engine


def is_here(connection: Connection) -> bool:
    """The event loop waits for this transaction."""
    return bool(connection.get_execution_options().get(_HERE, False))


def reading(engine: Engine) -> Engine:
    """The same engine, for questions which only read: each sees one state of the database."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(readonly=True)
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def allow(connection: Connection, seconds: float) -> None:
    """Let the statements of this transaction take so long; SQLite's may always."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL statement_timeout = {int(seconds * 1000)}"))


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins no transaction by itself: see _begin_sqlite
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(pragma).close()
    _use_wal(connection)


def _set_up_here(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in _HERE_PRAGMAS:
        connection.execute(pragma).close()


def _use_wal(connection: Any) -> None:
    """Where another connection is just doing the same, SQLite refuses at once, whatever the busy timeout."""
    until = monotonic() + WAIT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
        except sqlite3.OperationalError:
            if monotonic() > until:
                raise
            sleep(0.005)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    """A write takes the lock before it reads: else two read-modify-writes lose one of them in silence."""
    readonly = connection.get_execution_options().get("readonly", False)
    driver: Any = connection.connection.driver_connection  # past SQLAlchemy: a tenth of a question's time
    driver.execute("BEGIN" if readonly else "BEGIN IMMEDIATE").close()


def _set_up_postgresql(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SET statement_timeout = {WAIT_MS}; SET lock_timeout = {WAIT_MS};"
            f" SET idle_in_transaction_session_timeout = {WAIT_MS}; SET timezone = 'UTC'"
        )
    connection.commit()
