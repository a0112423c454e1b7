"""One ESL session. It is made once, used until it is lost, and never mended: the next one is another.

greenswitch 0.0.19 connects and waits to be asked for its password, in a thread of its own (`hub`).
Switched off, because of what they do to calls: its reader (a newline in a variable forges headers,
EOF inside a body spins for ever, bad UTF-8 leaves it deaf but `connected`), its event queue, its
writer (cuts long commands short) and its waiting without an end.
"""

import asyncio
import collections
import contextlib
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gevent
import gevent.event
import structlog
from greenswitch.esl import InboundESL

from callcontrol.adapters.freeswitch.frames import Event, Frame, Framer, GarbledError, checked, event
from callcontrol.adapters.freeswitch.hub import the_hub
from callcontrol.adapters.freeswitch.settings import FreeswitchSettings
from callcontrol.adapters.orders import LinkError, LoginError, RefusedError, SilenceError
from callcontrol.ports import PortError

log = structlog.get_logger(__name__)

MAX_WAITING = 100_000  # events read and not yet handled
NEWS_AT_ONCE = 200  # some milliseconds
CLOSE_WITHIN_S = 2.0
NUDGE_S = (
    0.002  # mod_event_socket looks for events every 20 ms, or when bytes come: a newline, which it skips
)
_AT_ONCE = 65536
_REPLIES = ("command/reply", "api/response")
_LOST_EVENTS = re.compile(rb"Lost \[?\d+\]? (?:events|log lines)|because of (?:too many )?lost")


@dataclass(frozen=True, slots=True)
class _Command:
    text: str
    answered: "asyncio.Future[str]"


class _Session(InboundESL):  # type: ignore[misc]
    """In the hub's thread. Ours from the bytes up to the replies, greenswitch's up to the login."""

    def __init__(
        self, settings: FreeswitchSettings, post: Callable[..., None], in_haste: Callable[[], bool]
    ) -> None:
        super().__init__(settings.host, settings.port, settings.secret, timeout=settings.connect_timeout_s)
        self._settings = settings
        self._post = post
        self._in_haste = in_haste
        self._why = ""
        self._said = gevent.event.AsyncResult()
        self._wake = gevent.event.Event()
        self._unwritten: collections.deque[_Command] = collections.deque()

    def receive_events(self) -> None:
        framer, why = Framer(), "the switch closed the connection"
        try:
            while data := self.sock.recv(_AT_ONCE):
                for frame in framer.feed(data):
                    self.handle_event(frame)
                gevent.sleep(0)  # or, while there is more to read, nothing would be written
        except (OSError, GarbledError) as error:
            why = str(error)
        except Exception as error:
            log.exception("a bug in reading from the switch")
            why = repr(error)
        self.lose(why)

    def process_events(self) -> None:
        """The parent's queue of its own."""

    def handle_event(self, frame: Frame) -> None:
        if frame.kind == "text/event-json":
            if (heard := event(frame.body)) is not None:
                self._post(heard)
        elif frame.kind in _REPLIES:
            self._take_reply(frame)
        elif frame.kind == "auth/request":
            self._auth_request_event.set()
        elif frame.kind == "log/data":
            if _LOST_EVENTS.search(frame.body):
                raise GarbledError("the switch lost events")
        elif frame.kind in ("text/disconnect-notice", "text/rude-rejection"):
            raise GarbledError(f"the switch ended the session: {_line(frame.body)}")

    def _take_reply(self, frame: Frame) -> None:
        text = frame.headers.get("reply-text") or frame.body.decode("utf-8", "replace")
        if not self._said.ready():
            self._said.set(text)
        elif self._commands_sent:
            self._post(text, self._commands_sent.pop(0))
        else:
            raise GarbledError("a reply to nothing")

    def authenticate(self) -> None:
        user = f"userauth {self._settings.username}:" if self._settings.username else "auth "
        self.sock.sendall(checked(user + self._settings.secret).encode() + b"\n\n")
        said: str = self._said.get()
        if not self._why and not said.startswith("+OK"):
            raise LoginError(said)

    def open(self, opened: Callable[[Exception | None], None]) -> None:
        """In a greenlet of its own; goes on as the one who writes."""
        try:
            with gevent.Timeout(self._settings.connect_timeout_s, TimeoutError("it does not answer")):
                self.connect()
        except LoginError as error:
            self.lose(str(error))
            opened(error)
            return
        except Exception as error:
            self.lose(str(error))  # unless it was the end of the connection that raised it
        if self._why:
            self._shut()  # it may have been lost before there was anything to shut
            opened(LinkError(f"no connection to the switch: {self._why}", maybe_done=False))
            return
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened(None)
        self._write()

    def _write(self) -> None:
        while self.connected:
            self._wake.wait(NUDGE_S if self._in_haste() else None)
            self._wake.clear()
            batch = list(self._unwritten)
            self._unwritten.clear()
            self._commands_sent += (command.answered for command in batch)
            text = "".join(command.text for command in batch) or "\n"
            try:
                self.sock.sendall(text.encode(errors="replace"))
            except OSError as error:
                self.lose(str(error))

    def order(self, command: _Command) -> None:
        self._unwritten.append(command)
        self._wake.set()

    def lose(self, why: str) -> None:
        """Safe to repeat. Whatever waits anywhere is let go."""
        if not self._why:
            self._why = why
            self._run = self.connected = False
            self._auth_request_event.set()
            if not self._said.ready():
                self._said.set(why)
            self._wake.set()
            self._shut()
            self._post(None)

    def _shut(self) -> None:
        for end in (getattr(self, "sock_file", None), getattr(self, "sock", None)):  # each holds it open
            if end is not None:
                with contextlib.suppress(OSError):
                    end.close()


class EslLink:
    """`open` it, then `api`. `lost` ends with the reason when the session has.

    While `in_haste` says so, events come as soon as they happen. It is asked in the hub's thread.
    """

    def __init__(
        self,
        settings: FreeswitchSettings,
        on_event: Callable[[Event], None],
        in_haste: Callable[[], bool] = lambda: False,
    ) -> None:
        self._settings = settings
        self._on_event = on_event
        self._in_haste = in_haste
        self._loop = asyncio.get_running_loop()
        self._news: collections.deque[tuple[Any, ...]] = collections.deque()
        self._told = False  # the loop will look at the news
        self._waiting: set[asyncio.Future[str]] = set()
        self._pinger: asyncio.Task[None] | None = None
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self._hub = the_hub()
        self._session: _Session | None = None

    async def open(self, events: str) -> None:
        """Connect, log in, subscribe. Raises LinkError, LoginError, RefusedError."""
        opened = self._loop.create_future()
        self._hub.spawn(self._open, lambda error: self._in_loop(_resolve, opened, error))
        try:
            error = await asyncio.wait_for(opened, self._settings.connect_timeout_s + CLOSE_WITHIN_S)
        except TimeoutError:
            error = LinkError("no connection to the switch: it does not answer", maybe_done=False)
        if error is not None:
            self.fail(str(error))
            raise error
        await self.command("log crit")  # says when events were lost
        await self.command(f"event json {events}")
        self._pinger = asyncio.create_task(self._ping())

    def _open(self, opened: Callable[[Exception | None], None]) -> None:
        if not self.lost.done():
            self._session = _Session(self._settings, self._post, self._in_haste)
            self._session.open(opened)

    # --- orders

    async def api(self, *words: str, timeout_s: float | None = None) -> str:
        """Raises LinkError, SilenceError, RefusedError, and PortError for words that may not be sent."""
        return await self.command("api " + checked(" ".join(words)), timeout_s=timeout_s)

    async def bgapi(self, job_id: str, *words: str) -> None:
        """Returns when the switch has taken it; BACKGROUND_JOB with that Job-UUID says what came of it."""
        await self.command(f"bgapi {checked(' '.join(words))}\nJob-UUID: {checked(job_id)}")

    async def send_event(self, name: str, headers: Mapping[str, str], body: str = "") -> None:
        """The body may be any text: the switch counts its bytes, and expands nothing in it."""
        lines = [f"sendevent {checked(name)}", *(f"{k}: {checked(v)}" for k, v in headers.items())]
        if body:
            size = len(body.encode(errors="replace"))
            await self.command("\n".join([*lines, f"content-length: {size}"]), end=f"\n\n{body}")
        else:
            await self.command("\n".join(lines))

    async def command(self, text: str, *, end: str = "\n\n", timeout_s: float | None = None) -> str:
        """One that has been checked. A late answer is still taken in turn, and dropped."""
        name = " ".join(text.split()[:2])
        if self.lost.done() or self._session is None:
            why = self.lost.result() if self.lost.done() else "not open"
            raise LinkError(f"no link to the switch: {why}", maybe_done=False)
        answered = self._loop.create_future()
        self._waiting.add(answered)
        self._hub.call(self._session.order, _Command(text + end, answered))
        try:
            async with asyncio.timeout(timeout_s or self._settings.command_timeout_s):
                said: str = (await answered).strip()
        except TimeoutError:
            raise SilenceError(name) from None
        finally:
            self._waiting.discard(answered)
        if said.startswith(("-ERR", "-USAGE")):
            raise RefusedError(name, said)
        return said

    # --- life

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
                await self.api("uptime", timeout_s=self._settings.ping_timeout_s)
            except SilenceError:
                self.fail("the switch did not answer a ping")
            except RefusedError as error:
                log.warning("a ping was refused", said=error.said)
            except PortError:
                return

    def fail(self, why: str) -> None:
        """Safe to repeat."""
        if not self.lost.done():
            self.lost.set_result(why)
        if self._session is not None:
            self._hub.call(self._session.lose, why)
        for answered in self._waiting:
            if not answered.done():
                answered.set_exception(LinkError(f"the link was lost: {why}", maybe_done=True))

    # --- from the hub's thread to the loop, in order

    def _post(self, *news: Any) -> None:
        """An event; or a reply and who waits for it; or None, when there is nothing more to come."""
        self._news.append(news)
        if not self._told:
            self._told = True
            self._in_loop(self._take_news)
        elif len(self._news) == MAX_WAITING:
            raise GarbledError("events come faster than they can be handled")

    def _in_loop(self, function: Callable[..., object], *args: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(function, *args)

    def _take_news(self) -> None:
        """Some of it; the loop has others to look after."""
        self._told = False  # before looking: what comes from now on is told again
        for _ in range(NEWS_AT_ONCE):
            if not self._news:
                return
            match self._news.popleft():
                case (str(text), answered):
                    if not answered.done():
                        answered.set_result(text)
                case (None,):
                    self.fail(self._session._why if self._session is not None else "")  # noqa: SLF001
                case (heard,):
                    self._take(heard)
        self._told = True
        self._loop.call_soon(self._take_news)

    def _take(self, heard: Event) -> None:
        if self.lost.done():
            return
        try:
            self._on_event(heard)
        except Exception:
            log.exception("an event was not understood", event_name=heard.get("Event-Name"))


def _resolve(future: "asyncio.Future[Any]", result: object) -> None:
    if not future.done():
        future.set_result(result)


def _line(body: bytes) -> str:
    return " ".join(body.decode("utf-8", "replace").split())[:200]
