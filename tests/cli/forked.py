"""A command as a process that need not load callcontrol first: it is forked from one that has.

It has its arguments, environment, folder and output to itself, and ends as `python -m callcontrol` does.
"""

import asyncio
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from callcontrol.cli import build, main

build()  # of all commands: whatever they need is loaded

_fork = multiprocessing.get_context("forkserver")
_fork.set_forkserver_preload([__name__])


class Forked:
    def __init__(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        out: Path,
        err: Path,
    ) -> None:
        """What it says is appended to the files `out` and `err`. It does not outlive the tests."""
        self._process = _fork.Process(
            target=_become, args=(arguments, folder, environment, out, err), daemon=True
        )
        for said in (out, err):
            said.touch()
        self._process.start()

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, how: int) -> None:
        os.kill(self._process.pid, how)

    async def wait(self) -> int:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._process.sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._process.sentinel)
        self._process.join()
        return self._process.exitcode


def _become(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], out: Path, err: Path
) -> None:
    for descriptor, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["callcontrol", *arguments]
    main()
