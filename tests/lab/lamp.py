"""A phone's lamp key (BLF): it subscribes at the PBX (RFC 6665, dialog events of RFC 4235), and shows what it is told."""

import asyncio
import re
import socket
import uuid
from typing import cast

from tests.lab.sip import SipMessage
from tests.lab.watch import Watch

HOST = "127.0.0.1"
LASTS_S = 600


class Lamp(asyncio.DatagramProtocol):
    """`shows` is what most phones make of it: "off" (ready), "on" (busy), "held" or "blinking" (ringing); "" at first."""

    def __init__(self, extension: str, pbx_port: int, watch: Watch) -> None:
        self.extension = extension
        self.shows = ""
        self.seen: list[str] = []
        self._pbx = (HOST, pbx_port)
        self._watch = watch
        self._call_id, self._tag = str(uuid.uuid4()), uuid.uuid4().hex[:8]
        self._refused = ""
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self) -> "Lamp":
        """Subscribe; return with the first state."""
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind((HOST, 0))
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=bound)
        self._subscribe(bound.getsockname()[1])
        await self._watch.until(lambda: self.shows or self._refused, what=f"a lamp for {self.extension}")
        if self._refused:
            raise RuntimeError(f"no lamp for {self.extension}: {self._refused}")
        return self

    async def until(self, shows: str, timeout_s: float = 5.0) -> None:
        await self._watch.until(
            lambda: self.shows == shows,
            timeout_s,
            what=f"{self.extension}'s lamp, {self.shows}, to be {shows}",
        )

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _subscribe(self, port: int) -> None:
        lines = (
            f"SUBSCRIBE sip:{self.extension}@{HOST} SIP/2.0",
            f"Via: SIP/2.0/UDP {HOST}:{port};branch=z9hG4bK{self._tag};rport",
            "Max-Forwards: 70",
            f"From: <sip:blf@{HOST}>;tag={self._tag}",
            f"To: <sip:{self.extension}@{HOST}>",
            f"Call-ID: {self._call_id}",
            "CSeq: 1 SUBSCRIBE",
            f"Contact: <sip:blf@{HOST}:{port}>",
            "Event: dialog",
            "Accept: application/dialog-info+xml",
            f"Expires: {LASTS_S}",
            "Content-Length: 0",
        )
        self._send(lines)

    def _send(self, lines: tuple[str, ...]) -> None:
        if self._transport is not None:
            self._transport.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), self._pbx)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, _addr: tuple[str, int]) -> None:
        message = SipMessage.parse(data)
        if message.start_line.startswith("NOTIFY "):
            kept = ("via", "from", "to", "call-id", "cseq")
            echoed = (f"{key}: {value}" for key, value in message.headers if key in kept)
            self._send(("SIP/2.0 200 OK", *echoed, "Content-Length: 0"))
            if body := data.partition(b"\r\n\r\n")[2].decode():
                self.shows = _shown(body)
                self.seen.append(self.shows)
        elif message.status is not None and message.status >= 300:
            self._refused = message.start_line
        self._watch.wake()


def _shown(dialog_info: str) -> str:
    state = re.search(r"<state>(\w+)</state>", dialog_info)
    match state[1] if state else "":
        case "early":
            return "blinking"
        case "confirmed":
            held = re.search(r'\+sip\.rendering"\s+pvalue="no"', dialog_info)
            return "held" if held else "on"
        case _:
            return "off"
