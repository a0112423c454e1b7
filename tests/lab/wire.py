"""What passes on the wire between the PBX and the world: RTP frames and SIP messages, with the kernel's time stamps.

A recorder inside the PBX under test would hide what matters here: a gap in which no packet is sent makes a
recording shorter, not silent. The packets themselves, each with the time the kernel saw it, tell both apart.
"""

import array
import ctypes
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

SO_ATTACH_FILTER = 26
SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
ETH_P_IP = 0x0800
CHECKOUT = Path(__file__).resolve().parents[2]


def open_or_borrow_tap() -> socket.socket:
    """Open the tap. Without the right to do so it is opened by sudo, and handed over."""
    try:
        return open_tap()
    except PermissionError:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            subprocess.run(
                ["sudo", sys.executable, "-m", "tests.lab.wire"],
                stdin=theirs.fileno(),
                check=True,
                cwd=CHECKOUT,
            )
            _data, ancillary, _flags, _address = ours.recvmsg(1, socket.CMSG_LEN(4))
            descriptor = array.array("i", ancillary[0][2][:4])[0]
        return socket.socket(fileno=descriptor)


def open_tap() -> socket.socket:
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
    tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    tap.bind(("lo", ETH_P_IP))
    return tap


@dataclass(frozen=True, slots=True)
class RtpPacket:
    at: float  # seconds since the epoch
    ssrc: int
    timestamp: int
    payload_type: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class SipPacket:
    at: float
    source_port: int
    port: int
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Wire:
    """A tap on the loopback. Listens in a thread of its own from `open` to `close`."""

    sip_port: int  # the world's: packets to and from it are kept
    rtp_first: int  # the world's RTP ports: packets to them are kept, by port
    rtp_last: int
    rtp: dict[int, list[RtpPacket]] = field(default_factory=lambda: defaultdict(list))
    sip: list[SipPacket] = field(default_factory=list)
    _socket: socket.socket = field(default_factory=open_or_borrow_tap)
    _threads: list[threading.Thread] = field(default_factory=list)

    def open(self) -> None:
        program = _filter(self.sip_port, self.rtp_first, self.rtp_last)
        code = ctypes.create_string_buffer(program)
        self._socket.setsockopt(
            socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
        )
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.settimeout(0.2)
        thread = threading.Thread(target=self._listen, name="wire", daemon=True)
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        threads = self._threads.copy()
        self._threads.clear()
        for thread in threads:
            thread.join()
        self._socket.close()

    def catch_up(self, limit_s: float = 1.0) -> None:
        """Return when everything that was on the wire before this call has been kept."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as marker:
            marker.bind(("127.0.0.1", 0))
            ours = marker.getsockname()[1]
            marker.sendto(b"\r\n\r\n", ("127.0.0.1", self.sip_port))  # a keep-alive (RFC 5626)
            until = time.monotonic() + limit_s
            while not any(packet.source_port == ours for packet in reversed(self.sip)):
                if time.monotonic() > until:
                    raise TimeoutError("the tap does not keep up")
                time.sleep(0.001)

    def forget(self) -> None:
        self.rtp.clear()
        self.sip.clear()

    def _listen(self) -> None:
        while self._threads:
            try:
                packet, ancillary, _flags, _address = self._socket.recvmsg(4096, 64)
            except TimeoutError:
                continue
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2][:16])
            self._keep(packet, seconds + nanoseconds / 1e9)

    def _keep(self, packet: bytes, at: float) -> None:
        ip_header = (packet[0] & 0xF) * 4
        source, port = struct.unpack_from("!HH", packet, ip_header)
        data = packet[ip_header + 8 :]
        if not self.rtp_first <= port <= self.rtp_last:
            self.sip.append(SipPacket(at, source, port, data))
        elif port % 2 == 0 and len(data) > 12:
            kind, _sequence, timestamp, ssrc = struct.unpack_from("!xBHII", data)
            self.rtp[port].append(RtpPacket(at, ssrc, timestamp, kind & 0x7F, data[12:]))


def _filter(sip_port: int, rtp_first: int, rtp_last: int) -> bytes:
    """Write the kernel's filter: UDP to one of our RTP ports, or to or from our SIP port."""
    accept, refuse = 9, 10
    program = [
        (0x30, 0, 0, 9),  # A = IP protocol
        (0x15, 0, refuse - 2, 17),  # UDP, else refuse
        (0xB1, 0, 0, 0),  # X = length of the IP header
        (0x48, 0, 0, 0),  # A = source port
        (0x15, accept - 5, 0, sip_port),
        (0x48, 0, 0, 2),  # A = destination port
        (0x15, accept - 7, 0, sip_port),
        (0x35, 0, refuse - 8, rtp_first),
        (0x25, refuse - 9, 0, rtp_last),
        (0x06, 0, 0, 0xFFFF),
        (0x06, 0, 0, 0),
    ]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)


if __name__ == "__main__":
    with socket.socket(fileno=os.dup(0)) as stdin, open_tap() as ours:
        socket.send_fds(stdin, [b"."], [ours.fileno()])
