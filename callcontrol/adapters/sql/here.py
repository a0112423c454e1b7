"""Transactions in the event loop itself, on SQLite: two changes of thread and an fsync less while a phone waits.

What such a transaction commits is in SQLite's log, where it outlives this process, however it dies. A thread
synchronises the log a moment later, for all that was committed meanwhile: from then on it outlives the
machine too. Not at once: a log that is being written to disk takes nothing new, and the event loop would wait.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate, ParamSpec, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from callcontrol.adapters.sql.driven import DRIVER
from callcontrol.adapters.sql.engine import make_engine_here, parse
from callcontrol.adapters.sql.errors import LostRaceError, NotHereError

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

SYNC_AFTER_S = 0.02


class Here:
    """Used from one event loop, while no thread of this process writes."""

    def __init__(self, url: str) -> None:
        self._engine = make_engine_here(url)
        self._connection: Connection | None = None
        self._driver: Any = None
        self._log = f"{parse(url).database}-wal"
        self._thread = ThreadPoolExecutor(1, "callcontrol-sql-sync")
        self._timer: asyncio.TimerHandle | None = None

    def write(
        self, question: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Raises NotHereError where it must be asked in a thread: another process writes, much has to be
        read first, or the database has an objection, which is looked at there.
        """
        try:
            if self._connection is None:
                connection = self._engine.connect()
                self._driver = connection.connection.driver_connection
                self._connection = connection.execution_options(**{DRIVER: self._driver})
            self._driver.execute("BEGIN IMMEDIATE").close()
            try:
                answer = question(self._connection, *args, **kwargs)
                self._driver.commit()
            except BaseException:
                self._driver.rollback()
                raise
        except (sqlite3.Error, SQLAlchemyError, LostRaceError) as error:
            raise NotHereError from error
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SYNC_AFTER_S, self._synchronise)
        return answer

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._synchronise()
        self._thread.shutdown()
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()

    def _synchronise(self) -> None:
        self._timer = None
        self._thread.submit(_synchronise, self._log)


def _synchronise(path: str) -> None:
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return  # all of it is in the database
    except OSError as error:
        log.error("the database's log could not be synchronised", error=error.strerror)
        return
    try:
        os.fdatasync(file)
    except OSError as error:
        log.error("the database's log could not be synchronised", error=error.strerror)
    finally:
        os.close(file)
