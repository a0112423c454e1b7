"""HTTP requests whose errors say whether anything went out."""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import aiohttp
from yarl import URL

from callcontrol.ports import DoubtError, PortError

_READ_AT_MOST = 64 * 1024


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
        self._limits = aiohttp.ClientTimeout(total=None, connect=connect_s, sock_read=answer_s)
        self._tls = tls or ssl.create_default_context()
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None  # made where a loop runs

    async def ask(self, method: str, url: str, *, headers: Mapping[str, str], content: bytes = b"") -> Answer:
        """Raises PortError where nothing was sent, DoubtError where no answer came."""
        try:
            async with self._open().request(
                method,
                URL(url, encoded=True),  # as it was escaped
                data=content,
                headers=headers,
                allow_redirects=False,
                proxy=self._proxy,
            ) as answer:
                return Answer(
                    status=answer.status,
                    headers={name.lower(): value for name, value in answer.headers.items()},
                    body=await _beginning(answer),
                )
        except (
            aiohttp.ClientConnectorError,
            aiohttp.ConnectionTimeoutError,
            aiohttp.ClientProxyConnectionError,
        ) as error:
            raise PortError(f"no connection: {error or type(error).__name__}", retryable=True) from None
        except (aiohttp.InvalidURL, ValueError) as error:
            raise PortError(f"no request can be made of it: {error}", retryable=False) from None
        except TimeoutError:
            raise DoubtError(f"no answer for {self._answer_s:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise DoubtError(f"no answer: {error or type(error).__name__}") from None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True, limit=0, ssl=self._tls),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._limits,
                trust_env=False,
            )
        return self._session


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    with suppress(aiohttp.ClientError, OSError, asyncio.TimeoutError):  # cut off: the status has been said
        async for piece in answer.content.iter_any():
            body += piece
            if len(body) > _READ_AT_MOST:
                break
    return bytes(body[:_READ_AT_MOST])
