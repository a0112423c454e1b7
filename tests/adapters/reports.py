"""A switch under test, as a daemon runs it: what it reports is kept."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from callcontrol.ports import Pbx, Report


@dataclass
class Daemon:
    pbx: Pbx
    reports: list[Report] = field(default_factory=list)

    def kinds(self) -> list[type[Report]]:
        return [type(report) for report in self.reports]

    async def saw(self, kind: type[Report], count: int = 1) -> None:
        await until(lambda: self.kinds().count(kind) >= count)


@asynccontextmanager
async def running(pbx: Pbx) -> AsyncIterator[Daemon]:
    daemon = Daemon(pbx)
    task = asyncio.create_task(pbx.run(daemon.reports.append))
    yield daemon
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], object], *, within_s: float = 2.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.002)
