"""Who would ring, why not the others, and whether a human may be promised."""

from datetime import UTC
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi import Request as HttpRequest
from pydantic import AwareDatetime

from callcontrol.api.bodies import Identifier
from callcontrol.api.problems import Refused
from callcontrol.api.routing_answers import ExplanationAnswer, ReachableAnswer
from callcontrol.api.service import Served
from callcontrol.core import cleaning
from callcontrol.core.model import AgentId, BotId, LeadId
from callcontrol.explain import explain
from callcontrol.ports import NewLead
from callcontrol.reachable import LONGEST_HOLD_S, reachable

router = APIRouter(prefix="/v1", tags=["routing"])

_MOST_FACTS = 50

BotOf = Annotated[Identifier, Query(description="The bot's id in the directory.")]


def _lead(
    lead: Annotated[Identifier | None, Query(description="A known lead's id; or describe one.")] = None,
    source: Annotated[str, Query(max_length=200, description="Of a lead that is not known.")] = "",
    agent: Annotated[Identifier | None, Query(description="The assigned agent of one.")] = None,
    fact: Annotated[
        list[str],
        Query(max_length=_MOST_FACTS, description="A field of one, as name=value; may be repeated."),
    ] = [],  # noqa: B006 - FastAPI copies it
) -> LeadId | NewLead:
    if lead is not None:
        if source or agent or fact:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "give either lead, or what describes one")
        return LeadId(lead)
    pairs = [one.partition("=") for one in fact]
    if wrong := [name for name, equals, _ in pairs if not equals or not name]:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"fact: {wrong[0]!r} is not name=value")
    return NewLead(
        source=cleaning.line(source),
        assigned_agent_id=AgentId(agent) if agent else None,
        fields={cleaning.line(name): cleaning.line(value) for name, _, value in pairs},
    )


LeadOf = Annotated[LeadId | NewLead, Depends(_lead)]


@router.get("/explain")
async def explain_routing(
    service: Served,
    bot: BotOf,
    lead: LeadOf,
    at: Annotated[AwareDatetime | None, Query(description="As of then; the lines stay those of now.")] = None,
    about: Annotated[
        Identifier | None, Query(description="Only this agent is told of; of a group over 50 too.")
    ] = None,
) -> ExplanationAnswer:
    """What a transfer would do: each attempt, the rules, and every agent considered with every term."""
    when, agent_id = at.astimezone(UTC) if at else service.now(), AgentId(about) if about else None
    found = await explain(service.store, service.lines, BotId(bot), lead, when, about=agent_id)
    return ExplanationAnswer.of(found, live=service.linked())


@router.get("/reachable")
async def look_for_a_human(
    http: HttpRequest,
    service: Served,
    bot: BotOf,
    lead: LeadOf,
    hold_s: Annotated[
        float,
        Query(ge=0, le=LONGEST_HOLD_S, description="Reserve them for so long; give `hold` with the request."),
    ] = 0.0,
) -> ReachableAnswer:
    """Whether a human could be rung now, how likely one is reached, and how soon."""
    if hold_s and http.scope.get("read_only"):
        raise Refused(HTTPStatus.FORBIDDEN, "this token may only read, so it can't reserve anyone")
    found = await reachable(service.store, service.lines, BotId(bot), lead, service.now(), hold_s=hold_s)
    return ReachableAnswer.of(found)
