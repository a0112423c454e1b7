"""The schema's version: what a database has, what this program needs, and the way from one to the other."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from callcontrol.adapters.sql.engine import make_engine
from callcontrol.adapters.sql.errors import translated
from callcontrol.adapters.sql.schema import VERSION_TABLE, metadata
from callcontrol.ports import StoreError

_UPGRADE_LOCK = 0x63616C6C  # any number of our own


class SchemaState(StrEnum):
    EMPTY = "empty"
    CURRENT = "current"
    OLDER = "older"
    UNKNOWN = "unknown"  # of a newer version, or of another program


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaStatus:
    state: SchemaState
    found: str | None
    needed: str

    @property
    def remedy(self) -> str:
        """What to do, where a daemon can't run on it; empty where it can."""
        match self.state:
            case SchemaState.CURRENT:
                return ""
            case SchemaState.EMPTY | SchemaState.OLDER:
                return "run `callcontrol db upgrade`"
            case SchemaState.UNKNOWN if self.found is None:
                return "the tables are another program's: give callcontrol a database of its own"
            case SchemaState.UNKNOWN:
                return "the database was written by a newer callcontrol: install that one"


def status(url: str) -> SchemaStatus:
    """Raises StoreError where the database is away."""
    engine = make_engine(url, 1)
    try:
        with translated(), engine.connect() as connection:
            return status_of(connection)
    finally:
        engine.dispose()


def upgrade(url: str) -> SchemaStatus:
    """Bring the database to the schema this program needs; all or nothing.

    Raises StoreError where the database is away, or is not one to be upgraded.
    """
    engine = make_engine(url, 1)
    try:
        with translated(), engine.connect() as connection, connection.begin():
            upgrade_in(connection)
            return status_of(connection)
    finally:
        engine.dispose()


def upgrade_in(connection: Connection, *, only_if_empty: bool = False) -> None:
    """In the caller's transaction. Two at once: the second finds it done."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
    found = status_of(connection)
    if found.state is SchemaState.UNKNOWN:
        raise StoreError(f"unknown schema {found.found}: {found.remedy}", retryable=False)
    if found.state is SchemaState.EMPTY or (found.state is SchemaState.OLDER and not only_if_empty):
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def status_of(connection: Connection) -> SchemaStatus:
    scripts = ScriptDirectory.from_config(_config())
    needed = scripts.get_current_head() or ""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    found = context.get_current_revision()
    if found == needed:
        state = SchemaState.CURRENT
    elif found is not None:
        known = {script.revision for script in scripts.walk_revisions()}
        state = SchemaState.OLDER if found in known else SchemaState.UNKNOWN
    else:
        ours = metadata.tables.keys() & set(inspect(connection).get_table_names())
        state = SchemaState.UNKNOWN if ours else SchemaState.EMPTY
    return SchemaStatus(state=state, found=found, needed=needed)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
