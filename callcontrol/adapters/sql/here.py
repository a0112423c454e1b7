"""Transactions in the event loop itself, on SQLite: two changes of thread and an fsync less while a phone waits.

What such a transaction commits is in SQLite's log, where it outlives this process, however it dies. The log
is synchronised by a thread right afterwards, so that a moment later it outlives the machine too.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from callcontrol.adapters.sql.engine import make_engine_here, parse
from callcontrol.adapters.sql.errors import LostRaceError, NotHereError
from callcontrol.ports import StoreError

T = TypeVar("T")

SYNC_AFTER_S = 0.001  # the orders leave first; and what others commit meanwhile is synchronised with it


class Here:
    """Used from one event loop, while no thread of this process writes."""

    def __init__(self, url: str) -> None:
        self._engine = make_engine_here(url)
        self._connection: Connection | None = None
        self._log = f"{parse(url).database}-wal"
        self._thread = ThreadPoolExecutor(1, "callcontrol-sql-sync")
        self._timer: asyncio.TimerHandle | None = None
        self._sync: asyncio.Future[None] | None = None

    def write(self, question: Callable[[Connection], T]) -> T:
        """Raises NotHereError where it must be asked in a thread: another process writes, much has to be
        read first, or the database has an objection, which is looked at there.
        """
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            with self._connection.begin():
                answer = question(self._connection)
        except (sqlite3.Error, SQLAlchemyError, LostRaceError) as error:
            raise NotHereError from error
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SYNC_AFTER_S, self._synchronise)
        return answer

    async def on_disk(self) -> None:
        """Until all that was committed so far is on disk. Raises StoreError."""
        if self._timer is not None:
            self._synchronise()
        if self._sync is not None:
            try:
                await asyncio.shield(self._sync)
            except OSError as error:
                reason = f"database: the log can't be written to disk: {error.strerror}"
                raise StoreError(reason, retryable=True) from None

    async def close(self) -> None:
        with suppress(StoreError):
            await self.on_disk()
        self._thread.shutdown(wait=False)
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()

    def _synchronise(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._sync = asyncio.get_running_loop().run_in_executor(self._thread, _synchronise, self._log)
        self._sync.add_done_callback(lambda done: done.cancelled() or done.exception())


def _synchronise(log: str) -> None:
    try:
        file = os.open(log, os.O_RDWR)
    except FileNotFoundError:
        return  # all of it is in the database
    try:
        os.fdatasync(file)
    finally:
        os.close(file)
