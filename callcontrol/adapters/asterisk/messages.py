"""SIP MESSAGEs to phones. AMI tells that one was handed to the SIP stack, not what the phone said to it."""

import base64

from callcontrol.adapters.asterisk.dialstrings import dial_string, is_pjsip
from callcontrol.adapters.asterisk.session import Supervisor
from callcontrol.adapters.asterisk.settings import AsteriskSettings
from callcontrol.adapters.orders import LinkError, RefusedError, SilenceError
from callcontrol.core.model import Endpoint
from callcontrol.ports import DoubtError, PortError

LONGEST = 740  # bytes: as base64 in one AMI line, of which 1,024 are read
SENDER = '"callcontrol" <sip:callcontrol@callcontrol.invalid>'  # nowhere that an answer could go
_NO_RIGHT = "permission denied"


async def send(link: Supervisor, settings: AsteriskSettings, endpoint: Endpoint, body: str) -> None:
    """Only to phones dialled as PJSIP/name; one with more than one contact gets it at the first."""
    technology, _, name = dial_string(endpoint, settings).partition("/")
    if not is_pjsip(f"{technology}/") or "/" in name or "@" in name:
        raise PortError("only a phone dialled as PJSIP/name can be sent a message", retryable=False)
    encoded = body.encode()
    if len(encoded) > LONGEST:
        raise PortError(f"a SIP message of over {LONGEST} bytes", retryable=False)
    fields = {
        "Destination": f"pjsip:{name}",
        "To": f"pjsip:{name}",
        "From": SENDER,
        "Base64Body": base64.b64encode(encoded).decode(),
    }
    try:
        await link.act("MessageSend", fields)
    except RefusedError as error:
        lacking = _NO_RIGHT in error.said.lower()
        why = "the manager user lacks `write = message`" if lacking else str(error)
        raise PortError(why, retryable=lacking) from None
    except SilenceError as error:
        raise DoubtError(str(error)) from None
    except LinkError as error:
        if error.maybe_done:
            raise DoubtError(str(error)) from None
        raise
