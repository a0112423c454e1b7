"""SIP MESSAGEs to phones. The switch tells that it has taken one, not what the phone said to it."""

from callcontrol.adapters.freeswitch.lines import Lines
from callcontrol.adapters.freeswitch.session import Supervisor
from callcontrol.core.model import Endpoint
from callcontrol.ports import PortError

LONGEST = 1200  # bytes: a SIP message that still fits into one packet (RFC 3261, 18.1.1)


async def send(link: Supervisor, lines: Lines, endpoint: Endpoint, body: str) -> None:
    """To every device at which the user is registered; the phone shows it as sent by itself."""
    found = lines.registration(endpoint)
    if found is None:
        raise PortError("only a phone that is registered can be sent a message", retryable=False)
    if len(body.encode(errors="replace")) > LONGEST:
        raise PortError(f"a SIP message of over {LONGEST} bytes", retryable=False)
    user, where = found
    headers = {
        "profile": where.profile,
        "user": user,
        "host": where.host,
        "content-type": "text/plain;charset=UTF-8",
    }
    await link.send_event("SEND_MESSAGE", headers, body)
