"""Where the database's exceptions end: outside there is only StoreError."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from callcontrol.ports import StoreError

# SQLite calls a missing table an OperationalError too: only these may pass by themselves.
_SQLITE_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)


class LostRaceError(Exception):
    """Another transaction was quicker to what this one had seen to be free: to be asked anew."""


class NotHereError(Exception):
    """This transaction would keep the event loop waiting: to be asked in a thread."""


@contextmanager
def translated() -> Iterator[None]:
    """Any exception of SQLAlchemy or a driver becomes a StoreError.

    Its text is the first line the database said: the lines after it may quote a row, and a row may
    be about a person. For the same reason the exception itself is not chained.
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as exc:  # the latter from our own BEGIN
        raise StoreError(f"database: {_first_line(exc)}", retryable=_passes(exc)) from None


def _passes(exc: Exception) -> bool:
    """The same again may succeed."""
    cause = exc.orig if isinstance(exc, DBAPIError) else exc
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", None)
        return code is not None and code & 0xFF in _SQLITE_PASSING
    if isinstance(exc, DBAPIError):
        return exc.connection_invalidated or isinstance(exc, OperationalError | InterfaceError)
    return isinstance(exc, NoConnectionError)


def _first_line(exc: Exception) -> str:
    cause = exc.orig if isinstance(exc, DBAPIError) and exc.orig is not None else exc
    return (str(cause).splitlines() or [""])[0] or type(cause).__name__
