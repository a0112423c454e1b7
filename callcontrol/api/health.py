"""Whether the process lives, and whether it can do its work."""

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Response

from callcontrol.api.answers import Health
from callcontrol.api.problems import RETRY_AFTER_S
from callcontrol.api.service import Served, Service
from callcontrol.ports import PortError

router = APIRouter(tags=["health"])

DATABASE_WITHIN_S = 2.0


@router.get("/healthz")
async def alive() -> Health:
    """The process answers."""
    return Health(ok=True, parts={"process": "ok"})


@router.get("/readyz", responses={503: {"model": Health}})
async def ready(service: Served, response: Response) -> Health:
    """The link to the switch, the database, and the transfers of an earlier process."""
    parts = {
        "pbx": "ok" if service.linked() else "no link to the switch",
        "database": await _database(service),
        "recovery": "ok" if service.transfers.ready or not service.linked() else "not done yet",
    }
    if not service.linked():
        parts["recovery"] = "waits for the switch"
    good = all(state == "ok" for state in parts.values())
    if not good:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return Health(ok=good, parts=parts)


async def _database(service: Service) -> str:
    try:
        async with asyncio.timeout(DATABASE_WITHIN_S):
            await service.store.ping()
    except PortError as error:
        return str(error)
    except TimeoutError:
        return f"no answer for {DATABASE_WITHIN_S:g} s"
    return "ok"
