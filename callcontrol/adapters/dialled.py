"""Endpoint -> dial string, checked: nothing gets into one that is not of its endpoint's kind."""

import re

from callcontrol.core.model import Endpoint, EndpointKind
from callcontrol.ports import PortError

MAX_LENGTH = 200  # Asterisk cuts an Originate's channel at 255 bytes

_EXTENSION = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NUMBER = re.compile(r"\+?[1-9][0-9]{2,14}")


def dialled(endpoint: Endpoint, *, extension: str, number: str, shape: re.Pattern[str]) -> str:
    """By the templates for an extension and a number; `shape` is that of a whole dial string.

    Raises PortError for an address that is none of its kind.
    """
    allowed = {EndpointKind.EXTENSION: _EXTENSION, EndpointKind.NUMBER: _NUMBER, EndpointKind.DIAL: shape}
    if not allowed[endpoint.kind].fullmatch(endpoint.address):
        raise PortError(f"{endpoint.address!r} is no {endpoint.kind} to dial", retryable=False)
    match endpoint.kind:
        case EndpointKind.EXTENSION:
            text = extension.replace("{address}", endpoint.address)
        case EndpointKind.NUMBER:
            text = number.replace("{address}", endpoint.address)
        case EndpointKind.DIAL:
            text = endpoint.address
    if not shape.fullmatch(text) or len(text) > MAX_LENGTH:
        raise PortError(f"{text!r} is no dial string", retryable=False)
    return text
