"""What the API needs of the rest."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Protocol

from fastapi import Depends
from fastapi import Request as HttpRequest

from callcontrol.api.metrics import Metrics
from callcontrol.core.availability import Lines
from callcontrol.core.model import TransferId
from callcontrol.narration import Told
from callcontrol.ports import Request, Store, TransferRow


class Transfers(Protocol):
    """The switchboard, as the API sees it."""

    @property
    def ready(self) -> bool: ...

    @property
    def live(self) -> int: ...

    async def request(self, request: Request) -> TransferRow:
        """Raises UnknownError, ChannelUnknownError, ChannelBusyError, KeyReusedError, PortError."""
        ...

    async def cancel(self, transfer_id: TransferId, *, follow_up: bool) -> bool: ...

    async def handoff_finished(self, transfer_id: TransferId) -> bool: ...

    def phases(self, transfer_id: TransferId, after: int = 0) -> AsyncIterator[Told]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    transfers: Transfers
    store: Store
    linked: Callable[[], bool]  # to the switch
    lines: Lines  # as the switch sees each phone now
    now: Callable[[], datetime]  # aware UTC
    wake_outbox: Callable[[], None] = lambda: None
    reporters: Mapping[str, object] = field(default_factory=dict)  # gateways, by name
    report_secrets: Mapping[str, str] = field(default_factory=dict, repr=False)  # of those that report
    closing: asyncio.Event = field(default_factory=asyncio.Event)  # ends the event streams
    keep_alive_s: float = 15.0
    metrics: Metrics = field(default_factory=Metrics)


def service_of(request: HttpRequest) -> Service:
    service = request.app.state.service
    assert isinstance(service, Service)  # noqa: S101 - create_api put it there
    return service


async def _service(request: HttpRequest) -> Service:
    """FastAPI takes a plain function to a thread of its own."""
    return service_of(request)


Served = Annotated[Service, Depends(_service)]
