"""One AMI session. It is made once, used until it is lost, and never mended: the next one is another.

panoramisk 1.4 connects, logs in and matches actions with their replies. Switched off, because of
what they do to calls: its replay of unanswered actions after a reconnect (an Originate went out
twice), its own reconnect, its ping whose answer nobody reads, its parser, and its dispatch; and its
writing of actions, which takes longer than all else between deciding whom to ring and the switch.
"""

import asyncio
import contextlib
import itertools
import uuid
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager
from panoramisk.message import Message

from callcontrol.adapters.asterisk.frames import Fields, Frame, Framer, OverlongError, checked, written
from callcontrol.adapters.asterisk.settings import AsteriskSettings
from callcontrol.adapters.orders import LinkError, LoginError, RefusedError, SilenceError
from callcontrol.ports import PortError

log = structlog.get_logger(__name__)

LIST_ROWS = (
    *("CoreShowChannel", "CoreShowChannelsComplete"),
    *("Status", "StatusComplete"),
    *("BridgeInfoChannel", "BridgeInfoComplete"),
    "DeviceStateListComplete",
)
NEVER_A_REPLY = (
    *("UserEvent", "OriginateResponse"),  # a dialplan, or a caller, can forge an ActionID
    "DeviceStateChange",  # a row of DeviceStateList is news as any other, and there may be thousands
)


@dataclass(frozen=True, slots=True)
class Reply:
    headers: Frame
    rows: tuple[Frame, ...] = ()


class _Everything:
    """In panoramisk's words: which actions to forget when the link is lost."""

    def __contains__(self, action: object) -> bool:
        return True


class _Protocol(AMIProtocol):  # type: ignore[misc]
    """Ours from the bytes up to the frames, panoramisk's from there to the reply."""

    def __init__(self, wanted: Sequence[str], link: "AmiLink") -> None:
        self._framer = Framer(wanted)
        self._link = link

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._framer.feed(data):
                self._take(frame)
        except OverlongError as error:
            self._link.fail(str(error))

    def order(self, name: str, action_id: str, frame: bytes, *, many: bool) -> "asyncio.Future[Any]":
        self.transport.write(frame)  # before all else: the reply is read in a later round of the loop
        # as_list: panoramisk guesses, wrongly for some; it may guess only where a list is due
        action = Action({"Action": name, "ActionID": action_id}, as_list=None if many else False)
        self.responses[action_id] = action
        replied: asyncio.Future[Any] = action.future
        return replied

    def _take(self, frame: Frame) -> None:
        name = frame.get("Event")
        if frame.get("ActionID") in self.responses and name not in NEVER_A_REPLY:
            self.handle_message(Message(frame))
        elif name is not None:
            self._link.take(frame)


class _Session(Manager):  # type: ignore[misc]
    link: "AmiLink"
    pinger: asyncio.TimerHandle

    def connection_made(self, future: "asyncio.Future[Any]") -> None:
        if future.cancelled() or future.exception() is not None:
            return  # `connect` raises it; the parent would try again by itself
        super().connection_made(future)
        self.pinger.cancel()
        # Orders leave at once: else uvloop sends them when it has done all that is ready, with a lead waiting.
        self.protocol.transport.set_write_buffer_limits(high=0)

    def connection_lost(self, exc: Exception | None) -> None:
        self.link.fail(str(exc) if isinstance(exc, Exception) else "the switch closed the connection")

    def login(self, future: "asyncio.Future[Any]") -> None:
        """`AmiLink.open` looks at the answer; the parent would start its pinger here."""


class AmiLink:
    """`open` it, then `action`. `lost` ends with the reason when the session has."""

    def __init__(
        self, settings: AsteriskSettings, on_event: Callable[[Frame], None], wanted: Sequence[str]
    ) -> None:
        self._settings = settings
        self._on_event = on_event
        self._id = str(uuid.uuid4())  # nobody else knows which actions are ours
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._pinger: asyncio.Task[None] | None = None
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._session = _Session(
            host=settings.host,
            port=settings.port,
            username=settings.username,
            secret=checked("Secret", settings.secret),
            ssl=settings.tls or False,
            ping_delay=10**8,
            forgetable_actions=_Everything(),
            protocol_factory=lambda: _Protocol((*wanted, *LIST_ROWS), self),
        )
        self._session.link = self

    async def open(self) -> None:
        """Connect and log in. Raises LinkError, LoginError."""
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                await self._session.connect()
                reply = await self._first(asyncio.shield(self._session.authenticated_future))
        except TimeoutError:
            self.fail("the switch did not answer the login")
            raise LinkError("the switch did not answer the login", maybe_done=False) from None
        except OSError as error:
            self.fail(str(error))
            raise LinkError(f"no connection to the switch: {error}", maybe_done=False) from None
        if not reply.success:
            self.fail("the login was refused")
            raise LoginError(reply.message)
        self._pinger = asyncio.create_task(self._ping())

    async def _first(self, answer: "asyncio.Future[Any]") -> Any:
        """The answer, unless the link is lost before."""
        done, _ = await asyncio.wait((answer, self.lost), return_when=asyncio.FIRST_COMPLETED)
        if answer in done:
            return answer.result()
        answer.cancel()
        raise LinkError(self.lost.result(), maybe_done=False)

    def action(
        self, name: str, fields: Fields | None = None, *, many: bool = False, timeout_s: float | None = None
    ) -> Coroutine[Any, Any, Reply]:
        """The action leaves now, once. Await its reply; with `many`, its list of events too.

        Raises LinkError, and PortError for a field that may not be sent; the reply LinkError, SilenceError,
        RefusedError.
        """
        if self.lost.done():
            raise LinkError(f"no link to the switch: {self.lost.result()}", maybe_done=False)
        action_id = f"{self._id}-{next(self._numbers)}"
        frame = written(name, action_id, fields or {})
        replied = self._session.protocol.order(name, action_id, frame, many=many)
        answered = self._waiting[action_id] = asyncio.get_running_loop().create_future()
        replied.add_done_callback(lambda done: _hand_over(done, answered))
        return self._reply(name, action_id, answered, timeout_s or self._settings.action_timeout_s)

    async def _reply(
        self, name: str, action_id: str, answered: "asyncio.Future[Any]", timeout_s: float
    ) -> Reply:
        try:
            async with asyncio.timeout(timeout_s):
                got = await answered
        except TimeoutError:
            raise SilenceError(name) from None
        finally:
            del self._waiting[action_id]
            self._session.protocol.responses.pop(action_id, None)  # it would swallow later events
        return _reply(name, got)

    async def close(self) -> None:
        self.fail("closed")
        if self._pinger is not None:
            self._pinger.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._pinger

    async def _ping(self) -> None:
        """A peer that has gone silent, its machine or its process stopped, is noticed here only."""
        while not self.lost.done():
            await asyncio.sleep(self._settings.ping_interval_s)
            try:
                await self.action("Ping", timeout_s=self._settings.ping_timeout_s)
            except SilenceError:
                self.fail("the switch did not answer a ping")
            except PortError:
                return

    def take(self, frame: Frame) -> None:
        try:
            self._on_event(frame)
        except Exception:
            log.exception("an AMI event was not understood", event_name=frame.get("Event"))

    def fail(self, why: str) -> None:
        if not self.lost.done():
            self.lost.set_result(why)
        protocol = self._session.protocol
        if protocol is not None:
            protocol.closed = True
            protocol.responses.clear()
            protocol.transport.abort()
        for answered in self._waiting.values():
            if not answered.done():
                answered.set_exception(LinkError(f"the link was lost: {why}", maybe_done=True))


def _hand_over(done: "asyncio.Future[Any]", answered: "asyncio.Future[Any]") -> None:
    if not answered.done() and not done.cancelled():
        answered.set_result(done.result())


def _reply(action: str, got: Any) -> Reply:
    first, rows = (got[0], got[1:]) if isinstance(got, list) else (got, ())
    if not first.success:
        raise RefusedError(action, first.message)
    return Reply(dict(first), tuple(dict(row) for row in rows if not row.event.endswith("Complete")))
