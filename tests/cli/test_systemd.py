"""The service unit, and what the daemon says to its manager."""

import asyncio
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from callcontrol.app.systemd import Notifier
from callcontrol.config import secret_files
from tests.cli.conftest import start

UNIT = Path(__file__).parents[2] / "systemd" / "callcontrol.service"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_the_unit_is_hardened_to_an_exposure_of_2_at_most():
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(UNIT)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-500:] + ran.stderr
    assert re.search(r"exposure level for callcontrol.service: [01]\.\d", ran.stdout)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_the_unit_is_understood_line_by_line(tmp_path):
    program = tmp_path / "callcontrol"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/callcontrol/bin/callcontrol", str(program)))
    ran = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    complaints = [line for line in ran.stderr.splitlines() if "callcontrol.service" in line]
    assert complaints == []


def test_every_secret_of_the_shipped_configuration_is_a_credential_of_the_unit():
    passed = dict(re.findall(r"^LoadCredential=([^:]+):(.+)$", UNIT.read_text(), re.MULTILINE))
    named = secret_files(UNIT.parents[1] / "config" / "callcontrol.yaml")
    assert set(passed) == {file.name for file in named}
    assert all(path == f"/etc/callcontrol/secrets/{name}" for name, path in passed.items())


class Manager:
    """A service manager's end of the notify socket."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "notify")
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.setblocking(False)

    def listen(self) -> list[str]:
        while True:
            try:
                self.heard += self._socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return self.heard

    async def until(self, holds: Callable[[list[str]], bool], limit_s: float = 15.0) -> None:
        async with asyncio.timeout(limit_s):
            while not holds(self.listen()):
                await asyncio.sleep(0.02)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path)
    yield manager
    manager.close()


async def test_the_watchdog_is_fed_while_healthy_and_starved_when_not(manager):
    healthy = True
    notifier = Notifier(manager.path, "90000")
    feeding = asyncio.create_task(notifier.feed(lambda: healthy))
    await manager.until(lambda heard: heard.count("WATCHDOG=1") >= 3)
    healthy = False
    await asyncio.sleep(0.05)
    fed = manager.listen().count("WATCHDOG=1")
    await asyncio.sleep(0.1)
    assert manager.listen().count("WATCHDOG=1") == fed
    feeding.cancel()


async def test_without_a_manager_nothing_is_said_and_nothing_breaks(tmp_path):
    for address in ("", str(tmp_path / "gone")):
        notifier = Notifier(address, "")
        notifier.ready()
        notifier.stopping()
        await notifier.feed(lambda: True)  # no watchdog: ends at once


def test_an_abstract_address_is_understood():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0callcontrol-test-notify")
        Notifier("@callcontrol-test-notify", "").ready()
        assert listening.recv(100).startswith(b"READY=1\n")


async def test_the_daemon_says_ready_feeds_the_watchdog_and_says_that_it_stops(site, manager):
    daemon = await start(site, NOTIFY_SOCKET=manager.path, WATCHDOG_USEC="300000")
    await manager.until(lambda heard: "READY=1" in heard and heard.count("WATCHDOG=1") >= 2)
    assert await daemon.ends(signal.SIGTERM) == 0
    assert "STOPPING=1" in manager.listen()
    assert manager.heard.index("READY=1") < manager.heard.index("STOPPING=1")


async def test_without_the_pbx_the_daemon_is_not_ready_but_answers(site, manager):
    site.change("pbx: simulated", "pbx: asterisk")
    site.change("port: 5038", "port: 1")
    site_log = site.folder / "daemon.log"
    process = await asyncio.create_subprocess_exec(
        *site.argv("serve"),
        stderr=site_log.open("wb"),
        cwd=site.folder,
        env=site.environment | {"NOTIFY_SOCKET": manager.path},
    )
    await manager.until(lambda heard: "STATUS=waiting for the PBX" in heard)
    port = re.search(r"port: (\d+)\n  tokens", site.config.read_text())
    assert port
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port[1]))
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = (await reader.read()).decode()
    writer.close()
    assert answer.startswith("HTTP/1.1 503")
    assert '"database":"ok"' in answer
    assert "READY=1" not in manager.listen()
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
