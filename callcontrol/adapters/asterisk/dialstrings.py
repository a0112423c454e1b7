"""Endpoint -> dial string. Nothing gets into one that could end it, or begin a second."""

import re

from callcontrol.adapters.asterisk.settings import AsteriskSettings
from callcontrol.core.model import Endpoint, EndpointKind
from callcontrol.ports import PortError

MAX_LENGTH = 200  # Asterisk cuts an Originate's channel at 255 bytes

_EXTENSION = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NUMBER = re.compile(r"\+?[1-9][0-9]{2,14}")
_DIAL = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,19}/[A-Za-z0-9_+*#.:@/=-]+")
_ADDRESS = {EndpointKind.EXTENSION: _EXTENSION, EndpointKind.NUMBER: _NUMBER, EndpointKind.DIAL: _DIAL}


def dial_string(endpoint: Endpoint, settings: AsteriskSettings) -> str:
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
    return _kept_apart(text)


def _kept_apart(text: str) -> str:
    """A Local channel that is optimised away takes our leg's unique id with it: /n forbids that."""
    if not is_local(text) or re.search(r"/[a-z]*n[a-z]*\Z", text.partition("@")[2]):
        return text
    return f"{text}n" if re.search(r"/[a-z]*\Z", text.partition("@")[2]) else f"{text}/n"


def is_local(text: str) -> bool:
    return text.lower().startswith("local/")


def is_pjsip(text: str) -> bool:
    return text.lower().startswith("pjsip/")
