"""Texts, webhooks and speech."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from callcontrol.core.hooks import HookEvent
from callcontrol.ports.records import Text


class SmsGateway(Protocol):
    async def send(self, text: Text) -> None:
        """Raises PortError."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscription:
    """An outside system, by its endpoint's name, and what it wants to be told."""

    endpoint: str
    events: frozenset[HookEvent]
    pii: bool = True  # false: of a lead the id alone


class Speech(Protocol):
    """Text to a sound file the switch can play."""

    async def render(self, text: str) -> Path:
        """The same text gives the same file. Raises PortError where the command fails."""
        ...
