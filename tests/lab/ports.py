"""Free ports, so that two labs can run side by side on one machine."""

import random
import socket
from dataclasses import dataclass

RTP_RANGES = range(12000, 31500, 1500)  # under Linux's ephemeral ports


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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
