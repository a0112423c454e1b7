"""Questions run to their end in a few threads of the store's own, each in one transaction."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
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
        closing = asyncio.to_thread(self._shut_down)
        try:
            await asyncio.wait_for(asyncio.shield(closing), LIMIT_S)
        except TimeoutError:
            for threads in (self._readers, self._writers):
                threads.shutdown(wait=False, cancel_futures=True)

    def _shut_down(self) -> None:
        for threads in (self._readers, self._writers):
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
        try:
            job: Future[T] = threads.submit(_answer, engine, question, args, kwargs)
        except RuntimeError as exc:
            raise StoreError("the store is closed", retryable=False) from exc
        answer = asyncio.wrap_future(job)
        answer.add_done_callback(_look_at)
        try:
            async with asyncio.timeout(LIMIT_S):
                return await asyncio.shield(answer)
        except TimeoutError:
            job.cancel()  # only if it has not begun
            raise StoreError(f"no answer from the database for {LIMIT_S:g} s", retryable=True) from None


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


def _look_at(answer: asyncio.Future[Any]) -> None:
    """An answer whose caller has gone is nobody's error."""
    if not answer.cancelled():
        answer.exception()
