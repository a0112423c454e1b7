"""Questions run to their end in a few threads of the store's own, each in one transaction."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from callcontrol.adapters.sql.engine import allow, make_engine, parse, reading
from callcontrol.adapters.sql.errors import LostRaceError, NotHereError, translated
from callcontrol.adapters.sql.here import Here
from callcontrol.ports import StoreError

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")

LIMIT_S = 5.0
MUCH_LIMIT_S = 60.0
_READERS = 2
_REPORTERS = 1  # for questions that take seconds: no short one waits for them, and SQLite is slower by two
REPORT_LIMIT_S = 120.0
_POSTGRESQL_WRITERS = 3  # more of them only take turns at the interpreter
_TOGETHER = 32  # writes in one transaction: with more, the first of them would wait too long
_ASKED_TOGETHER = 64  # questions in one: what they share costs as much as the deciding for half of them
_TIDY_AFTER = 200  # transactions in the event loop, of some pages each; SQLite itself: after 1,000 pages
_RACES = 3  # times a question is asked after another process wrote the same key
_CLAIM_RACES = 100  # times it is asked while others are quicker to agents: each time one of them has won


class Runner:
    """A question is a function of a connection. One that was cancelled by its caller still ends."""

    def __init__(self, url: str) -> None:
        """Raises ValueError for a database that is not supported. Connects when first asked."""
        self._one_writer = parse(url).drivername == "sqlite"
        writers = 1 if self._one_writer else _POSTGRESQL_WRITERS
        self._engine = make_engine(url, writers + _READERS + _REPORTERS)
        self._reading = reading(self._engine)
        self._by_statement = self._engine if self._one_writer else make_engine(url, 1, by_statement=True)
        self._writers = ThreadPoolExecutor(writers, "callcontrol-sql-write")
        self._readers = ThreadPoolExecutor(_READERS, "callcontrol-sql-read")
        self._reporters = ThreadPoolExecutor(_REPORTERS, "callcontrol-sql-report")
        # One: those who come while a batch is answered are the next one, and no two race each other.
        self._batches = self._writers if self._one_writer else ThreadPoolExecutor(1, "callcontrol-sql-batch")
        self._threads = {self._writers, self._readers, self._reporters, self._batches}
        self._here = Here(url) if self._one_writer else None
        self._untidied = 0
        self._jobs: set[Future[Any]] = set()
        self._writing: set[Future[Any]] = set()  # those of them that are with a writer
        self._first: deque[_Job[Any]] = deque()
        self._waiting: deque[_Job[Any]] = deque()

    async def read(
        self, question: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        job = _Job(lambda connection: question(connection, *args, **kwargs))
        return await self._ask(self._readers, job, partial(job.answer, self._reading))

    async def read_at_leisure(
        self, question: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """A question over much of the database. It may take two minutes, in threads that nothing else waits for."""

        def ask(connection: Connection) -> T:
            allow(connection, REPORT_LIMIT_S)
            return question(connection, *args, **kwargs)

        job = _Job(ask)
        work = partial(job.answer, self._reading)
        return await self._ask(self._reporters, job, work, limit_s=REPORT_LIMIT_S)

    async def write(
        self, question: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        job = _Job(lambda connection: question(connection, *args, **kwargs))
        return await self._ask(self._writers, job, partial(self._answer_in_turn, job))

    async def write_much(
        self, question: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """A write of thousands of rows, which may take a minute."""
        job = _Job(lambda connection: question(connection, *args, **kwargs))
        return await self._ask(self._writers, job, partial(job.answer, self._engine), MUCH_LIMIT_S)

    async def write_together(
        self, question: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """A write that may share a transaction, and so an fsync, with others that wait for the one writer.

        The question may be asked twice: where one of them fails, each is asked again by itself.
        """
        if not self._one_writer:
            return await self.write(question, *args, **kwargs)
        job = _Job(lambda connection: question(connection, *args, **kwargs))
        self._waiting.append(job)
        return await self._ask(self._writers, job, self._answer_waiting)

    async def write_first(
        self, question: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As `write_together`, before all else: a phone waits for it. On SQLite it may be on disk only
        a moment later: see `Here`.
        """
        if self._here is None:
            return await self.write(question, *args, **kwargs)
        if not self._writing:
            with suppress(NotHereError):
                answer = self._here.write(question, *args, **kwargs)
                self._tidy_up()
                return answer
        job = _Job(lambda connection: question(connection, *args, **kwargs))
        self._first.append(job)
        return await self._ask(self._writers, job, self._answer_first)

    async def settle(self) -> None:
        """Bring what was committed from SQLite's log into its file, and empty the log, if nobody reads it now."""
        if self._one_writer:
            job = _Job(lambda _: None)
            await self._ask(self._writers, job, partial(_settle_file, self._engine, job, "TRUNCATE"))

    def _tidy_up(self) -> None:
        """What is written in the event loop leaves the log as it is; the writer's thread brings it into the file."""
        self._untidied += 1
        if self._untidied == _TIDY_AFTER:
            self._untidied = 0
            job = _Job(lambda _: None)
            self._submit(self._writers, job, partial(_settle_file, self._engine, job, "PASSIVE"))

    async def close(self) -> None:
        """What has been asked is answered first, if it ends in time."""
        if self._here is not None:
            self._here.close()
        for threads in self._threads:
            threads.shutdown(wait=False)
        jobs = (asyncio.wrap_future(job) for job in tuple(self._jobs))
        with suppress(TimeoutError):
            async with asyncio.timeout(LIMIT_S):
                await asyncio.gather(*jobs, return_exceptions=True)
            for threads in self._threads:
                threads.shutdown()
        self._engine.dispose()
        self._by_statement.dispose()

    async def write_for_all(self, job: "_Job[T]", work: Callable[[Engine], None]) -> T:
        """Have `work` done in the one thread for it, and wait for `job`, which it answers: see `Batch`."""
        return await self._ask(self._batches, job, partial(work, self._by_statement))

    async def _ask(
        self,
        threads: ThreadPoolExecutor,
        job: "_Job[T]",
        work: Callable[[], None],
        limit_s: float = LIMIT_S,
    ) -> T:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()  # cancelled with its caller; the job goes on
        self._submit(threads, job, work)
        job.done.add_done_callback(partial(_hand_over, loop, answer))
        timer = loop.call_later(limit_s, _give_up, job.done, answer, limit_s)
        try:
            return await answer
        finally:
            timer.cancel()

    def _submit(self, threads: ThreadPoolExecutor, job: "_Job[Any]", work: Callable[[], None]) -> None:
        try:
            threads.submit(work)
        except RuntimeError as exc:
            raise StoreError("the store is closed", retryable=False) from exc
        for jobs in (self._jobs, self._writing) if threads is self._writers else (self._jobs,):
            jobs.add(job.done)
            job.done.add_done_callback(jobs.discard)

    # In a writer's thread. Nothing may wait any more: an earlier call took it along.

    def _answer_in_turn(self, job: "_Job[Any]") -> None:
        self._answer_first()
        job.answer(self._engine)

    def _answer_waiting(self) -> None:
        self._answer_first()
        self._answer_together(self._waiting)

    def _answer_first(self) -> None:
        self._answer_together(self._first)

    def _answer_together(self, waiting: "deque[_Job[Any]]") -> None:
        jobs = [job for job in _popped(waiting) if job.begins()]
        if len(jobs) == 1:
            jobs[0].answer_now(self._engine)
        if len(jobs) <= 1:
            return
        try:
            with translated():
                answers = _in_transaction(
                    self._engine, lambda connection: [job.ask(connection) for job in jobs]
                )
        except Exception as error:
            for job in jobs:
                _failed(job, error, self._engine)
        else:
            for job, answer in zip(jobs, answers, strict=True):
                job.done.set_result(answer)


class Batch(Generic[Item, T]):
    """One question for all who wait: asked together, answered each by itself.

    On PostgreSQL without a transaction: the question may read as it likes, and changes by one statement.
    """

    def __init__(
        self, runner: Runner, question: Callable[[Connection, Sequence[Item]], Sequence[T | Exception]]
    ) -> None:
        """An exception among the answers is that one's own; LostRaceError: it is asked again, alone."""
        self._runner = runner
        self._question = question
        self._waiting: deque[tuple[_Job[T], Item]] = deque()

    async def ask(self, item: Item) -> T:
        job = _Job(lambda connection: self._alone(connection, item))
        self._waiting.append((job, item))
        return await self._runner.write_for_all(job, self._answer_waiting)

    def _alone(self, connection: Connection, item: Item) -> T:
        (answer,) = self._question(connection, [item])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _answer_waiting(self, engine: Engine) -> None:
        """In a writer's thread. Nothing may wait any more: an earlier call took it along."""
        taken = [(job, item) for job, item in _popped(self._waiting, _ASKED_TOGETHER) if job.begins()]
        if len(taken) == 1:
            taken[0][0].answer_now(engine)
        if len(taken) <= 1:
            return
        try:
            answers = _answer(engine, lambda connection: self._question(connection, [i for _, i in taken]))
        except Exception as error:
            for job, _ in taken:
                _failed(job, error, engine)
            return
        for (job, _), answer in zip(taken, answers, strict=True):
            if isinstance(answer, LostRaceError):
                job.answer_now(engine)
            elif isinstance(answer, Exception):
                job.done.set_exception(answer)
            else:
                job.done.set_result(answer)


def _popped(waiting: deque[T], at_most: int = _TOGETHER) -> Iterator[T]:
    """Those who wait, but not too many; other threads take theirs."""
    with suppress(IndexError):
        for _ in range(at_most):
            yield waiting.popleft()


def _failed(job: "_Job[Any]", error: Exception, engine: Engine) -> None:
    """Of many who asked together: each is asked again by itself, but where it would fail them all, one after
    the other.
    """
    if isinstance(error, StoreError) and error.retryable:
        job.done.set_exception(StoreError(str(error), retryable=True))
    else:
        job.answer_now(engine)


class _Job(Generic[T]):
    """A question on its way through the threads, and its answer."""

    def __init__(self, ask: Callable[[Connection], T]) -> None:
        self.ask = ask
        self.done: Future[T] = Future()

    def begins(self) -> bool:
        """False where nobody waits for it any more. From here on it can't be cancelled."""
        return self.done.set_running_or_notify_cancel()

    def answer(self, engine: Engine) -> None:
        if self.begins():
            self.answer_now(engine)

    def answer_now(self, engine: Engine) -> None:
        try:
            result = _answer(engine, self.ask)
        except BaseException as error:
            self.done.set_exception(error)
        else:
            self.done.set_result(result)


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


def _give_up(job: Future[T], answer: asyncio.Future[T], after_s: float) -> None:
    if not answer.done():
        job.cancel()  # only if it has not begun
        answer.set_exception(StoreError(f"no answer from the database for {after_s:g} s", retryable=True))


def _answer(engine: Engine, ask: Callable[[Connection], T]) -> T:
    same_key, was_cut = 0, False
    with translated():
        for _ in range(_CLAIM_RACES):
            try:
                return _in_transaction(engine, ask)
            except IntegrityError:
                # Another process wrote the same key a moment ago: asked anew, the question sees it.
                same_key += 1
                if same_key == _RACES:
                    raise
            except LostRaceError:
                continue
            except DBAPIError as error:
                # Cut while nobody used it: looking at each connection before would cost a round trip. In
                # the commit, which has no statement, it may have been written, and is not asked again.
                if was_cut or not error.connection_invalidated or error.statement is None:
                    raise
                was_cut = True
    raise StoreError("others were quicker to every agent, again and again", retryable=True)


def _settle_file(engine: Engine, job: _Job[None], mode: str) -> None:
    if not job.begins():
        return
    try:
        with translated():
            connection = engine.raw_connection()
            try:
                connection.cursor().execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
            finally:
                connection.close()
    except BaseException as error:
        job.done.set_exception(error)
    else:
        job.done.set_result(None)


def _in_transaction(engine: Engine, ask: Callable[[Connection], T]) -> T:
    with engine.connect() as connection, connection.begin():
        return ask(connection)
