"""The page that Prometheus fetches."""

import asyncio

from fastapi import APIRouter, Response
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from callcontrol.api.service import Served, Service
from callcontrol.ports import PortError

router = APIRouter(tags=["health"])

DATABASE_WITHIN_S = 2.0


@router.get("/metrics", response_class=Response)
async def metrics(service: Served) -> Response:
    """For Prometheus; with a token, like everything below /v1. One that may only read will do."""
    found = service.metrics
    found.in_flight.set(service.transfers.live)
    found.linked.set(service.linked())
    await _look_at_outbox(service)
    return Response(generate_latest(found.registry), media_type=CONTENT_TYPE_LATEST)


async def _look_at_outbox(service: Service) -> None:
    found = service.metrics
    try:
        async with asyncio.timeout(DATABASE_WITHIN_S):
            backlog = await service.store.backlog()
    except (PortError, TimeoutError):
        found.database.set(0)  # what was known of the outbox stands
        return
    found.database.set(1)
    found.outbox.labels("queued").set(backlog.queued)
    found.outbox.labels("claimed").set(backlog.claimed)
    found.outbox.labels("parked").set(backlog.parked)
    age = 0.0 if backlog.oldest_at is None else (service.now() - backlog.oldest_at).total_seconds()
    found.oldest.set(max(age, 0.0))
