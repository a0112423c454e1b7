"""A small event-socket client of the lab's own, so that the product's client is never tested by itself."""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable
from typing import Self
from urllib.parse import unquote

NUDGE_S = 0.002

Message = dict[str, str]
Listener = Callable[[Message], None]


class EslError(Exception):
    """The switch refused a command, went away, or said nothing in time."""


class Esl:
    """One session. Listeners are called in the order of arrival, and must not block."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.listeners: list[Listener] = []
        self._waiting: deque[asyncio.Future[str]] = deque()  # answers come in the order of the commands
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: list[asyncio.Task[None]] = []  # the first one reads

    async def connect(self, host: str, port: int, secret: str) -> Self:
        reader, self._writer = await asyncio.open_connection(host, port, limit=1 << 20)
        headers, _ = await _read(reader)
        if headers.get("Content-Type") != "auth/request":
            raise EslError(f"{self.name}: {headers.get('Content-Type')} in place of a greeting")
        self._tasks = [asyncio.create_task(self._listen(reader), name=f"esl-{self.name}")]
        await self.command(f"auth {secret}")
        return self

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks.clear()

    async def subscribe(self, *names: str) -> None:
        await self.command(f"event json {' '.join(names)}")

    def hurry(self) -> None:
        """From now on hear of events as they happen: FreeSWITCH looks for them every 20 ms, or when a newline comes."""
        self._tasks.append(asyncio.create_task(self._nudge(), name=f"esl-{self.name}-nudge"))

    async def _nudge(self) -> None:
        while self._writer is not None:
            self._writer.write(b"\n")
            await asyncio.sleep(NUDGE_S)

    async def api(self, line: str, *, timeout_s: float = 10.0) -> str:
        """Run an API command and return what it said. Raises EslError where that is an error."""
        said = await self.command(f"api {line}", timeout_s=timeout_s)
        if said.startswith(("-ERR", "-USAGE")):
            raise EslError(f"{line}: {said.strip()}")
        return said.strip()

    async def background(self, line: str) -> None:
        """Run an API command that may take its time."""
        await self.command(f"bgapi {line}")

    async def command(self, line: str, *, timeout_s: float = 10.0) -> str:
        if self._writer is None or not self._tasks or self._tasks[0].done():
            raise EslError(f"{self.name}: not connected")
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self._writer.write(f"{line}\n\n".encode())
        async with asyncio.timeout(timeout_s):
            said = await answer
        if said.startswith("-ERR") and not line.startswith("api "):
            raise EslError(f"{line.split(maxsplit=1)[0]}: {said}")
        return said

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                headers, body = await _read(reader)
                match headers.get("Content-Type"):
                    case "command/reply":
                        self._answered(headers.get("Reply-Text", ""))
                    case "api/response":
                        self._answered(body)
                    case "text/event-json":
                        event: Message = json.loads(body)
                        for listener in tuple(self.listeners):
                            listener(event)
        except (asyncio.IncompleteReadError, ConnectionError):
            while self._waiting:
                self._answered("-ERR the connection was lost")

    def _answered(self, text: str) -> None:
        answer = self._waiting.popleft()
        if not answer.done():
            answer.set_result(text)


async def _read(reader: asyncio.StreamReader) -> tuple[Message, str]:
    """Read one frame: its headers, decoded, and its body."""
    block = (await reader.readuntil(b"\n\n")).decode()
    pairs = (line.partition(": ") for line in block.splitlines() if line)
    headers = {key: unquote(value) for key, _colon, value in pairs}
    body = await reader.readexactly(int(headers.get("Content-Length", "0")))
    return headers, body.decode(errors="replace")
