"""The running daemon, asked over HTTP. Standard library only: one process asks one question."""

import http.client
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from callcontrol.narration import LAST_PHASES

WITHIN_S = 15.0
RETRIES = 20
RETRY_EVERY_S = 0.5


class DaemonAwayError(Exception):
    """Nobody answers there, or the daemon says that it can't just now."""


class DaemonRefusedError(Exception):
    """The daemon answered no, with its reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Daemon:
    url: str
    token: str

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer's JSON. Raises DaemonAwayError and DaemonRefusedError."""
        connection = self._connection()
        try:
            payload = None if body is None else json.dumps(body).encode()
            connection.request(method, path, payload, self._headers({"Content-Type": "application/json"}))
            response = connection.getresponse()
            answer = json.loads(response.read() or b"null")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._away(error) from None
        finally:
            connection.close()
        if response.status < http.HTTPStatus.BAD_REQUEST:
            return answer
        detail = answer.get("detail", "") if isinstance(answer, dict) else ""
        if response.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
            raise DaemonAwayError(f"the daemon can't just now: {detail}")
        raise DaemonRefusedError(f"the daemon refused ({response.status}): {detail}")

    def events(self, path: str) -> Iterator[Mapping[str, Any]]:
        """Server-sent events' data, up to the last phase; goes on where a lost connection broke off."""
        seen, failures = 0, 0
        while True:
            try:
                for event in self._stream(path, seen):
                    seen, failures = int(event["seq"]), 0
                    yield event
                    if event["phase"] in LAST_PHASES:
                        return
            except (OSError, http.client.HTTPException) as error:
                why: Exception = error
            else:
                why = EOFError("the stream broke off")
            failures += 1
            if failures > RETRIES:
                raise self._away(why)
            time.sleep(RETRY_EVERY_S)

    def _stream(self, path: str, seen: int) -> Iterator[Mapping[str, Any]]:
        connection = self._connection(timeout=60.0)  # the daemon says that it is there every 15 s
        try:
            connection.request("GET", path, headers=self._headers({"Last-Event-ID": str(seen)}))
            response = connection.getresponse()
            if response.status != http.HTTPStatus.OK:
                raise DaemonRefusedError(f"the daemon refused ({response.status})")
            for line in response:
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])
        finally:
            connection.close()

    def _connection(self, timeout: float = WITHIN_S) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname or "127.0.0.1", parts.port, timeout=timeout)

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", **more}

    def _away(self, error: Exception) -> DaemonAwayError:
        return DaemonAwayError(f"no daemon answers at {self.url} ({error}); start it: callcontrol serve")
