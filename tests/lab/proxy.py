"""A wire between the daemon and the PBX that can be cut, or go dead without anybody being told."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self


class Proxy:
    """Listens on 127.0.0.1 at `port`, and passes on what comes to the PBX."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._up = True
        self._server: asyncio.Server
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        await self.cut()

    async def cut(self) -> None:
        """Every connection is reset, and none is let through until `restore`."""
        self._up = False
        for writer in tuple(self._writers):
            writer.transport.abort()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def stall(self) -> None:
        """Nothing comes through any more, and nobody is told."""
        self._flowing.clear()

    def restore(self) -> None:
        """New connections work again; a stalled one is cut, as a firewall that forgot it would."""
        if not self._flowing.is_set():
            for writer in tuple(self._writers):
                writer.transport.abort()
        self._flowing.set()
        self._up = True

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if not self._up:
                writer.transport.abort()
                return
            theirs, ours = await asyncio.open_connection(*self._target)
            self._writers.add(ours)
            async with asyncio.TaskGroup() as both:
                for source, target in ((reader, ours), (theirs, writer)):
                    task = both.create_task(self._pump(source, target))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
            self._writers.discard(ours)
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                await self._flowing.wait()
                target.write(data)
                await target.drain()
        target.transport.abort()
