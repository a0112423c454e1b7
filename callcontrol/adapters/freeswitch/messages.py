"""SIP MESSAGEs to phones. The switch tells that it has taken one, not what the phone said to it."""

from callcontrol.adapters.freeswitch.lines import Lines
from callcontrol.adapters.freeswitch.session import Supervisor
from callcontrol.adapters.orders import LinkError, SilenceError
from callcontrol.core.model import Endpoint, LineState
from callcontrol.ports import DoubtError, PortError, UnreachableError

LONGEST = 1200  # bytes: a SIP message that still fits into one packet (RFC 3261, 18.1.1)


async def send(link: Supervisor, lines: Lines, endpoint: Endpoint, body: str) -> None:
    """To every device at which the user is registered; the phone shows it as sent by itself."""
    found = lines.registration(endpoint)
    if found is None and lines.state(endpoint) is LineState.UNREGISTERED:
        raise UnreachableError("the phone is not registered just now")
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
    try:
        await link.send_event("SEND_MESSAGE", headers, body)
    except SilenceError as error:
        raise DoubtError(str(error)) from None
    except LinkError as error:
        if error.maybe_done:
            raise DoubtError(str(error)) from None
        raise
