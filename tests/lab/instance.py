"""One Asterisk of the lab: its folder, its process, its AMI."""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.ami import Ami, AmiError, Message
from tests.lab.ports import RtpRange, free_port
from tests.lab.provision import Installation

CONF = Path(__file__).parent / "conf"
HOST = "127.0.0.1"


class LabError(Exception):
    """The lab itself failed, not what it tests."""


class Instance:
    """Rendered from conf/common and conf/<name>/*.conf into `<run_dir>/<name>/etc`, where `@WORD@` stands for a setting."""

    def __init__(self, name: str, installation: Installation, run_dir: Path, shared: Sequence[Path]) -> None:
        self.name = name
        self.dir = run_dir / name
        self.ami_host = HOST
        self.ami_port = free_port(socket.SOCK_STREAM)
        self.ami_user = "callcontrol"
        self.ami_secret = secrets.token_hex(16)
        self.sip_port = free_port(socket.SOCK_DGRAM)
        self.rtp = RtpRange.claim()
        self.ami = Ami(name)
        self._lab_secret = secrets.token_hex(16)
        self._installation = installation
        self._shared = [*shared, run_dir]
        self._process: asyncio.subprocess.Process | None = None
        self._frozen = False

    @property
    def version(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self._installation.version.split("."))

    @property
    def pid(self) -> int:
        if self._process is None or self._process.returncode is not None:
            raise LabError(f"{self.name} is not running")
        return self._process.pid

    @property
    def log_file(self) -> Path:
        return self.dir / "log" / "messages"

    def render(self, settings: Mapping[str, str]) -> None:
        """Write the configuration. `settings` adds to what the instance knows of itself."""
        for folder in ("etc", "lib", "log", "run", "spool", "moh", "data/sounds"):
            (self.dir / folder).mkdir(parents=True, exist_ok=True)
        self._link_data()
        known = {
            "RUN": str(self.dir),
            "MODULES_DIR": self._installation.modules_dir,
            "SIP_PORT": str(self.sip_port),
            "AMI_PORT": str(self.ami_port),
            "AMI_SECRET": self.ami_secret,
            "LAB_SECRET": self._lab_secret,
            "RTP_START": str(self.rtp.first),
            "RTP_END": str(self.rtp.last),
            **settings,
        }
        for source in (*(CONF / "common").glob("*.conf"), *(CONF / self.name).glob("*.conf")):
            text = source.read_text()
            for word, value in known.items():
                text = text.replace(f"@{word}@", value)
            (self.dir / "etc" / source.name).write_text(text)

    def _link_data(self) -> None:
        """Give it Asterisk's own data by links, so that sounds can be added without touching the installation."""
        theirs, ours = Path(self._installation.data_dir), self.dir / "data"
        for folder in (Path(), Path("sounds")):
            for entry in self._installation.outside(theirs / folder).iterdir():
                link = ours / folder / entry.name
                if not link.exists():
                    link.symlink_to(theirs / folder / entry.name)

    async def start(self, *, timeout_s: float = 20.0) -> None:
        """Start the process; return when it is fully booted and the lab is logged in."""
        command = self._installation.command(
            ["-f", "-C", str(self.dir / "etc" / "asterisk.conf")], shared=self._shared
        )
        with (self.dir / "log" / "console").open("ab") as console:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        async with asyncio.timeout(timeout_s):
            while not await self._logged_in():
                if self._process.returncode is not None:
                    raise LabError(f"{self.name} ended at start: see {self.dir / 'log'}")
                await asyncio.sleep(0.02)

    async def _logged_in(self) -> bool:
        booted = asyncio.Event()

        def listen(message: Message) -> None:
            if message["Event"] == "FullyBooted":
                booted.set()

        self.ami.listeners.append(listen)
        try:
            await self.ami.connect(HOST, self.ami_port, "lab", self._lab_secret)
            await booted.wait()
        except (OSError, AmiError, EOFError):
            await self.ami.close()
            return False
        finally:
            self.ami.listeners.remove(listen)
        return True

    async def stop(self) -> None:
        """End the process at once, calls and all."""
        if self._process is not None and self._process.returncode is None:
            self.thaw()
            with contextlib.suppress(AmiError, TimeoutError, ConnectionError):
                await self.ami.command("core stop now", timeout_s=1.0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(3.0):
                    await self._process.wait()
        await self._killed()

    async def _killed(self) -> None:
        await self.ami.close()
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

    async def cli(self, command: str) -> str:
        """Run a CLI command and return what it printed."""
        return await self.ami.command(command)

    async def channels(self) -> list[Message]:
        """Every channel of a call, as CoreShowChannels tells it; not the one that Asterisk keeps for messages."""
        rows = await self.ami.listing("CoreShowChannels")
        return [row for row in rows if not row["Channel"].startswith("Message/")]

    async def variable(self, channel: str, name: str) -> str:
        """Read a channel's variable or function. `channel` may be its unique id."""
        return (await self.ami.action("Getvar", Channel=channel, Variable=name))["Value"]

    async def variable_global(self, name: str) -> str:
        """Read a global variable, or a function that needs no channel: `DEVICE_STATE(PJSIP/alice)`."""
        return (await self.ami.action("Getvar", Variable=name))["Value"]

    async def set_global(self, name: str, value: str) -> None:
        await self.ami.action("Setvar", Variable=name, Value=value)
