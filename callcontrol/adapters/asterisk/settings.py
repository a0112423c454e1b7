"""What the adapter needs to know of its switch."""

import ssl
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class AsteriskSettings:
    """`{address}` in a dial template stands for the extension or the E.164 number."""

    username: str
    secret: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 5038
    tls: ssl.SSLContext | None = None
    extension_dial: str = "PJSIP/{address}"
    number_dial: str = "PJSIP/{address}@trunk"
    alert_info: str = ""  # the Alert-Info header of extensions rung as PJSIP/...; none where empty
    outside_caller_number: str = ""  # shown on legs that leave the PBX; the lead's own where empty
    sends_messages: bool = False  # so that the manager user needs one right more
    connect_timeout_s: float = 5.0
    action_timeout_s: float = 5.0
    ping_interval_s: float = 5.0
    ping_timeout_s: float = 3.0
    first_retry_s: float = 0.2
    last_retry_s: float = 15.0
    looks_after_start_s: tuple[float, ...] = (
        0.0,
        0.5,
        1.0,
        2.0,
        4.0,
        8.0,
    )  # at the phones, after one another
    login_retry_s: float = 30.0  # after a refused login: guessing faster gets a host banned
