"""Endpoint -> dial string. Nothing gets into one that could end it, begin a second, or be expanded."""

import re

from callcontrol.adapters.dialled import dialled
from callcontrol.adapters.freeswitch.settings import FreeswitchSettings
from callcontrol.core.model import Endpoint

_DIAL = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,19}/(?:(?!:_:)[A-Za-z0-9_+*#.:@%/;=-])+")  # :_: begins a second


def dial_string(endpoint: Endpoint, settings: FreeswitchSettings) -> str:
    """Raises PortError for an address that is none of its kind."""
    return dialled(endpoint, extension=settings.extension_dial, number=settings.number_dial, shape=_DIAL)
