"""Endpoint -> dial string. Nothing gets into one that could end it, or begin a second."""

import re

from callcontrol.adapters.asterisk.settings import AsteriskSettings
from callcontrol.adapters.dialled import dialled
from callcontrol.core.model import Endpoint

_DIAL = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,19}/[A-Za-z0-9_+*#.:@/=-]+")


def dial_string(endpoint: Endpoint, settings: AsteriskSettings) -> str:
    """Raises PortError for an address that is none of its kind."""
    text = dialled(endpoint, extension=settings.extension_dial, number=settings.number_dial, shape=_DIAL)
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
