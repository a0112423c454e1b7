"""A provider's HTTP server on loopback, that answers, or fails to, as it is told."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def basic(self) -> str:
        scheme, _, given = self.headers["authorization"].partition(" ")
        assert scheme == "Basic"
        return base64.b64decode(given).decode()


@dataclass
class Says:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


HANGS, DROPS, CUTS_OFF = "hangs", "drops", "cuts off"


@dataclass
class Provider:
    """Answers in turn, the last one for ever."""

    answers: list[Any] = field(default_factory=lambda: [Says()])
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def will(self, *answers: Any) -> None:
        self.answers = list(answers)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.asked.append(await _request(reader))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            match answer:
                case "hangs":
                    await reader.read()  # until the client goes
                case "drops":
                    pass
                case "cuts off":
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
                case Says():
                    writer.write(_response(answer))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _request(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(method, path, headers, body)


def _response(says: Says) -> bytes:
    body = b"" if says.body is None else json.dumps(says.body).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))} | says.headers
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {says.status} Said\r\n{lines}\r\n".encode() + body


@asynccontextmanager
async def provider(tls: ssl.SSLContext | None = None) -> AsyncIterator[Provider]:
    found = Provider()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    found.url = f"http{'s' if tls else ''}://127.0.0.1:{port}"
    try:
        yield found
    finally:
        server.close()
