"""Instants in the database: aware UTC going in and coming out."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, DateTime
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from callcontrol.ports import StoreError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """`timestamptz` on PostgreSQL; on SQLite microseconds since 1970 as an integer, so that an index
    orders them and nothing is rounded.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(BigInteger() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        return stored(dialect, value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return instant(value)


def stored(dialect: Dialect, at: datetime | None) -> Any:
    """As the database has it. Raises StoreError for one without a zone."""
    if at is None:
        return None
    if at.tzinfo is None:
        raise StoreError(f"an instant without a zone: {at}", retryable=False)
    return (at - _EPOCH) // _MICROSECOND if dialect.name == "sqlite" else at


def at(value: Any) -> datetime:
    """As `instant`, of a column that is never empty."""
    found = instant(value)
    assert found is not None  # noqa: S101 - the schema says so
    return found


def instant(value: Any) -> datetime | None:
    """From what the database has."""
    if isinstance(value, int):
        return _EPOCH + timedelta(microseconds=value)
    return None if value is None else value.astimezone(UTC)
