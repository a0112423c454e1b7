"""What the adapter needs to know of its switch."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class FreeswitchSettings:
    """`{address}` in a dial template stands for the extension or the E.164 number."""

    secret: str = field(repr=False)
    username: str = ""  # user@domain of the switch's directory; empty: the socket's one password
    host: str = "127.0.0.1"
    port: int = 8021
    domain: str = ""  # the phones' SIP domain, for lamps; empty: what the switch calls its own
    extension_dial: str = "user/{address}"
    number_dial: str = "sofia/gateway/trunk/{address}"
    alert_info: str = ""  # the Alert-Info header of extensions; none where empty
    outside_caller_number: str = ""  # shown on legs that leave the PBX; the lead's own where empty
    connect_timeout_s: float = 5.0
    command_timeout_s: float = 5.0
    ping_interval_s: float = 5.0
    ping_timeout_s: float = 3.0
    look_again_s: float = 10.0  # at what events are trusted to tell
    told_within_s: float = 2.0  # by then an event has told, and lists know
    first_retry_s: float = 0.2
    last_retry_s: float = 15.0
    login_retry_s: float = 30.0  # after a refused login: guessing faster gets a host banned
