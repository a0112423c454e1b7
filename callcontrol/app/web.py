"""Uvicorn in this process, on a socket bound beforehand, without its own signal handlers."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

CLOSE_WITHIN_S = 3


class WebServer(uvicorn.Server):
    """`run_until` is its whole life. Uvicorn alone would end the process on SIGTERM by itself."""

    def __init__(self, app: ASGIApp, listening: socket.socket) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=CLOSE_WITHIN_S,
                h11_max_incomplete_event_size=32 * 1024,
            )
        )
        self._listening = listening

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def run_until(self, stop: asyncio.Event) -> None:
        """Serve; when `stop` is set, finish what is being answered and return."""
        serving = asyncio.ensure_future(self.serve(sockets=[self._listening]))
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            self.should_exit = True
            await serving
        if not stop.is_set():
            raise RuntimeError("the web server ended by itself")


def listen(host: str, port: int) -> socket.socket:
    """Raises OSError where the address is taken or isn't ours."""
    family, kind, proto, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind, proto)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(256)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock
