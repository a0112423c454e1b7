"""What `callcontrol check` says of the database."""

from collections.abc import Iterator

from sqlalchemy import Connection, text, update

from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.directory import Memory
from callcontrol.adapters.sql.migrate import SchemaState, status_of
from callcontrol.ports import Finding

_SQLITE_FULL = 2


def ping(connection: Connection, memory: Memory) -> None:
    memory.roster(connection)


def findings(connection: Connection) -> tuple[Finding, ...]:
    """In a writing transaction."""
    schema = status_of(connection)
    found = Finding(
        subject="database schema",
        ok=schema.state is SchemaState.CURRENT,
        remedy=schema.remedy,
        detail=f"{schema.state}: found {schema.found or 'none'}, needed {schema.needed}",
    )
    if not found.ok:
        return (found,)
    connection.execute(update(s.directory).values(version=s.directory.c.version))
    writable = Finding(subject="database writable", ok=True)
    return (found, writable, *_durable(connection))


def _durable(connection: Connection) -> Iterator[Finding]:
    """Whether what is committed is on disk."""
    if connection.dialect.name == "sqlite":
        mode = str(connection.scalar(text("PRAGMA journal_mode")))
        yield Finding(
            subject="SQLite journal mode",
            ok=mode == "wal",
            remedy="" if mode == "wal" else "put the database on a local disk: WAL needs shared memory",
            detail=mode,
        )
        full = connection.scalar(text("PRAGMA synchronous")) == _SQLITE_FULL
        yield Finding(
            subject="SQLite synchronous",
            ok=full,
            remedy="" if full else "this SQLite was built without synchronous=FULL: use another build",
            detail="full" if full else "less than full",
        )
        return
    for setting in ("fsync", "synchronous_commit"):
        value = str(connection.scalar(text(f"SHOW {setting}")))
        yield Finding(
            subject=f"PostgreSQL {setting}",
            ok=value != "off",
            remedy="" if value != "off" else f"set {setting} = on: a crash may lose what was accepted",
            detail=value,
        )
