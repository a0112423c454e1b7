"""Instants in the database: aware UTC going in and coming out."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, DateTime
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_stored(at: datetime, dialect: str) -> Any:
    """As the driver takes it."""
    return (at - _EPOCH) // _MICROSECOND if dialect == "sqlite" else at


def from_stored(value: Any) -> datetime | None:
    """As the driver gives it."""
    if isinstance(value, int):
        return _EPOCH + timedelta(microseconds=value)
    return None if value is None else value.astimezone(UTC)


class Instant(TypeDecorator[datetime]):
    """`timestamptz` on PostgreSQL; on SQLite microseconds since 1970 as an integer, so that an index
    orders them and nothing is rounded.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(BigInteger() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"an instant without a zone: {value}")
        return to_stored(value, dialect.name)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return from_stored(value)
