"""Forgets what is personal: one lead when asked to, and all that is older than the site keeps it."""

from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from callcontrol.ports import Clock, Forgotten, PortError, Speech, Store, Whom

log = structlog.get_logger(__name__)

DAY_S = 86_400.0
RETRY_S = 600.0
PAUSE_S = 0.2  # between two batches: live calls write too


async def forget(
    store: Store, speech: Speech | None, whom: Whom, now: datetime, *, with_tasks: bool = False
) -> Forgotten:
    """Erase a lead's personal data. Raises UnknownError, StoreError where that can't be now, PortError."""
    found = await store.forget(whom, now, with_tasks=with_tasks)
    await _unsay(speech, found)
    return found


class Retention:
    """Once a day, forgets what is older than `days`. `run` it as a task."""

    def __init__(self, *, store: Store, speech: Speech | None, clock: Clock, days: float) -> None:
        self._store = store
        self._speech = speech
        self._clock = clock
        self._age = timedelta(days=days)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                found = await self.tidy()
            except PortError as error:
                log.error("old personal data could not be forgotten, trying again", error=str(error))
                await self._clock.sleep(RETRY_S)
            else:
                if found.transfers or found.leads:
                    log.info("old personal data forgotten", transfers=found.transfers, leads=found.leads)
                await self._clock.sleep(DAY_S)

    async def tidy(self) -> Forgotten:
        """What was forgotten. Raises PortError."""
        total = Forgotten(leads=0, transfers=0, messages=0)
        while True:
            now = self._clock.now()
            found = await self._store.forget_before(now - self._age, now)
            await _unsay(self._speech, found)
            if not (found.leads or found.transfers or found.messages):
                return total
            total = replace(
                total,
                leads=total.leads + found.leads,
                transfers=total.transfers + found.transfers,
                messages=total.messages + found.messages,
            )
            await self._clock.sleep(PAUSE_S)


async def _unsay(speech: Speech | None, found: Forgotten) -> None:
    if speech is not None:
        for text in found.said:
            await speech.erase(text)
