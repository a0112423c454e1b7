"""The three switches behind the port."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from callcontrol.adapters.asterisk import AsteriskPbx
from callcontrol.adapters.freeswitch import FreeswitchPbx
from callcontrol.adapters.simulated import SimulatedPbx, VirtualClock
from callcontrol.core.model import LineState
from callcontrol.ports import Pbx
from tests.adapters.asterisk.scripted import QUICK as ASTERISK
from tests.adapters.asterisk.scripted import scripted as scripted_asterisk
from tests.adapters.freeswitch.scripted import QUICK as FREESWITCH
from tests.adapters.freeswitch.scripted import scripted as scripted_freeswitch
from tests.adapters.switches.ami import AmiLine
from tests.adapters.switches.esl import EslLine
from tests.adapters.switches.stage import Stage, Staged


@contextlib.asynccontextmanager
async def simulated() -> AsyncIterator[Stage]:
    clock = VirtualClock()
    line = SimulatedPbx(clock)
    line.lines |= {"carol": LineState.UNREGISTERED}

    def register(user: str, there: bool) -> None:
        line.lines[user] = LineState.NOT_IN_USE if there else LineState.UNREGISTERED

    def restart() -> None:
        line.restarts()
        line.regains_link()

    yield Stage(
        pbx=line,
        line=line,
        clock=clock,
        lose_link=line.loses_link,
        regain_link=line.regains_link,
        restart=restart,
        another=lambda: line,
        register=register,
    )


@contextlib.asynccontextmanager
async def asterisk() -> AsyncIterator[Stage]:
    clock = VirtualClock()
    line = SimulatedPbx(clock)
    async with scripted_asterisk() as switch:
        peer = AmiLine(line, switch)
        settings = replace(ASTERISK, port=switch.port, action_timeout_s=2.0)

        def lose() -> None:
            switch.answers["Login"] = lambda _: None
            switch.cut()

        def regain() -> None:
            del switch.answers["Login"]
            switch.cut()

        def restart() -> None:
            line.channels.clear()
            switch.started = "11:00:00"
            switch.cut()

        yield _stage(lambda: AsteriskPbx(settings), line, clock, lose, regain, restart, peer.register)


@contextlib.asynccontextmanager
async def freeswitch() -> AsyncIterator[Stage]:
    clock = VirtualClock()
    line = SimulatedPbx(clock)
    async with scripted_freeswitch() as switch:
        peer = EslLine(line, switch)
        settings = replace(FREESWITCH, port=switch.port, command_timeout_s=2.0)

        def lose() -> None:
            switch.answers["auth"] = lambda _: None
            switch.cut()

        def regain() -> None:
            del switch.answers["auth"]
            switch.cut()

        def restart() -> None:
            line.channels.clear()
            switch.started = "another-start"
            switch.cut()

        yield _stage(lambda: FreeswitchPbx(settings), line, clock, lose, regain, restart, peer.register)


def _stage(
    another: Callable[[], Pbx],
    line: SimulatedPbx,
    clock: VirtualClock,
    lose: Callable[[], None],
    regain: Callable[[], None],
    restart: Callable[[], None],
    register: Callable[[str, bool], None],
) -> Stage:
    return Stage(
        pbx=another(),
        line=line,
        clock=clock,
        lose_link=lose,
        regain_link=regain,
        restart=restart,
        another=another,
        register=register,
    )


SWITCHES: dict[str, Callable[[], Staged]] = {
    "simulated": simulated,
    "asterisk": asterisk,
    "freeswitch": freeswitch,
}


@pytest.fixture(params=SWITCHES)
async def unlinked(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """`run` has not been called yet."""
    async with SWITCHES[request.param]() as stage:
        yield stage


@pytest.fixture
async def stage(unlinked: Stage) -> AsyncIterator[Stage]:
    """With the link up."""
    async with running(unlinked):
        yield unlinked


@contextlib.asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[None]:
    task = asyncio.create_task(stage.pbx.run(stage.reports.append))
    try:
        async with asyncio.timeout(5):
            while not stage.reports:
                await asyncio.sleep(0.001)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
