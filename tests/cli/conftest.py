"""The commands as processes, with a daemon on the simulated switch."""

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.cli.forked import Forked
from tests.lab.ports import free_port

ROOT = Path(__file__).parents[2]


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@dataclass
class Site:
    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config" / "callcontrol.yaml"

    def argv(self, *arguments: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "callcontrol", *arguments)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CALLCONTROL")}
        return kept | {"PYTHONPATH": str(ROOT), "CALLCONTROL_CONFIG": str(self.config)}

    async def run(self, *arguments: str) -> Ran:
        with TemporaryDirectory() as said:
            out, err = Path(said, "out"), Path(said, "err")
            process = self.start(*arguments, out=out, err=err)
            try:
                async with asyncio.timeout(30):
                    code = await process.wait()
            except TimeoutError:
                process.send_signal(signal.SIGKILL)
                raise
            return Ran(code, out.read_text(), err.read_text())

    def start(self, *arguments: str, out: Path, err: Path, **environment: str) -> Forked:
        return Forked(
            arguments, folder=self.folder, environment=self.environment | environment, out=out, err=err
        )

    def change(self, pattern: str, text: str) -> None:
        changed, count = re.subn(pattern, text, self.config.read_text(), count=1)
        assert count == 1
        self.config.write_text(changed)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The shipped configuration and directory, made ready by `init` and `apply`, on the simulated switch."""
    site = Site(tmp_path_factory.mktemp("prepared"))
    made = asyncio.run(site.run("init"))
    assert made.code == 0, made.err
    site.change("pbx: asterisk", "pbx: simulated")
    applied = asyncio.run(site.run("apply", "config/directory.yaml", "--yes"))
    assert "agent alice: added" in applied.out
    return site


@pytest.fixture
def site(prepared: Site, tmp_path: Path) -> Site:
    site = Site(tmp_path / "site")
    shutil.copytree(prepared.folder, site.folder)
    site.change("port: 8474", f"port: {free_port()}")
    return site


@dataclass
class Daemon:
    site: Site
    process: Forked
    log: Path
    lead: str = ""

    async def until(self, said: str) -> None:
        async with asyncio.timeout(15):
            while said not in self.log.read_text():
                assert self.process.returncode is None, self.log.read_text()
                await asyncio.sleep(0.05)

    async def ends(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        async with asyncio.timeout(10):
            return await self.process.wait()


async def start(site: Site, **environment: str) -> Daemon:
    log = site.folder / "daemon.log"
    process = site.start("serve", out=log, err=log, **environment)
    daemon = Daemon(site, process, log)
    await daemon.until('"ready"')
    [daemon.lead] = re.findall(r'"channel": "(lead-\d+)"', log.read_text())[-1:]
    return daemon


@pytest.fixture
async def daemon(site: Site) -> AsyncIterator[Daemon]:
    daemon = await start(site)
    yield daemon
    if daemon.process.returncode is None:
        await daemon.ends(signal.SIGKILL)
