"""A clock that stands still until it is told to go on."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 6, 1, 15, 0, tzinfo=UTC)  # a Monday


class VirtualTimer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class VirtualClock:
    """`advance` runs what falls due on the way, in order, and lets the event loop settle after each."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._due: list[tuple[datetime, int, VirtualTimer]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        return self._now

    def call_later(self, seconds: float, callback: Callable[[], None]) -> VirtualTimer:
        timer = VirtualTimer(callback)
        at = self._now + timedelta(seconds=max(0.0, seconds))
        heapq.heappush(self._due, (at, next(self._order), timer))
        return timer

    async def sleep(self, seconds: float) -> None:
        done = asyncio.Event()
        timer = self.call_later(seconds, done.set)
        try:
            await done.wait()
        finally:
            timer.cancel()

    async def advance(self, seconds: float, busy: Callable[[], bool] = lambda: False) -> None:
        """Let `seconds` pass. `busy` says that work is going on that must end before time does."""
        until = self._now + timedelta(seconds=seconds)
        await settle(busy)
        while self._due and self._due[0][0] <= until:
            at, _, timer = heapq.heappop(self._due)
            if timer.callback is not None:
                self._now = at
                timer.callback()
                await settle(busy)
        self._now = until


async def settle(busy: Callable[[], bool] = lambda: False) -> None:
    """Until nothing is left to run; work in other threads is waited for while `busy`."""
    quiet = 0
    while quiet < 10:  # rounds of the loop: a chain of tasks that wake each other is seldom longer
        await asyncio.sleep(0.0005 if busy() else 0)
        quiet = 0 if busy() else quiet + 1
