"""Orders to a switch: how they fail, and those that nobody waits for."""

import asyncio
from collections.abc import Coroutine

import structlog

from callcontrol.ports import ChannelUnknownError, PortError

log = structlog.get_logger(__name__)


class LinkError(PortError):
    """The session is lost. `maybe_done`: the switch may have carried the order out all the same."""

    def __init__(self, why: str, *, maybe_done: bool) -> None:
        super().__init__(why, retryable=True)
        self.maybe_done = maybe_done


class SilenceError(PortError):
    """No reply in time. The switch may have carried the order out all the same."""

    def __init__(self, order: str) -> None:
        super().__init__(f"the switch did not answer {order}", retryable=False)


class RefusedError(PortError):
    def __init__(self, order: str, said: str) -> None:
        super().__init__(f"the switch refused {order}: {said}", retryable=False)
        self.said = said


class LoginError(PortError):
    def __init__(self, said: str) -> None:
        super().__init__(f"the switch refused the login: {said}", retryable=True)
        self.said = said


class Errands:
    """Orders in passing: they are given in the background, and nobody waits for the answer."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, work: Coroutine[None, None, object]) -> None:
        task = asyncio.create_task(_quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _quietly(work: Coroutine[None, None, object]) -> None:
    try:
        await work
    except ChannelUnknownError:
        pass
    except PortError as error:
        log.warning("an order in passing was not taken", error=str(error))
