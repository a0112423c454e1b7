"""Statements that go past SQLAlchemy to the driver, for the few questions asked while a lead waits.

SQLAlchemy builds the statement, once for each kind of database; its share in running one is several times
that of the driver.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError


class Driven:
    """Made from a function that builds the statement for a kind of database. Parameters and columns are as
    the database has them: see `instants`.
    """

    def __init__(self, build: Callable[[str], Any]) -> None:
        self._compiled = cache(lambda dialect: _compiled(build(dialect), dialect))

    def rows(self, connection: Connection, given: dict[str, Any]) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = self._run(connection, given).fetchall()
        return rows

    def count(self, connection: Connection, given: dict[str, Any]) -> int:
        """How many rows it changed."""
        changed: int = self._run(connection, given).rowcount
        return changed

    def _run(self, connection: Connection, given: dict[str, Any]) -> Any:
        text, order = self._compiled(connection.dialect.name)
        driver: Any = connection.connection.driver_connection
        try:
            if order is not None:
                return driver.execute(text, [given[name] for name in order])
            return driver.execute(text, given, binary=True)
        except connection.dialect.loaded_dbapi.Error as error:
            raise _wrapped(connection, text, error) from None


def _compiled(statement: Any, dialect: str) -> tuple[str, Sequence[str] | None]:
    """The text, and the order of its parameters where they have no names."""
    if dialect == "sqlite":
        compiled = statement.compile(dialect=sqlite.dialect(paramstyle="qmark"))
        return str(compiled), tuple(compiled.positiontup)
    return str(statement.compile(dialect=postgresql.psycopg.dialect())), None  # type: ignore[no-untyped-call]


def _wrapped(connection: Connection, text: str, error: Exception) -> Exception:
    """As SQLAlchemy would raise it; a connection that broke goes from the pool, with all that are like it."""
    dialect = connection.dialect
    broken = dialect.is_disconnect(error, connection.connection.driver_connection, None)  # type: ignore[arg-type]
    if broken:
        connection.invalidate(error)
        connection.engine.dispose(close=False)
    wrapped: Exception = DBAPIError.instance(
        text,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=broken,
        dialect=dialect,
    )
    return wrapped
