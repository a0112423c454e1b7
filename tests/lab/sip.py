"""What a called party's phone was told, read from the SIP messages themselves."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.lab.wire import SipPacket

ANSWERED_ELSEWHERE = re.compile(r"SIP\s*;\s*cause\s*=\s*200\b", re.IGNORECASE)


@dataclass(frozen=True)
class SipMessage:
    start_line: str
    headers: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, data: bytes) -> "SipMessage":
        head = data.partition(b"\r\n\r\n")[0].decode(errors="replace")
        start_line, *lines = head.split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return cls(start_line, tuple((key.strip().lower(), value.strip()) for key, _colon, value in pairs))

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name.lower()), None)

    @property
    def method(self) -> str:
        """The request's method, or for a response the one it answers."""
        return (self.get("CSeq") or "").rpartition(" ")[2]

    @property
    def status(self) -> int | None:
        match = re.match(r"SIP/2\.0 (\d{3})", self.start_line)
        return int(match[1]) if match else None


@dataclass(kw_only=True)
class ReceivedCall:
    """One INVITE as the called phone saw it. Times are wall-clock seconds."""

    who: str  # the user part of the request's address
    call_id: str
    caller_name: str
    caller_number: str
    alert_info: str | None
    started_at: float
    invite: SipMessage
    ringing_at: float | None = None
    answered_at: float | None = None
    ended_at: float | None = None
    status: int | None = None  # what the phone finally said: 200, 486, 603, 487 when cancelled
    cancel_reason: str | None = None  # the CANCEL's Reason headers; "" for a CANCEL without one
    by_phone: bool = field(default=False)  # the phone itself ended it

    @property
    def answered_elsewhere(self) -> bool:
        return bool(self.cancel_reason and ANSWERED_ELSEWHERE.search(self.cancel_reason))

    @property
    def missed(self) -> bool:
        """Whether the phone shows a missed call: it rang, the caller gave up, and nobody else answered."""
        return self.cancel_reason is not None and self.answered_at is None and not self.answered_elsewhere


@dataclass(kw_only=True)
class ReceivedMessage:
    """One MESSAGE (RFC 3428) as a phone saw it."""

    who: str
    sender: str
    content_type: str
    body: str
    status: int | None = None  # what the phone said to it


def received_messages(packets: Iterable[SipPacket], phones_port: int) -> list[ReceivedMessage]:
    """Each once, however often it was repeated on the wire."""
    found: dict[str, ReceivedMessage] = {}
    for packet in packets:
        message = SipMessage.parse(packet.data)
        call_id = message.get("Call-ID") or ""
        if message.method != "MESSAGE":
            continue
        if message.status is not None and call_id in found and packet.source_port == phones_port:
            found[call_id].status = message.status
        elif message.status is None and packet.port == phones_port:
            address = re.match(r"MESSAGE sips?:([^@;> ]+)", message.start_line)
            found.setdefault(
                call_id,
                ReceivedMessage(
                    who=address[1] if address else "",
                    sender=message.get("From") or "",
                    content_type=message.get("Content-Type") or "",
                    body=packet.data.partition(b"\r\n\r\n")[2].decode(),
                ),
            )
    return list(found.values())


def received_calls(packets: Iterable[SipPacket], phones_port: int) -> list[ReceivedCall]:
    """Read the calls that came in at a SIP port, in the order they came."""
    calls: dict[str, ReceivedCall] = {}
    for packet in packets:
        message = SipMessage.parse(packet.data)
        call_id = message.get("Call-ID") or ""
        if message.start_line.startswith("INVITE ") and packet.port == phones_port:
            calls.setdefault(call_id, _invited(message, call_id, packet.at))
        elif (call := calls.get(call_id)) is not None:
            _follow(call, message, packet, phones_port)
    return list(calls.values())


def _invited(invite: SipMessage, call_id: str, at: float) -> ReceivedCall:
    caller = re.match(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^<"]*?))\s*<sips?:([^@>;]*)', invite.get("From") or "")
    name = (caller[1] or caller[2] or "") if caller else ""
    who = re.match(r"INVITE sips?:([^@;> ]*)", invite.start_line)
    return ReceivedCall(
        who=who[1] if who else "",
        call_id=call_id,
        caller_name=re.sub(r"\\(.)", r"\1", name),
        caller_number=caller[3] if caller else "",
        alert_info=invite.get("Alert-Info"),
        started_at=at,
        invite=invite,
    )


def _follow(call: ReceivedCall, message: SipMessage, packet: SipPacket, phones_port: int) -> None:
    from_phone = packet.source_port == phones_port
    if message.start_line.startswith("CANCEL "):
        call.cancel_reason = ", ".join(value for key, value in message.headers if key == "reason")
    elif message.start_line.startswith("BYE "):
        call.ended_at = call.ended_at or packet.at
        call.by_phone = from_phone
    elif from_phone and message.method == "INVITE" and message.status is not None:
        if 180 <= message.status < 200:
            call.ringing_at = call.ringing_at or packet.at
        elif 200 <= message.status < 300 and call.answered_at is None:
            call.answered_at, call.status = packet.at, message.status
        elif message.status >= 300 and call.ended_at is None:
            call.ended_at, call.status = packet.at, message.status
            call.by_phone = call.cancel_reason is None
