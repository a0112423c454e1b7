"""Agents who come and go in the site's own tables: taken over again and again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from callcontrol.ports import PortError

log = structlog.get_logger(__name__)


async def take_agents_over(synchronise: Callable[[], Awaitable[Sequence[str]]], every_s: float) -> None:
    """Until cancelled. What is wrong there is said once, and once more when it is right again."""
    said: Sequence[str] = ()
    while True:
        await asyncio.sleep(every_s)
        try:
            remarks = await synchronise()
        except PortError as error:
            remarks = (str(error),)
        for remark in remarks:
            if remark not in said:
                log.warning("the site's own tables", remark=remark)
        if said and not remarks:
            log.info("the site's own tables are well again")
        said = remarks
