"""Claims what is due, sends it, and writes down what became of it.

A message is claimed with a lease, so that one that was claimed by a process that died is found
again. What a gateway may have sent is sent again only through the same gateway, and only where that
knows repeats by their key or the site wishes it; otherwise it is parked, for a person to see.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from callcontrol.outbox.lanes import LONGEST_ASKED_S, Lane, jitter
from callcontrol.outbox.routes import Routes
from callcontrol.ports import (
    BusyError,
    Clock,
    DoubtError,
    Late,
    Message,
    MessageStore,
    PortError,
    Setback,
    UnreachableError,
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How the outbox goes about it. Seconds."""

    poll_s: float = 1.0
    gather_s: float = 0.02  # for others to be written, or done, too, before the database is asked for more
    yields: float = 4.0  # so many times as long as the database took: live transfers come first
    gather_late_s: float = 1.0  # at most, for the marks of what goes gently
    late_after_s: float = 2.0  # what has been due for longer has waited
    lease_s: float = 120.0  # outlives a send and the marking of it
    first_retry_s: float = 2.0
    longest_retry_s: float = 300.0
    most_attempts: int = 30  # over two hours
    drain_s: float = 3.0  # for what is on its way when the daemon stops


class Outbox:
    """`run` it as a task; `wake` it when a message was written.

    What was just written goes out at once. What has waited, for a gateway that was down or for its pace, goes
    after it, and while a transfer is under way only gently: they share an interpreter and SQLite's one writer.
    """

    def __init__(
        self,
        *,
        store: MessageStore,
        lanes: Iterable[Lane],
        routes: Routes,
        clock: Clock,
        deciding: Callable[[], bool] = lambda: False,
        pace: Pace | None = None,
        jitter: Callable[[], float] = jitter,
    ) -> None:
        """`deciding` says whether a transfer is under way, neither connected nor missed."""
        self._store = store
        self._lanes = {lane.name: lane for lane in lanes}
        self._routes = routes
        self._clock = clock
        self._deciding = deciding
        self._pace = pace or Pace()
        self._jitter = jitter
        self._woken = asyncio.Event()
        self._freed = asyncio.Event()
        self._took_s = 0.0  # the database, last time
        self._backlogged: set[str] = set()  # lanes for which more may have waited than they were given
        self._sending: dict[int, asyncio.Task[None]] = {}  # by message id
        self._portions: set[_Portion] = set()  # of which some have been sent

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled. What is being sent then has a moment to end."""
        away, begun = False, False
        try:
            while True:
                self._woken.clear()
                self._freed.clear()
                try:
                    if not begun:
                        await self._begin()
                        begun = True
                    await self._send_some()
                    away = False
                except PortError as error:
                    if not away:
                        log.error("the database is away, so nothing is sent", error=str(error))
                    away = True
                await self._rest()
        finally:
            await self._drain()

    async def _begin(self) -> None:
        """The configuration may be another one by now."""
        await self._store.reroute()
        if parked := await self._store.park_orphans(frozenset(self._lanes)):
            log.error("messages parked for a person: their gateway is gone", messages=parked)

    async def _send_some(self) -> None:
        now, gently = self._clock.now(), self._deciding()
        begun = asyncio.get_running_loop().time()
        room = {name: places for name, lane in self._lanes.items() if (places := lane.room(now))}
        late = self._late(room, now, gently=gently)
        claim = await self._store.claim_messages(
            self._choose,
            room,
            now,
            self._pace.lease_s,
            late=late,
            resends=frozenset(name for name, lane in self._lanes.items() if lane.resends),
            holding=frozenset(self._sending),
        )
        self._took_s = asyncio.get_running_loop().time() - begun
        for message, why in claim.parked:
            log.error("message parked for a person", **_facts(message), why=why)
        for message in claim.messages:
            self._lanes[message.via].took()
            if not (gently and message.late):
                self._start(message, self._carry(message))
        waited = {name: [m for m in claim.messages if m.late and m.via == name] for name in late.room}
        self._learn(late.room, waited)
        if gently:
            for name, messages in waited.items():
                self._start_gently(name, messages, now)

    def _start(self, message: Message, carrying: Coroutine[None, None, None]) -> None:
        self._sending[message.id] = asyncio.create_task(carrying, name=f"message {message.id}")

    def _start_gently(self, name: str, messages: Sequence[Message], now: datetime) -> None:
        """One by one, evenly. What became of them is written together: each commit holds a transfer up."""
        portion = _Portion(len(messages))
        gap_s = self._lanes[name].took_gently(len(messages), now) if messages else 0.0
        for n, message in enumerate(messages):
            self._start(message, self._carry(message, after_s=n * gap_s, portion=portion))

    def _learn(self, room: Mapping[str, int], given: Mapping[str, Sequence[Message]]) -> None:
        """A lane that was given all that it had room for may have more waiting."""
        for name, places in room.items():
            if places and len(given[name]) == places:
                self._backlogged.add(name)
            elif places:
                self._backlogged.discard(name)

    def _late(self, room: Mapping[str, int], now: datetime, *, gently: bool) -> Late:
        return Late(
            due_before=now - timedelta(seconds=self._pace.late_after_s),
            room={name: self._lanes[name].gentle_room(now) for name in room} if gently else room,
        )

    def _choose(self, message: Message) -> str | None:
        """The first gateway that may take it and does not rest; where all rest, the first."""
        now = self._clock.now()
        able = self._able(message)
        awake = [name for name in able if not self._lanes[name].resting(now)]
        return next(iter(awake or able), None)

    def _able(self, message: Message) -> list[str]:
        return [
            name
            for name in self._routes.of(message)
            if name in self._lanes and name not in message.refused_by
        ]

    async def _rest(self) -> None:
        """Until woken, until a gateway has room again, or for as long as a poll takes."""
        now = self._clock.now()
        gently = self._backlogged if self._deciding() else ()
        opening = [
            in_s
            for name, lane in self._lanes.items()
            if (in_s := lane.opens_in_s(now, gently=name in gently)) is not None
        ]
        await self._until(min([self._pace.poll_s, *opening]), self._woken, self._freed)
        if self._pace.gather_s and (self._woken.is_set() or self._freed.is_set()):
            busy_s = min(self._took_s * self._pace.yields, self._pace.poll_s)
            await self._until(max(self._pace.gather_s, busy_s))

    async def _until(self, seconds: float, *events: asyncio.Event) -> None:
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(event.wait()) for event in events]
        waits.append(asyncio.ensure_future(self._clock.sleep(seconds)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _drain(self) -> None:
        for portion in tuple(self._portions):
            portion.sent.set()
        sending = tuple(self._sending.values())
        if sending:
            _, late = await asyncio.wait(sending, timeout=self._pace.drain_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _carry(
        self, message: Message, *, after_s: float = 0.0, portion: "_Portion | None" = None
    ) -> None:
        lane = self._lanes[message.via]
        try:
            if after_s:
                await self._clock.sleep(after_s)
            result = await _send(lane, message)
            if portion is not None:
                await self._all_sent(portion)
            await self._settle(lane, message, result)
        finally:
            lane.let_go()
            del self._sending[message.id]
            self._freed.set()

    async def _all_sent(self, portion: "_Portion") -> None:
        """But not for long: what was sent is not to be forgotten."""
        portion.one_less()
        self._portions.add(portion)
        await self._until(self._pace.gather_late_s, portion.sent)
        self._portions.discard(portion)

    async def _settle(self, lane: Lane, message: Message, result: str | PortError) -> None:
        if isinstance(result, PortError):
            await self._failed(lane, message, result)
            return
        log.info("message sent", **_facts(message))
        if lane.succeeded():
            log.info("the gateway takes messages again", gateway=lane.name)
        await self._insist(lambda: self._store.message_sent(message, self._clock.now(), result), message)

    async def _failed(self, lane: Lane, message: Message, error: PortError) -> None:
        setback = self._setback(lane, message, error)
        why = masked(setback.why)
        if setback.retry_in_s is None:
            log.error("message parked for a person", **_facts(message), why=why)
        else:
            in_s = round(setback.retry_in_s, 1)
            log.warning("message not sent, trying again", **_facts(message), why=why, retry_in_s=in_s)
        await self._insist(lambda: self._store.message_failed(message, self._clock.now(), setback), message)
        if (error.retryable or isinstance(error, DoubtError)) and not isinstance(error, UnreachableError):
            await self._blame(lane, error)

    def _setback(self, lane: Lane, message: Message, error: PortError) -> Setback:
        """What next, after `error`."""
        why, later_s = str(error), self._retry_in_s(message, error)
        if isinstance(error, DoubtError) or message.doubtful:
            again = lane.resends and (error.retryable or isinstance(error, DoubtError))
            if not isinstance(error, DoubtError):
                why = f"may have been sent before; now: {why}"
            return Setback(why=why, retry_in_s=later_s if again else None, via=lane.name, doubtful=True)
        refused_by = message.refused_by if error.retryable else (*message.refused_by, lane.name)
        able = [name for name in self._routes.of(message) if name in self._lanes and name not in refused_by]
        behind = self._behind(lane, message, able)
        if not able or later_s is None:
            return Setback(why=why, retry_in_s=None, refused_by=refused_by)
        return Setback(why=why, retry_in_s=0.0 if behind else later_s, via=behind, refused_by=refused_by)

    def _behind(self, lane: Lane, message: Message, able: list[str]) -> str | None:
        """The next gateway in the route that may take it now."""
        route, now = self._routes.of(message), self._clock.now()
        after = route[route.index(lane.name) + 1 :] if lane.name in route else ()
        return next((name for name in after if name in able and not self._lanes[name].resting(now)), None)

    def _retry_in_s(self, message: Message, error: PortError) -> float | None:
        """None where it has been tried often enough."""
        if message.attempts >= self._pace.most_attempts:
            return None
        doubled = self._pace.first_retry_s * 2.0 ** min(message.attempts - 1, 16)
        asked_s = min(error.retry_after_s or 0.0, LONGEST_ASKED_S) if isinstance(error, BusyError) else 0.0
        return max(asked_s, min(doubled, self._pace.longest_retry_s) * self._jitter())

    async def _blame(self, lane: Lane, error: PortError) -> None:
        """Let a gateway rest that fails; what waits for it may go another way."""
        asked_s = error.retry_after_s if isinstance(error, BusyError) else None
        rest_s = lane.failed(self._clock.now(), asked_s)
        if rest_s is not None:
            log.warning(
                "the gateway takes nothing, so it rests",
                gateway=lane.name,
                for_s=round(rest_s, 1),
                error=masked(str(error)),
            )
            if not self._routes.stand_in(lane.name):
                return
            try:
                await self._store.reroute(lane.name)
            except PortError as away:
                log.warning("what waits for the gateway goes on waiting", gateway=lane.name, error=str(away))

    async def _insist(self, write: Callable[[], Awaitable[None]], message: Message) -> None:
        """Write what became of it, however long the database takes: forgotten, it might go out twice."""
        while True:
            try:
                return await write()
            except PortError as error:
                log.error("what became of a message is not stored", message=message.id, error=str(error))
                if not error.retryable:
                    return None
            await self._clock.sleep(self._pace.poll_s)


class _Portion:
    """Messages of one claim, whose marks wait for each other."""

    def __init__(self, size: int) -> None:
        self.sent = asyncio.Event()
        self._left = size

    def one_less(self) -> None:
        self._left -= 1
        if self._left == 0:
            self.sent.set()


async def _send(lane: Lane, message: Message) -> str | PortError:
    """The provider's id, or what went wrong."""
    try:
        async with asyncio.timeout(lane.limits.timeout_s):
            return await lane.gateway.send(message)
    except PortError as error:
        return error
    except TimeoutError:
        return DoubtError(f"the gateway said nothing for {lane.limits.timeout_s:g} s")
    except Exception as error:
        log.exception("the gateway broke", **_facts(message))
        return DoubtError(type(error).__name__)


_NUMBER = re.compile(r"(?:[+(][\d ().-]{6,}|\d{5,})(\d\d)")
_MAIL_ADDRESS = re.compile(r"[^\s<>\"']+@[^\s<>\"']+")


def masked(said: str) -> str:
    """For the log: a gateway's words may hold the number or the address that they are about."""
    return _MAIL_ADDRESS.sub("...@...", _NUMBER.sub(r"...\1", said))


def _facts(message: Message) -> dict[str, object]:
    return {"message": message.id, "transfer": message.transfer_id, "gateway": message.via}
