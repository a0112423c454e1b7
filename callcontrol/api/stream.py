"""The phases of a transfer as server-sent events (WHATWG HTML, section 9.2)."""

import asyncio
import json
from collections.abc import AsyncIterator

from callcontrol.narration import Told

RECONNECT_MS = 1000


async def events(
    phases: AsyncIterator[Told], *, closing: asyncio.Event, keep_alive_s: float
) -> AsyncIterator[bytes]:
    """An event a phase, a comment where nothing happened for a while; ends after the last phase."""
    yield f"retry: {RECONNECT_MS}\n\n".encode()
    closed = asyncio.ensure_future(closing.wait())
    coming = asyncio.ensure_future(_next(phases))
    try:
        while True:
            await asyncio.wait((coming, closed), timeout=keep_alive_s, return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                told = coming.result()
                if told is None:
                    return
                yield _event(told)
                coming = asyncio.ensure_future(_next(phases))
            elif closed.done():
                return  # the client asks the next process, from the last event it saw
            else:
                yield b": still here\n\n"
    finally:
        closed.cancel()
        coming.cancel()


async def _next(phases: AsyncIterator[Told]) -> Told | None:
    return await anext(phases, None)


def _event(told: Told) -> bytes:
    data = {
        "seq": told.seq,
        "at": told.at.isoformat(),
        "phase": told.phase.value,
        "detail": told.detail,
    }
    return f"id: {told.seq}\nevent: {told.phase.value}\ndata: {json.dumps(data)}\n\n".encode()
