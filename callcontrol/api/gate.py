"""The gate before every route below /v1, and before /metrics: who asks, whether they may, and how much they say.

It stands before FastAPI, which would read a body, and complain about it, before it looks at a token.
"""

import asyncio
import contextlib
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callcontrol.api.problems import problem

MAX_BODY = 64 * 1024
BODY_WITHIN_S = 10.0
MAX_DRAINED = 1024 * 1024
DRAIN_WITHIN_S = 2.0
REPORTS = "/v1/delivery-reports/"  # providers have a secret of their gateway's instead of a token
_READING = ("GET", "HEAD", "OPTIONS")
_TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is over {MAX_BODY // 1024} KB"


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """Who may ask. Only a digest of the secret is kept."""

    name: str
    digest: bytes = field(repr=False)
    read_only: bool = False

    @classmethod
    def of(cls, name: str, secret: str, *, read_only: bool = False) -> "Token":
        return cls(name=name, digest=_digest(secret.encode()), read_only=read_only)


def _digest(secret: bytes) -> bytes:
    return hashlib.blake2b(secret, digest_size=32).digest()  # SHA-256 is OpenSSL's, which takes twice as long


class Gate:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, tokens: Sequence[Token]) -> None:
        self._app = app
        self._tokens = tuple(tokens)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _guarded(scope["path"]):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = None if scope["path"].startswith(REPORTS) else self._refusal(scope, headers)
        if refusal is None:
            body = await _body(headers, receive)
            if isinstance(body, bytes):
                await self._app(scope, _Replay(body, receive), send)
                return
            refusal = body
        else:
            await _drain(headers, receive)
        status, detail = refusal
        more = {"WWW-Authenticate": "Bearer"} if status is HTTPStatus.UNAUTHORIZED else {}
        if status in (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT):
            more["Connection"] = "close"  # the rest of the body is not read
        await problem(status, detail, more)(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[HTTPStatus, str] | None:
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind.casefold() != "bearer" or not secret.strip():
            return HTTPStatus.UNAUTHORIZED, "give a token: Authorization: Bearer <token>"
        token = self._holder(secret.strip())
        if token is None:
            return HTTPStatus.UNAUTHORIZED, "this token is not one of those in the configuration"
        if token.read_only and scope["method"] not in _READING:
            return HTTPStatus.FORBIDDEN, f"the token {token.name!r} may only read"
        scope["read_only"] = token.read_only  # for a GET that can reserve something
        return None

    def _holder(self, secret: str) -> Token | None:
        """In the same time whether, and where, it is found."""
        given = _digest(secret.encode("utf-8", "surrogateescape"))
        found = [token for token in self._tokens if hmac.compare_digest(token.digest, given)]
        return found[0] if found else None


def _guarded(path: str) -> bool:
    return path in ("/v1", "/metrics") or path.startswith("/v1/")


async def _body(headers: Headers, receive: Receive) -> bytes | tuple[HTTPStatus, str]:
    """The whole body, or why not."""
    declared = headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > MAX_BODY:
        await _drain(headers, receive)
        return _TOO_LARGE
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return HTTPStatus.BAD_REQUEST, "the body broke off"
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > MAX_BODY:
                    if more:
                        await _drain(headers, receive)
                    return _TOO_LARGE
                if not more:
                    return bytes(body)
    except TimeoutError:
        return HTTPStatus.REQUEST_TIMEOUT, f"the body took over {BODY_WITHIN_S:g} s"


async def _drain(headers: Headers, receive: Receive) -> None:
    """Take some of what still comes: closed with data unread, TCP would take the answer away too."""
    if headers.get("expect", "").casefold() == "100-continue":
        return  # it waits to be asked
    taken = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_WITHIN_S):
            while taken < MAX_DRAINED:
                message = await receive()
                taken += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


class _Replay:
    """Gives the body once, then whatever comes (the disconnect)."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        body, self._body = self._body, None
        if body is None:
            return await self._receive()
        return {"type": "http.request", "body": body, "more_body": False}
