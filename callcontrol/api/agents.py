"""Who takes calls just now."""

from fastapi import APIRouter

from callcontrol.api.answers import AgentAnswer, AgentList
from callcontrol.api.bodies import AvailabilityBody
from callcontrol.api.service import Served
from callcontrol.core.model import AgentId
from callcontrol.ports import UnknownError

router = APIRouter(prefix="/v1/agents", tags=["agents"])

_LONGEST_ID = 128


@router.get("")
async def list_agents(service: Served) -> AgentList:
    """Every agent, with the agent's own toggle."""
    return AgentList(agents=tuple(AgentAnswer.of(agent) for agent in await service.store.agents()))


@router.put("/{agent_id}/availability")
async def set_availability(agent_id: str, body: AvailabilityBody, service: Served) -> AvailabilityBody:
    """The agent's toggle. It counts from the next attempt on."""
    if not agent_id.isprintable() or len(agent_id) > _LONGEST_ID:
        raise UnknownError("agent", agent_id)
    await service.store.set_available(AgentId(agent_id), available=body.available)
    return body
