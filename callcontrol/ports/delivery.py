"""Messages and speech."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from callcontrol.core.hooks import HookEvent
from callcontrol.ports.errors import PortError
from callcontrol.ports.records import DeliveryReport, Message


class Gateway(Protocol):
    """Sends messages of one kind. Several at once; one that hangs is cancelled."""

    @property
    def keyed(self) -> bool:
        """Whether a message that is sent again with the same dedupe key is delivered once."""
        ...

    async def send(self, message: Message) -> str:
        """Returns when the message is taken; its id with the provider, or nothing.

        Raises PortError where it is certain that it was not sent (`retryable`: it may be taken later),
        DoubtError where it may have been. Any other exception counts as doubt.
        """
        ...

    async def close(self) -> None: ...


class DoubtError(PortError):
    """The message may have been sent: it went out, and nothing came back."""

    def __init__(self, message: str) -> None:
        super().__init__(f"may have been sent: {message}", retryable=False)


class UnreachableError(PortError):
    """Whoever it is for can't be reached just now; the gateway itself is well."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=True)


class BusyError(PortError):
    """The gateway takes nothing for now; it may say for how long."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message, retryable=True)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscription:
    """An outside system, by its endpoint's name, and what it wants to be told."""

    endpoint: str
    events: frozenset[HookEvent]
    pii: bool = True  # false: of a lead the id alone


@runtime_checkable
class Reporting(Protocol):
    """A gateway that is told, by its provider, what became of the messages."""

    def report(self, body: bytes, content_type: str, query: Mapping[str, str]) -> DeliveryReport | None:
        """None for a report that says nothing of a message. Raises ValueError for what is none."""
        ...


class Speech(Protocol):
    """Text to a sound file the switch can play."""

    async def render(self, text: str) -> Path:
        """The same text gives the same file. Raises PortError where the command fails."""
        ...

    async def erase(self, text: str) -> None:
        """Leave no sound file of it. Never raises for what is not there."""
        ...
