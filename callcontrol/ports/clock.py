"""Time, so that a test can jump."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol


class Timer(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC, never running backwards while the process lives."""
        ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call back once, in the event loop, after `seconds`."""
        ...

    async def sleep(self, seconds: float) -> None: ...
