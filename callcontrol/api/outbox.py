"""What waits to be sent, what was, and what gateways report of it."""

import hmac
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi import APIRouter, Query
from fastapi import Request as HttpRequest
from pydantic import BaseModel, ConfigDict

from callcontrol.api.problems import Refused
from callcontrol.api.service import Served
from callcontrol.core.model import TransferId
from callcontrol.ports import (
    Delivery,
    MessageKind,
    MessageState,
    MessageStatus,
    Reporting,
    UnknownError,
    Which,
)

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/v1/outbox", tags=["outbox"])
reports = APIRouter(prefix="/v1/delivery-reports", tags=["outbox"])

Limit = Annotated[int, Query(ge=1, le=500, description="At most this many, the newest first.")]


class MessageAnswer(BaseModel):
    """A text or a webhook, and what became of it."""

    model_config = ConfigDict(frozen=True)

    id: int
    kind: MessageKind
    transfer: str | None
    recipient: str
    to: str
    body: str
    state: MessageState
    doubtful: bool
    gateway: str
    attempts: int
    created_at: datetime
    next_at: datetime
    sent_at: datetime | None
    last_error: str
    provider_id: str
    delivery: Delivery | None
    delivery_at: datetime | None
    delivery_detail: str

    @classmethod
    def of(cls, message: MessageStatus) -> "MessageAnswer":
        names = (name for name in cls.model_fields if name != "transfer")
        return cls(transfer=message.transfer_id, **{name: getattr(message, name) for name in names})


class MessageList(BaseModel):
    messages: tuple[MessageAnswer, ...]


@router.get("")
async def list_messages(  # noqa: PLR0917 - FastAPI passes them by name
    service: Served,
    state: Annotated[list[MessageState] | None, Query()] = None,
    gateway: str | None = None,
    kind: MessageKind | None = None,
    to: str | None = None,
    transfer: str | None = None,
    doubtful: bool | None = None,
    limit: Limit = 50,
) -> MessageList:
    """Messages of the outbox. `doubtful` ones are parked because they may have been sent."""
    which = Which(
        states=tuple(state or ()),
        gateway=gateway,
        kind=kind,
        to=to,
        transfer_id=None if transfer is None else TransferId(transfer),
        doubtful=doubtful,
    )
    found = await service.store.messages(which, limit)
    return MessageList(messages=tuple(MessageAnswer.of(message) for message in found))


@router.post("/{message_id}/retry", status_code=HTTPStatus.ACCEPTED)
async def retry_message(message_id: int, service: Served) -> MessageAnswer:
    """Send a parked one again, as if it were new."""
    which = Which(ids=(_known(message_id),))
    if not await service.store.retry_messages(which, service.now()):
        raise await _refusal(service, which)
    service.wake_outbox()
    return await _one(service, which)


@router.post("/{message_id}/discard")
async def discard_message(message_id: int, service: Served) -> MessageAnswer:
    """Never send it. It stays in the list."""
    which = Which(ids=(_known(message_id),))
    if not await service.store.discard_messages(which):
        raise await _refusal(service, which)
    return await _one(service, which)


@reports.post("/{gateway}", status_code=HTTPStatus.NO_CONTENT)
async def take_report(gateway: str, request: HttpRequest, service: Served, secret: str = "") -> None:
    """A provider says what became of a message. The gateway's secret is in the URL that it was given."""
    reporter, wanted = service.reporters.get(gateway), service.report_secrets.get(gateway, "")
    if not hmac.compare_digest(secret.encode(), wanted.encode()) or not wanted:
        raise Refused(HTTPStatus.UNAUTHORIZED, "no such gateway, or a wrong secret")
    if not isinstance(reporter, Reporting):
        raise Refused(HTTPStatus.NOT_FOUND, f"the gateway {gateway!r} has no delivery reports")
    body = await request.body()
    try:
        report = reporter.report(body, request.headers.get("content-type", ""), request.query_params)
    except (ValueError, RecursionError):
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "this is no delivery report") from None
    if report is None:
        return
    if not await service.store.report_delivery(report, service.now()):
        raise UnknownError("message", str(report.message_id or report.provider_id))
    log.info("delivery reported", gateway=gateway, message=report.message_id, delivery=report.delivery.value)


def _known(message_id: int) -> int:
    if not 0 < message_id < 2**63:
        raise UnknownError("message", str(message_id))
    return message_id


async def _one(service: Served, which: Which) -> MessageAnswer:
    for message in await service.store.messages(which, 1):
        return MessageAnswer.of(message)
    raise UnknownError("message", str(which.ids[0]))


async def _refusal(service: Served, which: Which) -> Refused:
    message = await _one(service, which)
    return Refused(HTTPStatus.CONFLICT, f"too late: the message is {message.state}")
