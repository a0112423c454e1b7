"""A real PostgreSQL for the tests: a cluster of its own in a temporary folder, gone afterwards."""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.lab.ports import free_port

_PR_SET_PDEATHSIG = 1
_STARTS_WITHIN_S = 30


class Server:
    def __init__(self, folder: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        self._folder = folder
        self._port = port
        self._process = process
        self._databases = 0

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self._port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement)

    def new_database(self, template: str = "template1") -> str:
        """Its name."""
        self._databases += 1
        name = f"test_{self._databases}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def end_connections(self, database: str) -> None:
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Every process of the server stands still: connections stay open and nothing answers."""
        pids = [self._process.pid, *_children(self._process.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in reversed(pids):
                os.kill(pid, signal.SIGCONT)

    def wait_until_up(self) -> None:
        deadline = time.monotonic() + _STARTS_WITHIN_S
        while True:
            try:
                return self.execute("SELECT 1")
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(timeout=_STARTS_WITHIN_S)


@contextlib.contextmanager
def running(*, fsync: bool = False) -> Iterator[Server]:
    """Skips the test where there is no PostgreSQL and none can be installed."""
    binaries = _binaries()
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="callcontrol-postgresql-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        subprocess.run(
            [binaries / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8"],
            check=True,
            capture_output=True,
            user=user,
            cwd=folder,
        )
        server = _start(binaries, folder, user, fsync=fsync)
        try:
            server.wait_until_up()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _start(binaries: Path, folder: Path, user: str | None, *, fsync: bool) -> Server:
    port = free_port()
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "fsync": "on" if fsync else "off",  # the tests kill clients, not the machine
        "max_connections": "200",
    }
    command: list[str | Path] = [binaries / "postgres", "-D", folder / "data"]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            user=user,
            cwd=folder,
            preexec_fn=_end_with_parent(),  # noqa: PLW1509 - one call of the kernel, no lock taken
        )
    return Server(folder, port, process)


def _end_with_parent() -> Callable[[], None]:
    """A killed test run leaves no server behind (prctl(2), Linux)."""
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def _binaries() -> Path:
    found = _installed()
    if found is None:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            _install()
        found = _installed()
    if found is None:
        pytest.skip("no PostgreSQL: install the distribution's postgresql package to run these")
    return found


def _installed() -> Path | None:
    return max(
        (path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")),
        key=lambda path: int(path.parent.name),
        default=None,
    )


def _install() -> None:
    become_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    install = ["apt-get", "install", "-y", "--no-install-recommends", "postgresql"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], install):
        subprocess.run(
            [*become_root, *command], check=True, capture_output=True, timeout=600, env=environment
        )


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
