"""Sends the texts that outcomes left in the database: claim, send, retry or park.

A text is claimed with a lease, so that one that was claimed by a process that died is claimed
again. What a gateway may have sent is never sent again blindly: it is parked, for a person to see.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from callcontrol.ports import Clock, PortError, SmsGateway, Store, Text

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How the outbox goes about it. Seconds."""

    poll_s: float = 1.0
    batch: int = 8  # sent at the same time
    send_timeout_s: float = 20.0
    lease_s: float = 120.0  # outlives a send and the marking of it
    first_retry_s: float = 2.0
    longest_retry_s: float = 300.0
    most_attempts: int = 30  # over two hours


class Outbox:
    """`run` it as a task; `wake` it when a text was written."""

    def __init__(
        self,
        *,
        store: Store,
        gateway: SmsGateway,
        clock: Clock,
        pace: Pace | None = None,
        jitter: Callable[[], float] = lambda: random.uniform(0.75, 1.25),  # noqa: S311 - no secret
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._clock = clock
        self._pace = pace or Pace()
        self._jitter = jitter
        self._woken = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled. A text in hand is then claimed again once its lease is over."""
        away = False
        while True:
            self._woken.clear()
            try:
                more = await self._send_some()
                away = False
            except PortError as error:
                if not away:
                    log.error("the database is away, so no texts are sent", error=str(error))
                more, away = False, True
            if not more:
                await self._rest()

    async def _rest(self) -> None:
        """Until woken, or for as long as a poll takes."""
        woken = asyncio.ensure_future(self._woken.wait())
        slept = asyncio.ensure_future(self._clock.sleep(self._pace.poll_s))
        try:
            await asyncio.wait((woken, slept), return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            slept.cancel()

    async def _send_some(self) -> bool:
        """Whether there may be more at once: a number gets its texts one after the other."""
        texts = await self._store.claim_texts(self._pace.batch, self._clock.now(), self._pace.lease_s)
        async with asyncio.TaskGroup() as group:
            for text in texts:
                group.create_task(self._send(text))
        return bool(texts)

    async def _send(self, text: Text) -> None:
        try:
            async with asyncio.timeout(self._pace.send_timeout_s):
                await self._gateway.send(text)
        except PortError as error:
            await self._failed(text, str(error), retryable=error.retryable)
        except TimeoutError:
            why = f"may have been sent: the gateway said nothing for {self._pace.send_timeout_s:g} s"
            await self._failed(text, why, retryable=False)
        except Exception as error:
            log.exception("the gateway broke", text=text.id, transfer=text.transfer_id)
            await self._failed(text, f"may have been sent: {type(error).__name__}", retryable=False)
        else:
            log.info("text sent", text=text.id, transfer=text.transfer_id)
            await self._insist(lambda: self._store.text_sent(text, self._clock.now()), text)

    async def _failed(self, text: Text, why: str, *, retryable: bool) -> None:
        retry_in_s = self._retry_in_s(text) if retryable else None
        if retry_in_s is None:
            log.error("text parked for a person", text=text.id, transfer=text.transfer_id, why=why)
        else:
            log.warning("text not sent, trying again", text=text.id, why=why, retry_in_s=round(retry_in_s, 1))
        await self._insist(
            lambda: self._store.text_failed(text, self._clock.now(), why, retry_in_s=retry_in_s), text
        )

    def _retry_in_s(self, text: Text) -> float | None:
        """None where it has been tried often enough."""
        if text.attempts >= self._pace.most_attempts:
            return None
        doubled = self._pace.first_retry_s * 2.0 ** min(text.attempts - 1, 16)
        return min(doubled, self._pace.longest_retry_s) * self._jitter()

    async def _insist(self, write: Callable[[], Awaitable[None]], text: Text) -> None:
        """Write what became of a text, however long the database takes: forgotten, it would go out twice."""
        while True:
            try:
                return await write()
            except PortError as error:
                log.error("what became of a text is not stored", text=text.id, error=str(error))
                if not error.retryable:
                    return None
            await self._clock.sleep(self._pace.poll_s)
