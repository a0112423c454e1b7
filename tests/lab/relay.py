"""The router a desk phone sits behind: a UDP relay between the phone and the PBX, whose cable can be pulled."""

import asyncio
import socket
from typing import Any, Self, cast

HOST = "127.0.0.1"


class Router(asyncio.DatagramProtocol):
    """Passes SIP both ways while `plugged_in`. The PBX sees the phone at this router's port."""

    def __init__(self, *, inside_port: int) -> None:
        self.inside_port = inside_port
        self.outside_port = 0
        self.port = 0
        self.plugged_in = True
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self) -> Self:
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind((HOST, 0))
        self.port = bound.getsockname()[1]
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=bound)
        return self

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        if self.plugged_in and self._transport is not None:
            to = self.outside_port if addr[1] == self.inside_port else self.inside_port
            self._transport.sendto(data, (HOST, to))
