"""An SMSC on loopback that speaks SMPP 3.4 by bytes of its own, and does as it is told."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

HEADER = struct.Struct(">LLLL")
BIND_TRANSMITTER, BIND_TRANSCEIVER, SUBMIT, DELIVER, UNBIND, ENQUIRE = 0x02, 0x09, 0x04, 0x05, 0x06, 0x15
ANSWER, NACK = 0x80000000, 0x80000000
THROTTLED, QUEUE_FULL, BAD_NUMBER, SYSTEM_ERROR, BAD_PASSWORD = 0x58, 0x14, 0x0B, 0x08, 0x0E
HANGS, DROPS = "hangs", "drops"
BODY = ("service_type", "ton", "npi", "source", "to_ton", "to_npi", "to", "esm_class", "protocol", "priority")
MORE = ("scheduled", "validity", "registered", "replace", "coding", "canned", "length")
WORDS = {"service_type", "source", "to", "scheduled", "validity"}


@dataclass(slots=True)
class Smsc:
    port: int
    answers: list[int | str] = field(
        default_factory=list
    )  # a status each, or HANGS, or DROPS; then all is well
    bind_status: int = 0
    binds: list[tuple[int, str, str, str]] = field(default_factory=list)
    texts: list[dict[str, Any]] = field(default_factory=list)
    heard: list[tuple[int, int, int]] = field(default_factory=list)  # command, status, number
    enquired: int = 0
    silent: bool = False
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    numbers: Any = field(default_factory=lambda: count(1000))

    def push(self, command: int, body: bytes = b"", status: int = 0) -> int:
        """To whom is bound now. The PDU's number."""
        number = next(self.numbers)
        self.writers[-1].write(pdu(command, body, status, number))
        return number

    def receipt(self, provider_id: str, stat: str, *, tlvs: bytes = b"") -> int:
        said = f"id:{provider_id} sub:001 dlvrd:001 submit date:2611261200 done date:2611261201 stat:{stat} err:034 Text:"
        return self.push(DELIVER, deliver(said.encode(), esm_class=4) + tlvs)

    async def answered(self, number: int) -> int:
        """The status with which the other side answered."""
        async with asyncio.timeout(5):
            while True:
                for command, status, of in self.heard:
                    if command & ANSWER and of == number:
                        return status
                await asyncio.sleep(0.005)


def pdu(command: int, body: bytes = b"", status: int = 0, number: int = 0) -> bytes:
    return HEADER.pack(HEADER.size + len(body), command, status, number) + body


def deliver(said: bytes, *, esm_class: int = 0) -> bytes:
    return (
        b"\0\x01\x0113035550100\0\x05\0Sales\0"
        + bytes((esm_class, 0, 0))
        + b"\0\0\0\0\0\0"
        + bytes((len(said),))
        + said
    )


@asynccontextmanager
async def smsc() -> AsyncIterator[Smsc]:
    found = Smsc(0)
    server = await asyncio.start_server(lambda r, w: _serve(found, r, w), "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for writer in found.writers:
            writer.close()


async def _serve(told: Smsc, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    told.writers.append(writer)
    try:
        while True:
            length, command, status, number = HEADER.unpack(await reader.readexactly(HEADER.size))
            body = await reader.readexactly(length - HEADER.size)
            told.heard.append((command, status, number))
            if not told.silent:
                _answer(told, writer, command, number, body)
    except (EOFError, OSError):
        pass
    finally:
        writer.close()


def _answer(told: Smsc, writer: asyncio.StreamWriter, command: int, number: int, body: bytes) -> None:
    match command:
        case 0x02 | 0x09:
            words = body.split(b"\0")
            told.binds.append((command, *(word.decode() for word in words[:3])))
            writer.write(
                pdu(command | ANSWER, b"SMSC\0" if not told.bind_status else b"", told.bind_status, number)
            )
        case 0x04:
            said = told.answers.pop(0) if told.answers else 0
            told.texts.append(_submitted(body))
            if said == DROPS:
                writer.transport.abort()
            elif said == 0:
                writer.write(pdu(SUBMIT | ANSWER, f"m{len(told.texts)}".encode() + b"\0", 0, number))
            elif said != HANGS:
                writer.write(pdu(SUBMIT | ANSWER, b"", said, number))
        case 0x15:
            told.enquired += 1
            writer.write(pdu(ENQUIRE | ANSWER, b"", 0, number))
        case 0x06:
            writer.write(pdu(UNBIND | ANSWER, b"", 0, number))


def _submitted(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in (*BODY, *MORE):
        if name in WORDS:
            word, _, body = body.partition(b"\0")
            found[name] = word.decode()
        else:
            found[name], body = body[0], body[1:]
    found["text"], body = body[: found["length"]], body[found["length"] :]
    while body:
        tag, length = struct.unpack(">HH", body[:4])
        found[f"{tag:#06x}"], body = body[4 : 4 + length], body[4 + length :]
    return found
