"""An outbox with a database of its own, gateways that do as a test says, and a clock that is told the time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from callcontrol.adapters.simulated import VirtualClock
from callcontrol.adapters.sql import SqlStore
from callcontrol.core.followup import FollowUp, TextOut
from callcontrol.outbox import Lane, Limits, Outbox, Pace, Route, Routes
from callcontrol.ports import (
    BusyError,
    DoubtError,
    Message,
    NewMessage,
    PortError,
    StoreError,
    UnreachableError,
)
from tests.adapters.store import people as p

SENT = None
REFUSED = PortError("no such number", retryable=False)
HOUR = timedelta(hours=1)
NAMES = ("one", "two", "three")
NEW = NewMessage(dedupe_key="new", to="+999", body="new", recipient="owner")
BUSY = PortError("try later", retryable=True)
TRY_LATER = BusyError("overloaded", retry_after_s=20)
UNSURE = DoubtError("it said nothing")
AWAY = UnreachableError("the phone is off")


class Gateway:
    """Answers in turn with what is given, the last one for ever."""

    keyed = False

    def __init__(self, *answers: Exception | float | None) -> None:
        self.answers = list(answers) or [SENT]
        self.asked: list[str] = []

    async def send(self, message: Message) -> str:
        self.asked.append(message.body)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        match answer:
            case Exception():
                raise answer
            case float():
                await asyncio.sleep(answer)
        return ""


class Database(SqlStore):
    """A store that says when it is at work, and that can be away."""

    working = 0
    away = False

    async def claim_messages(self, *given, **more):
        return await self._done(super().claim_messages(*given, **more))

    async def message_sent(self, *given):
        await self._done(super().message_sent(*given))

    async def message_failed(self, *given):
        await self._done(super().message_failed(*given))

    async def reroute(self, *given):
        await self._done(super().reroute(*given))

    async def park_orphans(self, *given):
        return await self._done(super().park_orphans(*given))

    async def _done(self, work: Coroutine[Any, Any, Any]) -> Any:
        if self.away:
            work.close()
            raise StoreError("the database is away", retryable=True)
        self.working += 1
        try:
            return await work
        finally:
            self.working -= 1


class Desk:
    """A store, an outbox and the clock between them."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "cc.db"
        self.store = Database(f"sqlite:///{self.file}")
        self.clock = VirtualClock(p.LATER + timedelta(seconds=1))
        self.deciding = False  # a transfer is under way

    async def queue(self, *numbers: str, name: str = "t1") -> None:
        await p.opened(self.store, name)
        texts = tuple(TextOut(recipient=f"r{n}", to=to, body=f"{name} {n}") for n, to in enumerate(numbers))
        await self.store.record(p.missed(name, follow_up=FollowUp(texts=texts)))

    @asynccontextmanager
    async def outbox(
        self, *gateways: Gateway, routes: tuple[Route, ...] = (), most_attempts: int = 30, **limits: Any
    ) -> AsyncIterator[Outbox]:
        """Gateways `one`, `two`, ... in that order, unless there are routes."""
        lanes = [
            Lane(name, gateway, Limits(**limits), jitter=lambda: 1.0)
            for name, gateway in zip(NAMES, gateways, strict=False)
        ]
        outbox = Outbox(
            store=self.store,
            lanes=lanes,
            routes=Routes(routes=routes or (Route(gateways=tuple(lane.name for lane in lanes)),)),
            clock=self.clock,
            deciding=lambda: self.deciding,
            pace=Pace(gather_s=0, most_attempts=most_attempts, drain_s=0.5),
            jitter=lambda: 1.0,
        )
        running = asyncio.create_task(outbox.run())
        try:
            yield outbox
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def restarts(self) -> None:
        """What an earlier process had begun to write is written."""
        await self.store.close()
        self.store = Database(f"sqlite:///{self.file}")

    async def passes(self, seconds: float) -> None:
        await self.clock.advance(seconds, busy=lambda: self.store.working > 0)

    async def until(self, holds: Callable[[], bool], limit_s: float = 5.0) -> None:
        async with asyncio.timeout(limit_s):
            while not holds():
                await asyncio.sleep(0.005)

    def rows(self) -> list[tuple[str, int, str | None]]:
        """State, attempts and last error of each text, read past the store."""
        engine = create_engine(f"sqlite:///{self.file}")
        with engine.connect() as connection:
            found = connection.execute(
                text("SELECT state, attempts, last_error FROM outbox ORDER BY id")
            ).all()
        engine.dispose()
        return [tuple(row) for row in found]

    def states(self) -> list[str]:
        return [row[0] for row in self.rows()]
