"""Speech by two commands of the engineer's choice: one speaks, one converts for the switch."""

import asyncio
import contextlib
import hashlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from callcontrol.ports import PortError

KEEP_S = 86_400.0
TIDY_EVERY_S = 3600.0
_LONGEST_TEXT = 4000  # characters
_KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "HOME", "TMPDIR")  # not the secrets


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeechSettings:
    """`{raw}` in a command is the file that it makes, `{out}` the one that the switch plays."""

    command: Sequence[str]  # the text comes on standard input, as UTF-8
    convert: Sequence[str]
    directory: Path
    directory_on_pbx: Path | None = None  # where the switch sees the directory, if elsewhere
    timeout_s: float = 20.0


class CommandSpeech:
    """The same text is rendered once, also by several transfers at the same time."""

    def __init__(self, settings: SpeechSettings) -> None:
        self._settings = settings
        self._rendering: dict[str, asyncio.Lock] = {}
        self._tidied_at = -TIDY_EVERY_S

    async def render(self, text: str) -> Path:
        """Raises PortError where a command fails or takes too long."""
        name = self._name(text)
        file = self._settings.directory / name
        async with self._rendering.setdefault(name, asyncio.Lock()):
            try:
                self._tidy()
                if file.exists():
                    os.utime(file)  # in use: not to be tidied away
                else:
                    await self._make(text, file)
            except OSError as error:
                raise PortError(f"speech: {error}", retryable=True) from error
            finally:
                self._rendering.pop(name, None)
        return (self._settings.directory_on_pbx or self._settings.directory) / name

    async def erase(self, text: str) -> None:
        with contextlib.suppress(OSError):
            (self._settings.directory / self._name(text)).unlink()

    def _name(self, text: str) -> str:
        """By content and commands, so that another voice makes another file."""
        parts = (*self._settings.command, "", *self._settings.convert, "", text)
        return f"{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:40]}.wav"

    async def _make(self, text: str, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.parent.chmod(0o755)  # the switch is another user
        with tempfile.TemporaryDirectory(prefix=".making-", dir=file.parent) as work:
            raw, out = Path(work) / "raw.wav", Path(work) / "out.wav"
            async with _within(self._settings.timeout_s):
                await _run(self._settings.command, raw, out, text[:_LONGEST_TEXT])
                await _run(self._settings.convert, raw, out, "")
            if not out.is_file() or out.stat().st_size == 0:
                raise PortError("speech: the commands made no sound file", retryable=False)
            out.chmod(0o644)
            out.replace(file)

    def _tidy(self) -> None:
        """Old files hold what leads said: they go after a day."""
        now = time.monotonic()
        if now - self._tidied_at < TIDY_EVERY_S or not self._settings.directory.is_dir():
            return
        self._tidied_at = now
        oldest = time.time() - KEEP_S
        for found in self._settings.directory.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if found.stat().st_mtime < oldest:
                    if found.is_dir() and found.name.startswith(".making-"):
                        shutil.rmtree(found, ignore_errors=True)
                    elif found.suffix == ".wav":
                        found.unlink()


@contextlib.asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise PortError(f"speech: the commands took over {seconds:g} s", retryable=True) from None


async def _run(command: Sequence[str], raw: Path, out: Path, text: str) -> None:
    argv = [part.replace("{raw}", str(raw)).replace("{out}", str(out)) for part in command]
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ},
            start_new_session=True,
        )
    except FileNotFoundError:
        raise PortError(f"speech: {argv[0]} is not installed", retryable=False) from None
    try:
        _, complaint = await process.communicate(text.encode())
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its children too
            await process.wait()
    if process.returncode != 0:
        said = complaint.decode(errors="replace").strip().splitlines()
        raise PortError(
            f"speech: {argv[0]} ended with {process.returncode}: {said[-1][:200] if said else 'no word'}",
            retryable=False,
        )
