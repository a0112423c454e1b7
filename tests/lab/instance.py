"""One Asterisk of the lab: its configuration and its AMI."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.ami import Ami, AmiError, Message
from tests.lab.ports import free_port
from tests.lab.provision import Installation
from tests.lab.server import CONF, HOST, LabError, Link, Server

__all__ = ["HOST", "Instance", "LabError"]


class Instance(Server):
    """Rendered from conf/common and conf/<name>/*.conf into `<run_dir>/<name>/etc`, where `@WORD@` stands for a setting."""

    def __init__(self, name: str, installation: Installation, run_dir: Path, shared: Sequence[Path]) -> None:
        super().__init__(name, run_dir)
        self.ami_host = HOST
        self.ami_port = free_port(socket.SOCK_STREAM)
        self.ami_user = "callcontrol"
        self.ami_secret = secrets.token_hex(16)
        self.ami = Ami(name)
        self._lab_secret = secrets.token_hex(16)
        self._installation = installation
        self._shared = [*shared, run_dir]

    @property
    def version(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self._installation.version.split("."))

    @property
    def product(self) -> str:
        return f"Asterisk {self._installation.version}"

    @property
    def link(self) -> Link:
        return Link(host=self.ami_host, port=self.ami_port, user=self.ami_user, secret=self.ami_secret)

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

    def _command(self) -> Sequence[str]:
        etc = self.dir / "etc" / "asterisk.conf"
        return self._installation.command(["-f", "-C", str(etc)], shared=self._shared)

    async def _up(self) -> bool:
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

    async def _ask_to_end(self) -> None:
        with contextlib.suppress(AmiError, TimeoutError, ConnectionError):
            await self.ami.command("core stop now", timeout_s=1.0)

    async def _disconnect(self) -> None:
        await self.ami.close()

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
