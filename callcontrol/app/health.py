"""Whether the switch and the database answered lately: what the watchdog is fed by."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from callcontrol.ports import PortError

log = structlog.get_logger(__name__)

ASK_EVERY_S = 1.0
ASK_WITHIN_S = 3.0
DATABASE_PATIENCE_S = 10.0
LINK_PATIENCE_S = 30.0  # a switch may restart meanwhile


class Database(Protocol):
    def ping(self) -> Awaitable[None]: ...


class Pulse:
    """Asks both again and again. Times are monotonic."""

    def __init__(
        self,
        database: Database,
        linked: Callable[[], bool],
        *,
        now: Callable[[], float] = time.monotonic,
        ask_within_s: float = ASK_WITHIN_S,
    ) -> None:
        self._database = database
        self._linked = linked
        self._now = now
        self._ask_within_s = ask_within_s
        self._link_at: float | None = None  # none: not asked yet
        self._database_at: float | None = None

    def healthy(self) -> bool:
        return _lately(self._link_at, self._now(), LINK_PATIENCE_S) and _lately(
            self._database_at, self._now(), DATABASE_PATIENCE_S
        )

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.beat()
            await asyncio.sleep(ASK_EVERY_S)

    async def beat(self) -> None:
        """Ask both, once."""
        if self._linked():
            self._link_at = self._now()
        try:
            async with asyncio.timeout(self._ask_within_s):
                await self._database.ping()
            self._database_at = self._now()
        except (PortError, TimeoutError) as error:
            log.warning("the database did not answer", error=str(error) or "timed out")


def _lately(at: float | None, now: float, patience_s: float) -> bool:
    return at is not None and now - at < patience_s
