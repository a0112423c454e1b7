"""Refusals as problem documents (RFC 9457), with the reason in words."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from callcontrol.ports import (
    ChannelBusyError,
    ChannelUnknownError,
    ClaimLostError,
    ElsewhereError,
    KeyReusedError,
    PortError,
    TaskRefusedError,
    UnknownError,
)

RETRY_AFTER_S = 2


class Refused(Exception):  # noqa: N818 - not an error of ours
    """The request can't be carried out, and changed nothing."""

    def __init__(self, status: HTTPStatus, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.more = status, detail, more


def problem(
    status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail, **more}
    return JSONResponse(body, status.value, dict(headers or {}), media_type="application/problem+json")


ANSWERED = (
    Refused,
    UnknownError,
    ChannelBusyError,
    ClaimLostError,
    KeyReusedError,
    TaskRefusedError,
    PortError,
    RequestValidationError,
    HTTPException,
)


def install(app: FastAPI) -> None:
    """Answer every exception that the routes may raise."""
    for kind in ANSWERED:
        app.add_exception_handler(kind, answer)
    app.add_exception_handler(Exception, broken)


async def answer(_: Request, error: Exception) -> JSONResponse:
    match error:
        case Refused(status=status, detail=detail, more=more):
            return problem(status, detail, **more)
        case UnknownError(what=what):
            return problem(HTTPStatus.NOT_FOUND, str(error), unknown=what)
        case ChannelUnknownError():
            return problem(HTTPStatus.NOT_FOUND, str(error), unknown="channel")
        case ChannelBusyError(transfer_id=transfer_id):
            return problem(HTTPStatus.CONFLICT, str(error), transfer=transfer_id)
        case ClaimLostError():
            return problem(HTTPStatus.CONFLICT, str(error), lost="claim")
        case KeyReusedError():
            detail = str(error) or "the idempotency key was used for another request"
            return problem(HTTPStatus.CONFLICT, detail)
        case TaskRefusedError() | ElsewhereError():
            return problem(HTTPStatus.CONFLICT, str(error))
        case PortError(retryable=True):
            headers = {"Retry-After": str(RETRY_AFTER_S)}
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers)
        case PortError():
            return problem(HTTPStatus.BAD_GATEWAY, str(error))
        case RequestValidationError():
            return _not_understood(error)
        case HTTPException(status_code=code, detail=detail, headers=headers):
            return problem(HTTPStatus(code), str(detail), headers)
        case _:
            raise error


def _not_understood(error: RequestValidationError) -> JSONResponse:
    """Which field, and why; not what was sent, which may be personal."""
    errors = [{"field": _field(found["loc"]), "reason": _reason(found)} for found in error.errors()]
    detail = "; ".join(f"{e['field']}: {e['reason']}" if e["field"] else e["reason"] for e in errors)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail[:2000], errors=errors)


def _field(loc: tuple[str | int, ...]) -> str:
    """`lead.phone` for ("body", "lead", "phone"); nothing where the body as a whole is meant."""
    return ".".join(str(step) for step in loc[1:]) if loc[0] == "body" else ".".join(map(str, loc))


def _reason(found: Mapping[str, Any]) -> str:
    match found["type"]:
        case "json_invalid":
            return f"the body is not JSON: {found.get('ctx', {}).get('error', '')}"
        case "extra_forbidden":
            return "is no field of this request"
        case "missing":
            return "is missing"
        case _:
            return str(found["msg"]).removeprefix("Value error, ")


async def broken(_: Request, __: Exception) -> JSONResponse:
    """What went wrong is for the log."""
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "an error of callcontrol's own; its log has more")
