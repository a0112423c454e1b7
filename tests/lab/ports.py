"""Free ports, so that two labs can run side by side on one machine."""

import itertools
import random
import socket
from dataclasses import dataclass

PORTS = range(10000, 12000)  # one after the other, from anywhere: so that no port is given twice
RTP_RANGES = range(12000, 31500, 1500)  # both under Linux's ephemeral ports

_ports = itertools.cycle(random.sample(PORTS, len(PORTS)))


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """None of the ephemeral ones: who tries such a port before its server listens may be connected with itself."""
    for port in itertools.islice(_ports, len(PORTS)):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("every port of the lab is taken")


@dataclass(frozen=True)
class RtpRange:
    """A range of UDP ports, ours for as long as the guard at its end stays bound."""

    first: int
    last: int
    guard: socket.socket

    @classmethod
    def claim(cls) -> "RtpRange":
        for first in random.sample(RTP_RANGES, len(RTP_RANGES)):
            guard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                guard.bind(("127.0.0.1", first + 1499))
            except OSError:
                guard.close()
                continue
            return cls(first, first + 1497, guard)
        raise OSError("every range of RTP ports is taken: other labs are running")

    def release(self) -> None:
        self.guard.close()
