"""Puts the API together."""

from collections.abc import Sequence

from fastapi import FastAPI, Security
from fastapi.responses import HTMLResponse
from fastapi.security import HTTPBearer
from starlette.types import ASGIApp

import callcontrol.api.agents
import callcontrol.api.analytics
import callcontrol.api.cadence
import callcontrol.api.health
import callcontrol.api.outbox
import callcontrol.api.routing
import callcontrol.api.scrape
import callcontrol.api.tasks
import callcontrol.api.transfers
from callcontrol.api import problems
from callcontrol.api.answers import ProblemAnswer
from callcontrol.api.asking import AskingRoute, Shortcut
from callcontrol.api.gate import Gate, Token
from callcontrol.api.manual import page
from callcontrol.api.metrics import Counted
from callcontrol.api.service import Service

_BEARER = HTTPBearer(auto_error=False, description="A token from the configuration.")
_REFUSALS: dict[int | str, dict[str, object]] = {
    code: {"model": ProblemAnswer, "description": text}
    for code, text in {
        401: "No token, or a wrong one.",
        403: "The token may only read.",
        404: "Unknown transfer, lead, bot, agent, task or channel: the reason names which.",
        409: "The channel is in a transfer already, the key was used for another request, the task is another's"
        " or done, or it is too late.",
        413: "The body is over 64 KB.",
        422: "Not understood: the reason names the field.",
        502: "The switch refused.",
        503: "The switch or the database is away; Retry-After says when to ask again.",
    }.items()
}


def create_api(service: Service, tokens: Sequence[Token]) -> ASGIApp:
    """The ASGI application. Nothing below /v1 is answered without one of the tokens,
    but for delivery reports, which have secrets of their own.

    What stands before the routes stands before FastAPI too: its own layers take longer than all of ours.
    """
    app = FastAPI(
        title="callcontrol",
        description="Warm transfers from a voice bot to a human agent on the same call.",
        docs_url=None,  # FastAPI's page loads its scripts from elsewhere; see manual
        redoc_url=None,
    )
    app.state.service = service
    guarded = [Security(_BEARER)]
    for router in (
        callcontrol.api.transfers.asking,
        callcontrol.api.transfers.router,
        callcontrol.api.routing.router,
        callcontrol.api.agents.router,
        callcontrol.api.analytics.router,
        callcontrol.api.tasks.router,
        callcontrol.api.cadence.router,
        callcontrol.api.outbox.router,
    ):
        app.include_router(router, dependencies=guarded, responses=_REFUSALS)
    app.include_router(callcontrol.api.outbox.reports, responses=_REFUSALS)
    app.include_router(callcontrol.api.health.router)
    app.include_router(callcontrol.api.scrape.router, dependencies=guarded)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page(app.openapi()))

    problems.install(app)
    (asking,) = callcontrol.api.transfers.asking.routes
    assert isinstance(asking, AskingRoute)  # noqa: S101 - its router makes no others
    return Counted(Gate(Shortcut(app, asking, service), tokens), service.metrics)
