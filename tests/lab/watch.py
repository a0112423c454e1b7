"""Waiting on the lab: woken by every AMI event, never by luck."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")
POLL_S = 0.05  # for what no AMI event tells: an HTTP answer, a file, a packet


class Watch:
    """Holds the waiters of a lab, and wakes them when something was heard from either Asterisk."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Event] = set()

    def wake(self) -> None:
        for waiter in self._waiters:
            waiter.set()

    @overload
    async def until(
        self, condition: Callable[[], Awaitable[T | None]], timeout_s: float = 10.0, *, what: str = ""
    ) -> T: ...

    @overload
    async def until(
        self, condition: Callable[[], T | None], timeout_s: float = 10.0, *, what: str = ""
    ) -> T: ...

    async def until(
        self, condition: Callable[[], object], timeout_s: float = 10.0, *, what: str = ""
    ) -> object:
        """Return what `condition` gives, once that is true. Raises TimeoutError saying what was waited for."""
        waiter = asyncio.Event()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    waiter.clear()
                    given = condition()
                    result = await given if inspect.isawaitable(given) else given
                    if result:
                        return result
                    await self._woken(waiter)
        except TimeoutError:
            raise TimeoutError(
                f"waited {timeout_s:g} s for {what or inspect.getsource(condition).strip()}"
            ) from None
        finally:
            self._waiters.discard(waiter)

    @staticmethod
    async def _woken(waiter: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await waiter.wait()
        except TimeoutError:
            return
