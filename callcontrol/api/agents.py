"""Who takes calls just now."""

import asyncio
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends

from callcontrol.api.bodies import AvailabilityBody, RestBody
from callcontrol.api.routing_answers import AgentAnswer, AgentList
from callcontrol.api.service import Served
from callcontrol.core import cleaning
from callcontrol.core.availability import consider
from callcontrol.core.model import AgentId
from callcontrol.ports import UnknownError

router = APIRouter(prefix="/v1/agents", tags=["agents"])

_LONGEST_ID = 128
_AT_ONE_GO = 200  # agents looked at before others get their turn


def _known_shape(agent_id: str) -> AgentId:
    if not agent_id.isprintable() or len(agent_id) > _LONGEST_ID:
        raise UnknownError("agent", agent_id)
    return AgentId(agent_id)


Agent = Annotated[AgentId, Depends(_known_shape)]


@router.get("")
async def list_agents(service: Served) -> AgentList:
    """Every agent, with each term of their availability at this moment."""
    now, found = service.now(), []
    for number, candidate in enumerate(await service.store.candidates(now)):
        found.append(AgentAnswer.of(candidate, consider(candidate, now=now, lines=service.lines), now))
        if number % _AT_ONE_GO == 0:
            await asyncio.sleep(0)
    return AgentList(agents=tuple(found))


@router.put("/{agent_id}/availability")
async def set_availability(agent_id: Agent, body: AvailabilityBody, service: Served) -> AvailabilityBody:
    """The agent's toggle. It counts from the next attempt on."""
    await service.store.set_available(agent_id, available=body.available)
    return body


@router.put("/{agent_id}/rest")
async def let_rest(agent_id: Agent, body: RestBody, service: Served) -> RestBody:
    """Not rung for so many minutes, from the next attempt on; a repeat begins anew."""
    until = service.now() + timedelta(minutes=body.minutes)
    await service.store.rest(agent_id, until, cleaning.line(body.why))
    return body


@router.delete("/{agent_id}/rest", status_code=204)
async def end_rest(agent_id: Agent, service: Served) -> None:
    """Back at once, with no strikes."""
    await service.store.rest(agent_id, None, "")
