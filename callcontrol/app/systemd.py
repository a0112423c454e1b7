"""The service manager's side: sd_notify(3) and its watchdog, over the socket it names."""

import asyncio
import os
import socket
from collections.abc import Callable

SEND_WITHIN_S = 1.0


class Notifier:
    """Says nothing where no service manager listens."""

    def __init__(self, address: str | None = None, watchdog_usec: str | None = None) -> None:
        given = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = "\0" + given[1:] if given.startswith("@") else given
        usec = os.environ.get("WATCHDOG_USEC", "") if watchdog_usec is None else watchdog_usec
        self.watchdog_s = int(usec) / 1_000_000 if usec.isdecimal() else None

    def ready(self) -> None:
        self._send("READY=1\nSTATUS=taking transfers")

    def status(self, text: str) -> None:
        self._send(f"STATUS={text}")

    def stopping(self) -> None:
        self._send("STOPPING=1\nSTATUS=stopping")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.settimeout(SEND_WITHIN_S)
            try:
                sock.connect(self._address)
                sock.sendall(message.encode())
            except OSError:
                return  # a manager that doesn't listen is no reason to stop

    async def feed(self, healthy: Callable[[], bool]) -> None:
        """Three times within the watchdog's patience, and only while `healthy`. Runs until cancelled."""
        if self.watchdog_s is None:
            return
        while True:
            if healthy():
                self.alive()
            await asyncio.sleep(self.watchdog_s / 3)
