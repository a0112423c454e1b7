"""A phone's lamp key (BLF): it subscribes at the PBX (RFC 6665, dialog events of RFC 4235), and shows what it is told."""

import asyncio
import hashlib
import re
import socket
import uuid
from typing import cast

from tests.lab.sip import SipMessage
from tests.lab.watch import Watch

HOST = "127.0.0.1"
LASTS_S = 600
USER = "blf"
CHALLENGES = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}


class Lamp(asyncio.DatagramProtocol):
    """`shows` is what most phones make of it: "off" (ready), "on" (busy), "held" or "blinking" (ringing); "" at first."""

    def __init__(self, extension: str, pbx_port: int, secret: str, watch: Watch) -> None:
        self.extension = extension
        self.port = 0
        self.shows = ""
        self.seen: list[str] = []
        self._pbx = (HOST, pbx_port)
        self._secret = secret
        self._watch = watch
        self._asked = 0
        self._call_id, self._tag = str(uuid.uuid4()), uuid.uuid4().hex[:8]
        self._refused = ""
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self) -> "Lamp":
        """Subscribe; return with the first state."""
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind((HOST, 0))
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=bound)
        self.port = bound.getsockname()[1]
        self._subscribe()
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

    def _subscribe(self, *credentials: str) -> None:
        self._asked += 1
        lines = (
            f"SUBSCRIBE sip:{self.extension}@{HOST} SIP/2.0",
            f"Via: SIP/2.0/UDP {HOST}:{self.port};branch=z9hG4bK{self._tag}{self._asked};rport",
            "Max-Forwards: 70",
            f"From: <sip:{USER}@{HOST}>;tag={self._tag}",
            f"To: <sip:{self.extension}@{HOST}>",
            f"Call-ID: {self._call_id}",
            f"CSeq: {self._asked} SUBSCRIBE",
            f"Contact: <sip:{USER}@{HOST}:{self.port}>",
            *credentials,
            "Event: dialog",
            "Accept: application/dialog-info+xml",
            f"Expires: {LASTS_S}",
            "Content-Length: 0",
        )
        self._send(lines)

    def _send(self, lines: tuple[str, ...]) -> None:
        if self._transport is not None:
            self._transport.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), self._pbx)

    def _digest(self, challenge: str) -> str:
        """The answer to a challenge for a password (RFC 2617)."""
        asked = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))
        uri, cnonce = f"sip:{self.extension}@{HOST}", self._tag
        who = _md5(USER, asked["realm"], self._secret)
        response = _md5(who, asked["nonce"], "00000001", cnonce, "auth", _md5("SUBSCRIBE", uri))
        return (
            f'Digest username="{USER}", realm="{asked["realm"]}", nonce="{asked["nonce"]}", uri="{uri}",'
            f' response="{response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="{cnonce}"'
        )

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
        elif message.status in CHALLENGES and self._asked == 1:
            challenged, answered = CHALLENGES[message.status]
            self._subscribe(f"{answered}: {self._digest(message.get(challenged) or '')}")
        elif message.status is not None and message.status >= 300:
            self._refused = message.start_line
        self._watch.wake()


def _md5(*parts: str) -> str:
    return hashlib.md5(":".join(parts).encode(), usedforsecurity=False).hexdigest()


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
