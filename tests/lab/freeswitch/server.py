"""One FreeSWITCH of the lab: its configuration, its process, its event socket."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.freeswitch.esl import Esl, EslError
from tests.lab.freeswitch.installation import FreeSwitchInstallation
from tests.lab.ports import free_port
from tests.lab.server import CONF, HOST, Link, Server

EVENTS = (
    "CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE", "CHANNEL_EXECUTE",
    "CHANNEL_EXECUTE_COMPLETE", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY", "DTMF",
    "CUSTOM", "lab::LabLeadBack",
)  # fmt: skip
PROFILES = 2
ANSWERS_S = 3.0  # a connection made while it starts may never be served
UNKNOWN = "_undef_"


class FreeSwitchServer(Server):
    """Rendered from conf/freeswitch into `<run_dir>/<name>/conf`, where `@WORD@` stands for a setting."""

    def __init__(self, name: str, installation: FreeSwitchInstallation, run_dir: Path) -> None:
        super().__init__(name, run_dir)
        self.trunk_port = free_port(socket.SOCK_DGRAM)
        self.esl = Esl(name)
        self._esl_port = free_port(socket.SOCK_STREAM)
        self._secret = secrets.token_hex(16)
        self._lab_secret = secrets.token_hex(16)
        self._installation = installation

    @property
    def product(self) -> str:
        return f"FreeSWITCH {self._installation.version}"

    @property
    def link(self) -> Link:
        return Link(host=HOST, port=self._esl_port, user="callcontrol@callcontrol", secret=self._secret)

    @property
    def conf(self) -> Path:
        return self.dir / "conf"

    @property
    def sounds(self) -> Path:
        return self.dir / "sounds"

    def render(self, settings: Mapping[str, str]) -> None:
        """Write the configuration. `settings` adds to what the server knows of itself."""
        for folder in ("conf", "log", "db", "run", "moh", "sounds", "scratch"):
            (self.dir / folder).mkdir(parents=True, exist_ok=True)
        known = {
            "RUN": str(self.dir),
            "PHONES_PORT": str(self.sip_port),
            "TRUNK_PORT": str(self.trunk_port),
            "ESL_SECRET": self._secret,
            "LAB_SECRET": self._lab_secret,
            "RTP_START": str(self.rtp.first),
            "RTP_END": str(self.rtp.last - 1),
            **settings,
        }
        for source in (CONF / "freeswitch").rglob("*.xml"):
            text = source.read_text()
            for word, value in known.items():
                text = text.replace(f"@{word}@", value)
            target = self.conf / source.relative_to(CONF / "freeswitch")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)

    def _command(self) -> Sequence[str]:
        folders = {
            "-conf": self.conf,
            "-log": self.dir / "log",
            "-db": self.dir / "db",
            "-run": self.dir / "run",
            "-sounds": self.sounds,
        } | dict.fromkeys(
            ("-cache", "-certs", "-grammar", "-htdocs", "-recordings", "-scripts", "-storage", "-temp"),
            self.dir / "scratch",
        )
        named = [part for option, folder in folders.items() for part in (option, str(folder))]
        tied = ["setpriv", "--pdeathsig", "KILL", "--"]
        return [*tied, str(self._installation.binary), "-nf", "-nc", "-np", "-nonat", "-nocal", *named]

    async def _up(self) -> bool:
        try:
            async with asyncio.timeout(ANSWERS_S):
                if await self._ready():
                    return True
        except (OSError, EslError, EOFError):
            pass
        await self.esl.close()
        return False

    async def _ready(self) -> bool:
        await self.esl.connect(HOST, self._esl_port, self._lab_secret)
        if " is ready" not in await self.esl.api("status"):
            return False
        if (await self.esl.api("sofia status")).count("RUNNING") < PROFILES:
            return False
        await self.esl.subscribe(*EVENTS)
        return True

    async def _ask_to_end(self) -> None:
        with contextlib.suppress(EslError, TimeoutError, ConnectionError):
            await self.esl.api("fsctl shutdown now", timeout_s=1.0)

    async def _disconnect(self) -> None:
        await self.esl.close()

    async def variable(self, channel: str, name: str) -> str:
        """Read a channel's variable; "" where it has none."""
        value = await self.esl.api(f"uuid_getvar {channel} {name}")
        return "" if value == UNKNOWN else value
