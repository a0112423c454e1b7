"""Whether the switch and the database answered lately: what the watchdog is fed by."""

import asyncio
import time
from collections.abc import Callable

import structlog

from callcontrol.ports import PortError, Store

log = structlog.get_logger(__name__)

ASK_EVERY_S = 1.0
ASK_WITHIN_S = 3.0
DATABASE_PATIENCE_S = 10.0
LINK_PATIENCE_S = 30.0  # a switch may restart meanwhile


class Pulse:
    """Asks both again and again. Times are monotonic."""

    def __init__(self, store: Store, linked: Callable[[], bool]) -> None:
        self._store = store
        self._linked = linked
        self._link_at = self._database_at = time.monotonic()

    def healthy(self) -> bool:
        now = time.monotonic()
        return now - self._link_at < LINK_PATIENCE_S and now - self._database_at < DATABASE_PATIENCE_S

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            if self._linked():
                self._link_at = time.monotonic()
            try:
                async with asyncio.timeout(ASK_WITHIN_S):
                    await self._store.ping()
                self._database_at = time.monotonic()
            except (PortError, TimeoutError) as error:
                log.warning("the database did not answer", error=str(error) or "timed out")
            await asyncio.sleep(ASK_EVERY_S)
