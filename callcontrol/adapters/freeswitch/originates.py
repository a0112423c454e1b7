"""What an originate says. Of the lead only the caller id is in it, cleaned and looked at once more."""

import math
import re

from callcontrol.adapters.freeswitch.dialstrings import dial_string
from callcontrol.adapters.freeswitch.settings import FreeswitchSettings
from callcontrol.core.model import AcceptBy, EndpointKind
from callcontrol.ports import CallerId, PortError, RingOrder

RING_MARGIN_S = 2.0  # our own deadline comes first; the switch's is for when we are gone
WHOLE_SECONDS_S = 1.0  # the switch counts the seconds' ends: one of them may be over at once
CONTRACT = "1"  # of dialplan/README.md; an extension of callcontrol-contract

_NUMBER = re.compile(r"\+?[0-9]{0,15}")
_NAME_PUNCTUATION = frozenset(" .'-")
_ALERT_INFO = re.compile(r"[A-Za-z0-9<>:/.;=@_ -]{1,200}")
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,150}")


def ring(order: RingOrder, settings: FreeswitchSettings) -> str:
    """The words behind `originate`. Raises PortError."""
    leg = order.leg
    dial = dial_string(leg.endpoint, settings)
    outside = leg.endpoint.kind is EndpointKind.NUMBER
    variables = {
        "origination_uuid": plain_id(leg.id),
        "originate_timeout": _seconds(order.ring_timeout_s),
        "ignore_early_media": "true",  # else a carrier's announcement counts as an answer
        "outbound_redirect_fatal": "true",  # a phone that answers 302 gets no further
        **_caller_id(order.caller, settings, outside=outside),
        "CALLCONTROL_TRANSFER": plain_id(order.transfer_id),
        "CALLCONTROL_ACCEPT_S": _seconds(order.accept_timeout_s),
    }
    if settings.alert_info and leg.endpoint.kind is EndpointKind.EXTENSION:
        if not _ALERT_INFO.fullmatch(settings.alert_info):
            raise PortError("alert_info has characters that no header may have", retryable=False)
        variables["sip_h_Alert-Info"] = f"'{settings.alert_info}'"
    exten = "answer" if leg.endpoint.accept_by is AcceptBy.ANSWER else "key"
    given = ",".join(f"{name}={value}" for name, value in variables.items())
    return f"{{{given}}}{dial} {exten} XML callcontrol-leg"


def _seconds(timeout_s: float) -> str:
    return str(math.ceil(timeout_s + RING_MARGIN_S + WHOLE_SECONDS_S))


def _caller_id(caller: CallerId, settings: FreeswitchSettings, *, outside: bool) -> dict[str, str]:
    """In quotes, which keep its blanks together; so that an apostrophe in it is one that quotes nothing."""
    number = settings.outside_caller_number if outside and settings.outside_caller_number else caller.number
    clean = all(c.isalnum() or c in _NAME_PUNCTUATION for c in caller.name) and len(caller.name) <= 80
    if not clean or not _NUMBER.fullmatch(number):
        raise PortError("the caller id was not cleaned", retryable=False)
    name = caller.name.replace("'", "\u2019") or number or "unknown"
    return {
        "origination_caller_id_name": f"'{name}'",
        "origination_caller_id_number": number or "anonymous",
    }


def plain_id(text: str) -> str:
    """A comma would begin another variable."""
    if not _ID.fullmatch(text):
        raise PortError(f"{text!r} is no id", retryable=False)
    return text
