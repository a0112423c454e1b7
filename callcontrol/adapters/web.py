"""HTTP requests whose errors say whether anything went out."""

import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx

from callcontrol.ports import DoubtError, PortError

_READ_AT_MOST = 64 * 1024

# Nothing was sent, or nothing that a server could take for a request.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes  # its first 64 KB

    def retry_after_s(self, *, now_s: float) -> float | None:
        """As the server asks (RFC 9110, 10.2.3): seconds, or a date."""
        given = self.headers.get("retry-after", "").strip()
        if given.isascii() and given.isdecimal():
            return float(given)
        with suppress(ValueError):
            return max(0.0, parsedate_to_datetime(given).timestamp() - now_s)
        return None


class Web:
    """A client that follows no redirect and takes its settings from nowhere else.

    Each request has a connection of its own: on one kept alive, which the server may just have closed,
    it would be in doubt whether a request was taken.
    """

    def __init__(
        self,
        *,
        connect_s: float = 5.0,
        answer_s: float = 15.0,
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
    ) -> None:
        self._answer_s = answer_s
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(answer_s, connect=connect_s),
            verify=tls or ssl.create_default_context(),
            proxy=proxy,
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def ask(self, method: str, url: str, *, headers: Mapping[str, str], content: bytes = b"") -> Answer:
        """Raises PortError where nothing was sent, DoubtError where no answer came."""
        try:
            async with self._client.stream(method, url, headers=dict(headers), content=content) as answer:
                body = bytearray()
                with suppress(httpx.HTTPError):  # cut off in the middle: the status has been said
                    async for piece in answer.aiter_bytes():
                        body += piece
                        if len(body) > _READ_AT_MOST:
                            break
                return Answer(
                    status=answer.status_code,
                    headers={name.lower(): value for name, value in answer.headers.items()},
                    body=bytes(body[:_READ_AT_MOST]),
                )
        except _NOT_SENT as error:
            raise PortError(f"no connection: {error or type(error).__name__}", retryable=True) from None
        except (httpx.LocalProtocolError, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise PortError(f"no request can be made of it: {error}", retryable=False) from None
        except httpx.TimeoutException:
            raise DoubtError(f"no answer for {self._answer_s:g} s") from None
        except httpx.HTTPError as error:
            raise DoubtError(f"no answer: {error or type(error).__name__}") from None

    async def close(self) -> None:
        await self._client.aclose()
