"""An ESL server on a real socket that says what a test wants, and keeps every byte it was sent."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from callcontrol.adapters.freeswitch import FreeswitchSettings

Answer = Callable[["Command"], str | None]  # the text of the reply; None says nothing

QUICK = FreeswitchSettings(
    secret="s3cret",
    connect_timeout_s=1.0,
    command_timeout_s=0.3,
    ping_interval_s=10.0,
    ping_timeout_s=0.2,
    first_retry_s=0.01,
    last_retry_s=0.02,
    login_retry_s=0.3,
)


@dataclass(frozen=True)
class Command:
    """`api uuid_kill X CAUSE` has the name `uuid_kill`; a bgapi too. Others are named by their first word."""

    kind: str
    name: str
    rest: str
    headers: Mapping[str, str]

    @classmethod
    def parse(cls, data: str) -> "Command":
        first, *lines = data.split("\n")
        kind, _, rest = first.partition(" ")
        name = kind
        if kind in ("api", "bgapi"):
            name, _, rest = rest.partition(" ")
        headers = dict(line.split(": ", 1) for line in lines)
        return cls(kind, name, rest, headers)


def reply(text: str) -> str:
    return f"Content-Type: command/reply\nReply-Text: {text}\n\n"


def body(text: str) -> str:
    return f"Content-Type: api/response\nContent-Length: {len(text.encode())}\n\n{text}"


def event(name: str, headers: Mapping[str, object] | None = None, **more: str) -> bytes:
    """As FreeSWITCH sends one in JSON. `_` stands for `-` in the names of `more`."""
    told = {"Event-Name": name, **(headers or {}), **{key.replace("_", "-"): v for key, v in more.items()}}
    return framed(json.dumps(told, ensure_ascii=False).encode())


def framed(data: bytes, kind: str = "text/event-json") -> bytes:
    return f"Content-Length: {len(data)}\nContent-Type: {kind}\n\n".encode() + data


def custom(subclass: str, channel: str, headers: Mapping[str, str] | None = None) -> bytes:
    return event("CUSTOM", {"Event-Subclass": subclass, "Unique-ID": channel, **(headers or {})})


def state(channel: str, callstate: str, **more: str) -> bytes:
    return event("CHANNEL_CALLSTATE", {"Unique-ID": channel, "Channel-Call-State": callstate}, **more)


def rows(*listed: Mapping[str, str]) -> str:
    return json.dumps({"row_count": len(listed)} | ({"rows": listed} if listed else {}))


@dataclass
class ScriptedFreeswitch:
    port: int = 0
    started: str = "first-start"
    answers: dict[str, Answer] = field(default_factory=dict)  # by name
    commands: list[Command] = field(default_factory=list)
    wire: bytearray = field(default_factory=bytearray)
    sessions: int = 0
    channels: set[str] = field(default_factory=set)  # those that uuid_exists knows
    newlines: int = 0  # before a command: they are skipped
    greeting: bytes = b"Content-Type: auth/request\n\n"
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def names(self) -> list[str]:
        return [command.name for command in self.commands]

    async def saw(self, name: str, count: int = 1) -> Command:
        async with asyncio.timeout(5):
            while self.names().count(name) < count:
                self._more.clear()
                await self._more.wait()
        return [command for command in self.commands if command.name == name][count - 1]

    async def say(self, data: bytes) -> None:
        for writer in list(self._writers):
            writer.write(data)
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
        writer.write(self.greeting)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                data = await self._command(reader)
                self.wire += data
                command = Command.parse(data.decode().removesuffix("\n\n"))
                if (size := int(command.headers.get("content-length", "0"))) > 0:
                    self.wire += await reader.readexactly(size)
                self.commands.append(command)
                self._more.set()
                if (text := self._answer(command)) is not None:
                    refused = command.kind == "api" and text.startswith("-ERR permission")
                    writer.write(
                        (body(text) if command.kind == "api" and not refused else reply(text)).encode()
                    )
        self._writers.discard(writer)
        writer.close()

    async def _command(self, reader: asyncio.StreamReader) -> bytes:
        while (first := await reader.readexactly(1)) == b"\n":
            self.newlines += 1
        return first + await reader.readuntil(b"\n\n")

    def _answer(self, command: Command) -> str | None:
        if command.name in self.answers:
            return self.answers[command.name](command)
        match command.name:
            case "auth" | "userauth":
                return "+OK accepted"
            case "global_getvar":
                return self.started if command.rest == "core_uuid" else "pbx.example"
            case "show":
                return rows()
            case "uuid_exists":
                return "true" if command.rest in self.channels else "false"
            case "uuid_getvar":
                return "_undef_"
            case _:
                return "+OK"


@contextlib.asynccontextmanager
async def scripted() -> AsyncIterator[ScriptedFreeswitch]:
    freeswitch = ScriptedFreeswitch()
    server = await asyncio.start_server(freeswitch.serve, "127.0.0.1", 0, limit=1 << 20)
    freeswitch.port = server.sockets[0].getsockname()[1]
    try:
        yield freeswitch
    finally:
        freeswitch.cut()
        server.close()
        await server.wait_closed()
