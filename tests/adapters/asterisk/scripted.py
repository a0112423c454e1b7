"""An AMI server on a real socket that says what a test wants, and keeps every byte it was sent."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from callcontrol.adapters.asterisk import AsteriskSettings

Action = dict[str, str]
Answer = Callable[[Action], str | None]

BANNER = b"Asterisk Call Manager/11.0.0\r\n"

QUICK = AsteriskSettings(
    username="callcontrol",
    secret="s3cret",
    connect_timeout_s=1.0,
    action_timeout_s=0.3,
    ping_interval_s=10.0,
    ping_timeout_s=0.2,
    first_retry_s=0.01,
    last_retry_s=0.02,
    looks_after_start_s=(0.0, 0.05),
    login_retry_s=0.3,
)


def frame(*lines: str) -> str:
    return "\r\n".join(lines) + "\r\n\r\n"


def success(action: Action, *lines: str) -> str:
    return frame("Response: Success", f"ActionID: {action['ActionID']}", *lines)


def refused(action: Action, why: str) -> str:
    return frame("Response: Error", f"ActionID: {action['ActionID']}", f"Message: {why}")


def rows(action: Action, complete: str, *items: str) -> str:
    """A list: each item is its lines without the ActionID."""
    said = success(action, "EventList: start", "Message: Channels will follow")
    for item in items:
        said += frame(*item.split("\r\n"), f"ActionID: {action['ActionID']}")
    return said + frame(f"Event: {complete}", f"ActionID: {action['ActionID']}", "EventList: Complete")


@dataclass
class ScriptedAsterisk:
    port: int = 0
    started: str = "10:00:00"
    answers: dict[str, Answer] = field(default_factory=dict)  # by action; None says nothing
    actions: list[Action] = field(default_factory=list)
    wire: bytearray = field(default_factory=bytearray)
    sessions: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def names(self) -> list[str]:
        return [action["Action"] for action in self.actions]

    async def saw(self, name: str, count: int = 1) -> Action:
        async with asyncio.timeout(5):
            while self.names().count(name) < count:
                self._more.clear()
                await self._more.wait()
        return [action for action in self.actions if action["Action"] == name][count - 1]

    async def say(self, data: str | bytes) -> None:
        for writer in self._writers:
            writer.write(data if isinstance(data, bytes) else data.encode())
            await writer.drain()

    def tell(self, data: str | bytes) -> None:
        """As `say`, for those who can't wait."""
        for writer in self._writers:
            writer.write(data if isinstance(data, bytes) else data.encode())

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        self._writers.add(writer)
        writer.write(BANNER)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                data = await reader.readuntil(b"\r\n\r\n")
                self.wire += data
                lines = (line.partition(": ") for line in data.decode().rstrip("\r\n").split("\r\n"))
                action: Action = {}
                for key, _, value in lines:
                    action[key] = f"{action[key]}\n{value}" if key in action else value
                self.actions.append(action)
                self._more.set()
                if (answer := self._answer(action)) is not None:
                    writer.write(answer.encode())
        self._writers.discard(writer)
        writer.close()

    def _answer(self, action: Action) -> str | None:
        name = action["Action"]
        if name in self.answers:
            return self.answers[name](action)
        match name:
            case "CoreStatus":
                return success(action, "CoreStartupDate: 2026-01-01", f"CoreStartupTime: {self.started}")
            case "CoreShowChannels":
                return rows(action, "CoreShowChannelsComplete")
            case _:
                return success(action, "Message: Done")


@contextlib.asynccontextmanager
async def scripted(tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedAsterisk]:
    asterisk = ScriptedAsterisk()
    server = await asyncio.start_server(asterisk.serve, "127.0.0.1", 0, limit=1 << 20, ssl=tls)
    asterisk.port = server.sockets[0].getsockname()[1]
    try:
        yield asterisk
    finally:
        asterisk.cut()
        server.close()
        await server.wait_closed()
