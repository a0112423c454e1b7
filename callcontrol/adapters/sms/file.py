"""A gateway that writes each text as one JSON line into a file that only its owner can read."""

import asyncio
import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from callcontrol.ports import Message, PortError


class FileGateway:
    """A text whose dedupe key is in the file already is not written again."""

    keyed = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: set[str] = set()
        self._read_up_to = 0

    async def send(self, message: Message) -> str:
        """On disk when it returns. Raises PortError, always retryable: a disk may be given room."""
        try:
            await asyncio.to_thread(self._append, message)
        except OSError as error:
            raise PortError(f"{self._path}: {error.strerror}", retryable=True) from error
        return ""

    async def close(self) -> None:
        pass

    def _append(self, message: Message) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            torn = self._catch_up(file.fileno())
            if message.dedupe_key in self._written:
                return
            line = {
                "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "to": message.to,
                "body": message.body,
                "transfer": message.transfer_id,
                "key": message.dedupe_key,
            }
            file.write(b"\n" * torn + json.dumps(line, ensure_ascii=False).encode() + b"\n")
            os.fsync(file.fileno())

    def _catch_up(self, descriptor: int) -> bool:
        """Learn the keys written since, also by others. Whether the last line is torn."""
        size = os.fstat(descriptor).st_size
        if size < self._read_up_to:  # rotated away
            self._read_up_to = 0
            self._written.clear()
        new = os.pread(descriptor, size - self._read_up_to, self._read_up_to)
        lines = new.split(b"\n")
        self._written.update(key for line in lines if (key := _key(line)))
        self._read_up_to += len(new) - len(lines[-1])
        return bool(lines[-1])


def _key(line: bytes) -> str:
    try:
        found = json.loads(line)
    except ValueError:
        return ""
    return str(found.get("key", "")) if isinstance(found, dict) else ""
