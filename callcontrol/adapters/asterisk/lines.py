"""What the phones are doing: device states, kept as the switch tells them.

Of all its devices (queues, lamps, conference rooms) only what can be an agent's phone is kept.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from callcontrol.adapters.asterisk.dialstrings import is_local
from callcontrol.adapters.asterisk.frames import Frame
from callcontrol.adapters.asterisk.settings import AsteriskSettings
from callcontrol.core.model import Endpoint, EndpointKind, LineState

_STATES = {
    "NOT_INUSE": LineState.NOT_IN_USE,
    "RINGING": LineState.RINGING,
    "INUSE": LineState.IN_USE,
    "BUSY": LineState.IN_USE,
    "ONHOLD": LineState.IN_USE,
    "RINGINUSE": LineState.IN_USE,  # on a call, and a second one knocks
    "UNAVAILABLE": LineState.UNREGISTERED,
    "INVALID": LineState.UNREGISTERED,
}
_PLAIN_PJSIP = re.compile(r"PJSIP/[A-Za-z0-9_.-]+")
_ADDRESS = "{address}"
_PJSIP = "PJSIP/"


class Lines:
    def __init__(self, settings: AsteriskSettings) -> None:
        technology, _, rest = settings.extension_dial.partition("/")
        name = rest.partition("/")[0]  # behind a second / it says where, not which phone
        if is_local(settings.extension_dial) or "@" in name or _ADDRESS not in name:
            self._before = self._after = ""
        else:
            self._before, _, self._after = f"{technology}/{name}".partition(_ADDRESS)
        self._kept = tuple({_PJSIP, *filter(None, [self._before])})
        self._states: dict[str, LineState] = {}
        self._heard: set[str] = set()

    def state(self, endpoint: Endpoint) -> LineState:
        device = self._device(endpoint)
        return self._states.get(device, LineState.UNKNOWN)

    def _device(self, endpoint: Endpoint) -> str:
        """Empty where the switch has no device of which the state says anything."""
        if endpoint.kind is EndpointKind.EXTENSION and self._before:
            return f"{self._before}{endpoint.address}{self._after}"
        if endpoint.kind is EndpointKind.DIAL and _PLAIN_PJSIP.fullmatch(endpoint.address):
            return endpoint.address
        return ""

    def address_of(self, device: str) -> str:
        """The directory's extension for a phone of the switch; its own name where the dial template has no say."""
        ours = self._before and device.startswith(self._before) and device.endswith(self._after)
        if ours and len(device) > len(self._before) + len(self._after):
            return device[len(self._before) : len(device) - len(self._after)]
        return device.partition("/")[2]

    def take(self, frame: Frame) -> None:
        """DeviceStateChange: an event, or a row of DeviceStateList."""
        device = frame.get("Device", "")
        if device.startswith(self._kept):
            self._states[device] = _STATES.get(frame.get("State", ""), LineState.UNKNOWN)
            self._heard.add(device)

    def unavailable(self) -> list[str]:
        """The PJSIP endpoints that are not registered, or seem so."""
        silent = (device for device, state in self._states.items() if state is LineState.UNREGISTERED)
        return [device.removeprefix(_PJSIP) for device in silent if device.startswith(_PJSIP)]

    @contextmanager
    def anew(self) -> Iterator[None]:
        """While it is open the switch lists its devices; those not heard of by its end are unknown."""
        self._heard.clear()
        yield
        self._states = {key: state for key, state in self._states.items() if key in self._heard}
