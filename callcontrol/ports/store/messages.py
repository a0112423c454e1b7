"""The outbox: what is to be sent, and what became of it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from callcontrol.ports.records import Claim, DeliveryReport, Late, Message, MessageStatus, Setback, Which


class MessageStore(Protocol):
    async def claim_messages(
        self,
        route: Callable[[Message], str | None],
        room: Mapping[str, int],
        now: datetime,
        lease_s: float,
        *,
        late: Late | None = None,
        resends: Collection[str] = (),
        holding: Collection[int] = (),
    ) -> Claim:
        """Messages that are due, as many for each gateway as it has room for; see Late for those that waited.

        `route` names the gateway of a message, or none, and is called from any thread. A message whose
        lease ran out may have been sent: it is claimed again if its gateway is one of `resends`, parked if
        not, and left alone if it is one of `holding`.
        """
        ...

    async def message_sent(self, message: Message, now: datetime, provider_id: str) -> None: ...

    async def message_failed(self, message: Message, now: datetime, setback: Setback) -> None: ...

    async def reroute(self, gateway: str | None = None) -> None:
        """Have the routes choose anew for what waits for this gateway, or for any; in short transactions."""
        ...

    async def park_orphans(self, known: Collection[str]) -> int:
        """Park what may have been sent, and could be sent again only through a gateway that is not known; how many."""
        ...

    async def messages(self, which: Which, limit: int) -> Sequence[MessageStatus]:
        """The newest first."""
        ...

    async def retry_messages(self, which: Which, now: datetime) -> int:
        """Send parked ones, and those that wait for another attempt, as if they were new; how many.

        In short transactions, like `discard_messages`.
        """
        ...

    async def discard_messages(self, which: Which) -> int:
        """Never send those that are queued or parked; how many."""
        ...

    async def report_delivery(self, report: DeliveryReport, now: datetime) -> bool:
        """False where no message is known by that id. An end that was reported is never taken back."""
        ...
