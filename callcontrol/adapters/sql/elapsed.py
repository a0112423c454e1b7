"""Time between instants, reckoned by the database in whole numbers, the same on both."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement

QUARTER_HOUR_US = 900_000_000


class micros(FunctionElement[int]):  # noqa: N801 - an SQL function, and named like one
    """`micros(later, earlier)`: microseconds; none where one of them is none. See Instant."""

    type = BigInteger()
    inherit_cache = True


@compiles(micros, "sqlite")
def _sqlite(element: Any, compiler: Any, **how: Any) -> str:
    later, earlier = (compiler.process(one, **how) for one in element.clauses)
    return f"({later} - {earlier})"


@compiles(micros, "postgresql")
def _postgresql(element: Any, compiler: Any, **how: Any) -> str:
    later, earlier = (compiler.process(one, **how) for one in element.clauses)
    return f"CAST(EXTRACT(EPOCH FROM ({later} - {earlier})) * 1000000 AS BIGINT)"


class quarter_hours(FunctionElement[int]):  # noqa: N801 - likewise
    """`quarter_hours(instant)`: the quarter of an hour since 1970 it is in; every zone's hours begin with one."""

    type = BigInteger()
    inherit_cache = True


@compiles(quarter_hours, "sqlite")
def _sqlite_quarters(element: Any, compiler: Any, **how: Any) -> str:
    (instant,) = (compiler.process(one, **how) for one in element.clauses)
    return f"({instant} / {QUARTER_HOUR_US})"


@compiles(quarter_hours, "postgresql")
def _postgresql_quarters(element: Any, compiler: Any, **how: Any) -> str:
    (instant,) = (compiler.process(one, **how) for one in element.clauses)
    return f"CAST(floor(EXTRACT(EPOCH FROM {instant}) / 900) AS BIGINT)"


def tenths(of_micros: ColumnElement[int]) -> ColumnElement[int]:
    """Tenths of a second, rounded down."""
    return of_micros // 100_000
