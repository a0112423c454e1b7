"""Endpoint -> dial string. Nothing gets into one that could end it, begin a second, or be expanded."""

import re

from callcontrol.adapters.freeswitch.settings import FreeswitchSettings
from callcontrol.core.model import Endpoint, EndpointKind
from callcontrol.ports import PortError

MAX_LENGTH = 200

_EXTENSION = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NUMBER = re.compile(r"\+?[1-9][0-9]{2,14}")
_DIAL = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,19}/(?:(?!:_:)[A-Za-z0-9_+*#.:@%/;=-])+")  # :_: begins a second
_ADDRESS = {EndpointKind.EXTENSION: _EXTENSION, EndpointKind.NUMBER: _NUMBER, EndpointKind.DIAL: _DIAL}


def dial_string(endpoint: Endpoint, settings: FreeswitchSettings) -> str:
    """Raises PortError for an address that is none of its kind."""
    if not _ADDRESS[endpoint.kind].fullmatch(endpoint.address):
        raise PortError(f"{endpoint.address!r} is no {endpoint.kind} to dial", retryable=False)
    match endpoint.kind:
        case EndpointKind.EXTENSION:
            text = settings.extension_dial.replace("{address}", endpoint.address)
        case EndpointKind.NUMBER:
            text = settings.number_dial.replace("{address}", endpoint.address)
        case EndpointKind.DIAL:
            text = endpoint.address
    if not _DIAL.fullmatch(text) or len(text) > MAX_LENGTH:
        raise PortError(f"{text!r} is no dial string", retryable=False)
    return text
