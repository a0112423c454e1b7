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

DRIVER = "driver"  # an option of a connection that has it at hand: SQLAlchemy goes through five layers for it


class Driven:
    """Made from a function that builds the statement for a kind of database. Parameters and columns are as
    the database has them: see `instants`.
    """

    def __init__(self, build: Callable[[str], Any], columns: Sequence[str] | None = None) -> None:
        """`columns`: those that an INSERT gives, if not all."""
        self._compiled = cache(lambda dialect: _compiled(build(dialect), dialect, columns))

    def rows(self, connection: Connection, given: dict[str, Any]) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = self._run(connection, given).fetchall()
        return rows

    def count(self, connection: Connection, given: dict[str, Any]) -> int:
        """How many rows it changed."""
        changed: int = self._run(connection, given).rowcount
        return changed

    def each(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> int:
        """Run it for every one of the rows; how many rows it changed."""
        text, order = self._compiled(connection.dialect.name)
        driver = _driver(connection)
        with _translated(connection, text):
            cursor = driver.cursor()
            cursor.executemany(text, rows if order is None else [[row[n] for n in order] for row in rows])
            changed: int = cursor.rowcount
            cursor.close()
            return changed

    def _run(self, connection: Connection, given: dict[str, Any]) -> Any:
        text, order = self._compiled(connection.dialect.name)
        driver = _driver(connection)
        with _translated(connection, text):
            if order is not None:
                return driver.execute(text, [given[name] for name in order])
            return driver.execute(text, given, binary=True)


def _driver(connection: Connection) -> Any:
    return connection.get_execution_options().get(DRIVER) or connection.connection.driver_connection


class _translated:  # noqa: N801 - reads as a phrase
    """Errors of the driver, as SQLAlchemy would raise them."""

    def __init__(self, connection: Connection, text: str) -> None:
        self._connection, self._text = connection, text

    def __enter__(self) -> None: ...

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: object) -> None:
        if isinstance(error, self._connection.dialect.loaded_dbapi.Error):
            raise _wrapped(self._connection, self._text, error) from None


def _compiled(
    statement: Any, dialect: str, columns: Sequence[str] | None
) -> tuple[str, Sequence[str] | None]:
    """The text, and the order of its parameters where they have no names."""
    if dialect == "sqlite":
        compiled = statement.compile(dialect=sqlite.dialect(paramstyle="qmark"), column_keys=columns)
        return str(compiled), tuple(compiled.positiontup)
    of_postgresql: Any = postgresql.psycopg.dialect()  # type: ignore[no-untyped-call]
    return str(statement.compile(dialect=of_postgresql, column_keys=columns)), None


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
