"""One server of the lab, whatever it runs: its folder, its ports, its process."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab.ports import RtpRange, free_port

CONF = Path(__file__).parent / "conf"
HOST = "127.0.0.1"


class LabError(Exception):
    """The lab itself failed, not what it tests."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """Where, and with which secret, the daemon reaches the PBX."""

    host: str
    port: int
    user: str
    secret: str


class Server(ABC):
    """Lives in `<run_dir>/<name>`; its process dies with ours."""

    def __init__(self, name: str, run_dir: Path) -> None:
        self.name = name
        self.dir = run_dir / name
        self.sip_port = free_port(socket.SOCK_DGRAM)
        self.rtp = RtpRange.claim()
        self._process: asyncio.subprocess.Process | None = None
        self._frozen = False

    @property
    @abstractmethod
    def product(self) -> str:
        """What runs here, and which version of it."""

    @property
    @abstractmethod
    def link(self) -> Link: ...

    @abstractmethod
    def _command(self) -> Sequence[str]: ...

    @abstractmethod
    async def _up(self) -> bool:
        """Whether it has started, and lets the lab in."""

    @abstractmethod
    async def _ask_to_end(self) -> None:
        """As an administrator would. It may be too late for that."""

    @abstractmethod
    async def _disconnect(self) -> None: ...

    @property
    def pid(self) -> int:
        if self._process is None or self._process.returncode is not None:
            raise LabError(f"{self.name} is not running")
        return self._process.pid

    async def start(self, *, timeout_s: float = 60.0) -> None:
        """Start the process; return when it is fully booted and the lab is logged in."""
        with (self.dir / "log" / "console").open("ab") as console:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        async with asyncio.timeout(timeout_s):
            while not await self._up():
                if self._process.returncode is not None:
                    raise LabError(f"{self.name} ended at start: see {self.dir / 'log'}")
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """End the process at once, calls and all."""
        if self._process is not None and self._process.returncode is None:
            self.thaw()
            await self._ask_to_end()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(3.0):
                    await self._process.wait()
        await self._killed()

    async def _killed(self) -> None:
        await self._disconnect()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            self._process = None

    async def restart(self, *, crash: bool = False) -> None:
        """Stop it as an administrator would, or kill -9 it (`crash`), and start it again on the same ports."""
        await (self._killed() if crash else self.stop())
        await self.start()

    def freeze(self) -> None:
        """SIGSTOP: alive to the kernel, silent to everybody."""
        os.kill(self.pid, signal.SIGSTOP)
        self._frozen = True

    def thaw(self) -> None:
        if self._frozen:
            os.kill(self.pid, signal.SIGCONT)
            self._frozen = False

    def release(self) -> None:
        """Give back the ports and the folder's bulk; logs and recordings stay."""
        self.rtp.release()
        shutil.rmtree(self.dir / "spool", ignore_errors=True)
