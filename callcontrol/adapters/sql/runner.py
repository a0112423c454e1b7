"""Questions run to their end in a few threads of the store's own, each in one transaction."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from callcontrol.adapters.sql.engine import make_engine, parse, reading
from callcontrol.adapters.sql.errors import translated
from callcontrol.ports import StoreError

P = ParamSpec("P")
T = TypeVar("T")

LIMIT_S = 5.0
_READERS = 2
_POSTGRESQL_WRITERS = 6
_RACES = 3  # times a question is asked anew after another process was quicker


class Runner:
    """A question is a function of a connection. One that was cancelled by its caller still ends."""

    def __init__(self, url: str) -> None:
        """Raises ValueError for a database that is not supported. Connects when first asked."""
        writers = 1 if parse(url).drivername == "sqlite" else _POSTGRESQL_WRITERS
        self._engine = make_engine(url, writers + _READERS)
        self._reading = reading(self._engine)
        self._writers = ThreadPoolExecutor(writers, "callcontrol-sql-write")
        self._readers = ThreadPoolExecutor(_READERS, "callcontrol-sql-read")
        self._threads = (self._writers, self._readers)
        self._jobs: set[Future[Any]] = set()

    async def read(
        self, question: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self._ask(self._readers, self._reading, question, args, kwargs)

    async def write(
        self, question: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self._ask(self._writers, self._engine, question, args, kwargs)

    async def close(self) -> None:
        """What has been asked is answered first, if it ends in time."""
        for threads in self._threads:
            threads.shutdown(wait=False)
        jobs = (asyncio.wrap_future(job) for job in tuple(self._jobs))
        with suppress(TimeoutError):
            async with asyncio.timeout(LIMIT_S):
                await asyncio.gather(*jobs, return_exceptions=True)
            for threads in self._threads:
                threads.shutdown()
        self._engine.dispose()

    async def _ask(
        self,
        threads: ThreadPoolExecutor,
        engine: Engine,
        question: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> T:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()  # cancelled with its caller; the job goes on
        try:
            job: Future[T] = threads.submit(_answer, engine, question, args, kwargs)
        except RuntimeError as exc:
            raise StoreError("the store is closed", retryable=False) from exc
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        job.add_done_callback(partial(_hand_over, loop, answer))
        timer = loop.call_later(LIMIT_S, _give_up, job, answer)
        try:
            return await answer
        finally:
            timer.cancel()


def _hand_over(loop: asyncio.AbstractEventLoop, answer: asyncio.Future[T], job: Future[T]) -> None:
    """From the thread to the loop."""
    with suppress(RuntimeError):  # the loop has been closed: nobody waits
        loop.call_soon_threadsafe(_settle, answer, job)


def _settle(answer: asyncio.Future[T], job: Future[T]) -> None:
    if answer.done() or job.cancelled():
        return
    error = job.exception()
    if error is None:
        answer.set_result(job.result())
    else:
        answer.set_exception(error)


def _give_up(job: Future[T], answer: asyncio.Future[T]) -> None:
    if not answer.done():
        job.cancel()  # only if it has not begun
        answer.set_exception(StoreError(f"no answer from the database for {LIMIT_S:g} s", retryable=True))


def _answer(engine: Engine, question: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
    with translated():
        for _ in range(1, _RACES):
            try:
                return _in_transaction(engine, question, args, kwargs)
            except IntegrityError:
                # Another process wrote the same key a moment ago: asked anew, the question sees it.
                continue
        return _in_transaction(engine, question, args, kwargs)


def _in_transaction(
    engine: Engine, question: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> T:
    with engine.connect() as connection, connection.begin():
        return question(connection, *args, **kwargs)
