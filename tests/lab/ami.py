"""A small AMI client of the lab's own, so that the product's client is never tested by itself."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Self

Message = dict[str, str]
Listener = Callable[[Message], None]


class AmiError(Exception):
    """The PBX refused an action, went away, or said nothing in time."""


class Ami:
    """One session. Listeners are called in the order of arrival, and must not block."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.listeners: list[Listener] = []
        self._replies: dict[str, asyncio.Queue[Message]] = {}
        self._ids = itertools.count(1)
        self._writer: asyncio.StreamWriter | None = None
        self._reader_task: asyncio.Task[None] | None = None

    async def connect(self, host: str, port: int, user: str, secret: str) -> Self:
        reader, self._writer = await asyncio.open_connection(host, port, limit=1 << 20)
        await reader.readline()
        self._reader_task = asyncio.create_task(self._read(reader), name=f"ami-{self.name}")
        await self.action("Login", Username=user, Secret=secret)
        return self

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if self._reader_task is not None:
            self._reader_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader_task
            self._reader_task = None

    async def action(self, name: str, *, timeout_s: float = 10.0, **fields: str | list[str]) -> Message:
        """Send one action and wait for its response. Raises AmiError where that is not a success."""
        async with asyncio.timeout(timeout_s):
            with self._ask(name, fields) as replies:
                return _checked(name, await replies.get())

    async def command(self, line: str, *, timeout_s: float = 10.0) -> str:
        """Run a CLI command and return what it printed, its complaint included."""
        async with asyncio.timeout(timeout_s):
            with self._ask("Command", {"Command": line}) as replies:
                reply = await replies.get()
        if "Output" not in reply:
            _checked("Command", reply)
        return reply.get("Output", "")

    async def listing(
        self, name: str, *, timeout_s: float = 10.0, **fields: str | list[str]
    ) -> list[Message]:
        """Send an action answered by a list, and return its items."""
        items: list[Message] = []
        async with asyncio.timeout(timeout_s):
            with self._ask(name, fields) as replies:
                _checked(name, await replies.get())
                while (item := await replies.get()).get("EventList") != "Complete":
                    items.append(_checked(name, item))
        return items

    @contextlib.contextmanager
    def _ask(self, name: str, fields: dict[str, str | list[str]]) -> Iterator[asyncio.Queue[Message]]:
        if self._writer is None or self._reader_task is None or self._reader_task.done():
            raise AmiError(f"{self.name}: not connected")
        action_id = f"lab-{next(self._ids)}"
        replies: asyncio.Queue[Message] = asyncio.Queue()
        self._replies[action_id] = replies
        lines = [f"Action: {name}", f"ActionID: {action_id}"]
        for key, value in fields.items():
            lines += [f"{key}: {one}" for one in ([value] if isinstance(value, str) else value)]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        try:
            yield replies
        finally:
            del self._replies[action_id]

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                self._dispatch(_parse(await reader.readuntil(b"\r\n\r\n")))
        except (asyncio.IncompleteReadError, ConnectionError):
            gone = {"Response": "Error", "Message": f"{self.name}: the connection was lost"}
            for replies in self._replies.values():
                replies.put_nowait(gone)

    def _dispatch(self, message: Message) -> None:
        if (replies := self._replies.get(message.get("ActionID", ""))) is not None:
            replies.put_nowait(message)
        elif "Event" in message:
            for listener in tuple(self.listeners):
                listener(message)


def _parse(block: bytes) -> Message:
    """Read one block. Of a repeated header the values are joined by newlines (`Output`, of a CLI command)."""
    message: Message = {}
    for line in block.decode(errors="replace").split("\r\n"):
        key, colon, value = line.partition(":")
        if colon:
            value = value.removeprefix(" ")
            message[key] = f"{message[key]}\n{value}" if key in message else value
    return message


def _checked(name: str, reply: Message) -> Message:
    if reply.get("Response") == "Error":
        raise AmiError(f"{name}: {reply.get('Message', reply)}")
    return reply
