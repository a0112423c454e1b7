"""The time of day, and timers that no step of the system's clock can move."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class SystemClock:
    """Implements `ports.Clock`: the time of day at the start, and the monotonic clock since then."""

    def __init__(self) -> None:
        self._anchor()

    def now(self) -> datetime:
        return self._started_at + timedelta(seconds=time.monotonic() - self._started)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(max(0.0, seconds), callback)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    @property
    def behind_s(self) -> float:
        """How far the system's clock has been stepped since; schedules are looked up that much wrong."""
        return (datetime.now(UTC) - self.now()).total_seconds()

    def settle(self) -> None:
        """Take the system's time over. Only while no transfer is live: time may go backwards."""
        self._anchor()

    def _anchor(self) -> None:
        self._started_at = datetime.now(UTC)
        self._started = time.monotonic()
