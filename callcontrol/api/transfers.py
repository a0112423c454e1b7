"""Ask for a transfer, follow it, call it off."""

import re
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from callcontrol.api import stream
from callcontrol.api.answers import (
    Done,
    LegAnswer,
    TransferAnswer,
    TransferList,
    TransferWithLegs,
)
from callcontrol.api.asking import AskingRoute
from callcontrol.api.bodies import CancelBody, Key, TransferBody
from callcontrol.api.problems import Refused
from callcontrol.api.service import Served
from callcontrol.core.model import TransferId
from callcontrol.ports import UnknownError

router = APIRouter(prefix="/v1", tags=["transfers"])
asking = APIRouter(prefix="/v1", tags=["transfers"], route_class=AskingRoute)

Limit = Annotated[int, Query(ge=1, le=500, description="At most this many, the newest first.")]
_ID = re.compile(r"[A-Za-z0-9-]{1,64}\Z")


@asking.post("/transfers", status_code=HTTPStatus.ACCEPTED)
async def request_transfer(
    body: TransferBody,
    service: Served,
    idempotency_key: Annotated[Key | None, Header(description="The same as the field `key`.")] = None,
) -> TransferAnswer:
    """Ring agents for the lead on this call. Answers at once; a repeat of the key answers the same."""
    try:
        request = body.to_request(idempotency_key)
    except ValueError as error:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
    return TransferAnswer.of(await service.transfers.request(request))


@router.get("/transfers")
async def list_transfers(service: Served, limit: Limit = 50) -> TransferList:
    """The newest transfers."""
    rows = await service.store.transfers(limit)
    return TransferList(transfers=tuple(TransferAnswer.of(row) for row in rows))


@router.get("/transfers/{transfer_id}")
async def show_transfer(transfer_id: str, service: Served) -> TransferWithLegs:
    """One transfer, with every phone that was rung for it."""
    known = _known_shape(transfer_id)
    row = await service.store.transfer(known)
    legs = await service.store.legs(known)
    answer = TransferAnswer.of(row)
    return TransferWithLegs(**dict(answer), legs=tuple(LegAnswer.of(leg) for leg in legs))


@router.get(
    "/transfers/{transfer_id}/events",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "One event a phase."},
        204: {"description": "The transfer is over, and the last event was seen: don't ask again."},
    },
)
async def follow_transfer(
    transfer_id: str,
    service: Served,
    last_event_id: Annotated[int | None, Header(ge=0, description="Go on after this event.")] = None,
) -> Response:
    """Every phase as it happens, so that the bot can narrate truthfully and knows when to speak.

    Events: looking, ringing, answered, joined (speak the overview now), agent_left, connected,
    missed, ended. The stream ends after the last one.
    """
    known = _known_shape(transfer_id)
    row = await service.store.transfer(known)  # unknown: say so before the stream begins
    seen = last_event_id or 0
    if row.closed and not [told async for told in service.transfers.phases(known) if told.seq > seen]:
        return Response(status_code=HTTPStatus.NO_CONTENT)  # a browser's EventSource would ask for ever
    phases = service.transfers.phases(known, seen)
    events = stream.events(phases, closing=service.closing, keep_alive_s=service.keep_alive_s)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


@router.post("/transfers/{transfer_id}/cancel", status_code=HTTPStatus.ACCEPTED)
async def cancel_transfer(transfer_id: str, service: Served, body: CancelBody | None = None) -> Done:
    """Call it off: every phone stops ringing, and the lead stays with the bot."""
    wish = body or CancelBody()
    if not await service.transfers.cancel(_known_shape(transfer_id), follow_up=wish.follow_up):
        raise Refused(HTTPStatus.CONFLICT, "too late: the transfer has its outcome")
    return Done(transfer=transfer_id)


@router.post("/transfers/{transfer_id}/handoff-finished", status_code=HTTPStatus.ACCEPTED)
async def finish_handoff(transfer_id: str, service: Served) -> Done:
    """The bot has said its last word: take it off the call, leaving lead and agent."""
    if not await service.transfers.handoff_finished(_known_shape(transfer_id)):
        raise Refused(HTTPStatus.CONFLICT, "no handoff is going on in this transfer")
    return Done(transfer=transfer_id)


def _known_shape(transfer_id: str) -> TransferId:
    if not _ID.match(transfer_id):
        raise UnknownError("transfer", transfer_id)
    return TransferId(transfer_id)
