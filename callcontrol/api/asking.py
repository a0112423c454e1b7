"""How a request for a transfer is read: past FastAPI's own way from the bytes to the route.

That way takes most of a millisecond, while a lead waits. The route is declared like any other, so that
`/docs` tells of it, and what is wrong with a request is said in the same words.
"""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from callcontrol.api import problems
from callcontrol.api.answers import TransferAnswer
from callcontrol.api.bodies import Key, TransferBody
from callcontrol.api.service import Service, service_of

_KEY: TypeAdapter[str] = TypeAdapter(Key)
_KEY_HEADER = b"idempotency-key"


class AskingRoute(APIRoute):
    """Of an endpoint that takes a TransferBody, the Service and an idempotency key."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self._answer

    async def _answer(self, request: Request) -> Response:
        return await self.answer(service_of(request), request.scope, await request.body())

    async def answer(self, service: Service, scope: Scope, body: bytes) -> Response:
        key = _key(scope)
        try:
            asked = TransferBody.model_validate_json(body)
        except ValidationError as error:
            raise _not_understood(error, "body") from None
        answer: TransferAnswer = await self.endpoint(asked, service, key)
        return Response(
            answer.model_dump_json(),
            HTTPStatus.ACCEPTED,
            {"Location": answer.links.self},
            "application/json",
        )


class Shortcut:
    """Straight to the AskingRoute, past FastAPI's look through all routes, and what is around them. It stands
    behind the gate, which gives the body in one piece.
    """

    def __init__(self, app: FastAPI, route: AskingRoute, service: Service) -> None:
        self._app = app
        self._route = route
        self._service = service
        self._methods = route.methods or ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._route
        if scope["type"] != "http" or scope["path"] != route.path or scope["method"] not in self._methods:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        try:
            response = await route.answer(self._service, scope, (await receive())["body"])
        except problems.ANSWERED as error:
            response = await problems.answer(Request(scope), error)
        except Exception as error:
            response = await problems.broken(Request(scope), error)
            await response(scope, receive, send)
            raise  # for the log
        await response(scope, receive, send)


def _key(scope: Scope) -> str | None:
    given = next((value for name, value in scope["headers"] if name == _KEY_HEADER), None)
    try:
        return None if given is None else _KEY.validate_python(given.decode("latin-1"))
    except ValidationError as error:
        raise _not_understood(error, "header", _KEY_HEADER.decode()) from None


def _not_understood(error: ValidationError, *place: str) -> RequestValidationError:
    return RequestValidationError(
        [{**found, "loc": (*place, *found["loc"])} for found in error.errors(include_url=False)]
    )
