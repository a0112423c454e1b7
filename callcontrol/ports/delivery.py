"""Texts and speech."""

from pathlib import Path
from typing import Protocol

from callcontrol.ports.records import Text


class SmsGateway(Protocol):
    async def send(self, text: Text) -> None:
        """Raises PortError."""
        ...


class Speech(Protocol):
    """Text to a sound file the switch can play."""

    async def render(self, text: str) -> Path:
        """The same text gives the same file. Raises PortError where the command fails."""
        ...
