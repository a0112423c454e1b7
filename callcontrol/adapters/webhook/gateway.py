"""Sends the webhooks of one endpoint."""

import hashlib
import time
from collections.abc import Callable

from callcontrol.adapters.web import Web
from callcontrol.adapters.webhook.signature import key_of, signed
from callcontrol.ports import BusyError, Message, PortError

# What an endpoint says that is wrongly set up, not there yet, or has too much to do. Other refusals
# are of this one message, and for ever.
_LATER = frozenset({401, 403, 404, 407, 408, 409, 423, 425, 429})


class WebhookGateway:
    """A repeat has the id of the first, by which the receiver knows it; so what is in doubt is sent again."""

    keyed = True

    def __init__(self, url: str, secret: str, web: Web, *, clock_s: Callable[[], float] = time.time) -> None:
        """Raises ValueError for a secret that is none. `clock_s`: the time of day, as the receiver has it."""
        key_of(secret)
        self._url = url
        self._secret = secret
        self._web = web
        self._clock_s = clock_s

    async def send(self, message: Message) -> str:
        body = message.body.encode()
        headers = signed(self._secret, id_of(message), int(self._clock_s()), body)
        kind = {"Content-Type": "application/json", "User-Agent": "callcontrol"}
        answer = await self._web.ask("POST", self._url, headers={**kind, **headers}, content=body)
        if 200 <= answer.status < 300:
            return headers["webhook-id"]
        why = f"the endpoint said {answer.status}"
        if 300 <= answer.status < 400:
            raise PortError(f"{why}: redirects are not followed; configure the last URL", retryable=False)
        if answer.status in _LATER or answer.status >= 500:
            raise BusyError(why, retry_after_s=answer.retry_after_s(now_s=self._clock_s()))
        raise PortError(why, retryable=False)

    async def close(self) -> None:
        await self._web.close()


def id_of(message: Message) -> str:
    """One for each fact and endpoint, however often it is sent."""
    return f"msg_{hashlib.sha256(message.dedupe_key.encode()).hexdigest()[:32]}"
