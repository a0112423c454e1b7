"""Which gateways a message may go through, in order."""

from collections.abc import Sequence
from dataclasses import dataclass

from callcontrol.ports import Message


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """The next gateway is tried where one refuses. What is empty fits any message."""

    gateways: tuple[str, ...]
    prefixes: tuple[str, ...] = ()  # of the address
    recipients: tuple[str, ...] = ()  # roles: agent, owner, ...

    def fits(self, message: Message) -> bool:
        return (not self.prefixes or message.to.startswith(self.prefixes)) and (
            not self.recipients or message.recipient in self.recipients
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Routes:
    """The first that fits."""

    routes: Sequence[Route] = ()

    def of(self, message: Message) -> tuple[str, ...]:
        if message.gateway is not None:
            return (message.gateway,)
        return next((route.gateways for route in self.routes if route.fits(message)), ())

    def stand_in(self, gateway: str) -> bool:
        """Whether anything that would go through it may go through another."""
        return any(gateway in route.gateways and len(route.gateways) > 1 for route in self.routes)
