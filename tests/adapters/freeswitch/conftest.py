"""The lab with a FreeSWITCH in it, where there is one, and a switch under test for each of its live tests."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from callcontrol.adapters.freeswitch import FreeswitchPbx, FreeswitchSettings
from tests.adapters.freeswitch.desk import FreeswitchDesk
from tests.adapters.freeswitch.scripted import QUICK, ScriptedFreeswitch, scripted
from tests.adapters.reports import Daemon, running
from tests.lab import Lab
from tests.lab.freeswitch.installation import MISSING, find_freeswitch


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and item.path.stem.endswith("_live"):
            item.add_marker(pytest.mark.live)
            item.add_marker(pytest.mark.skipif(find_freeswitch() is None, reason=MISSING))
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    lab = await Lab.start(tmp_path_factory.mktemp("lab"), pbx="freeswitch")
    try:
        yield lab
    finally:
        await lab.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def lab(running_lab: Lab) -> AsyncIterator[Lab]:
    """Afterwards nothing is left on the PBX."""
    yield running_lab
    assert not await running_lab.reset()


def settings_of(lab: Lab) -> FreeswitchSettings:
    link = lab.switch.link
    return FreeswitchSettings(
        host=link.host,
        port=link.port,
        username=link.user,
        secret=link.secret,
        alert_info="<http://127.0.0.1/warm>;info=warm-transfer",
        ping_interval_s=1.0,
        ping_timeout_s=1.0,
        look_again_s=1.0,
    )


@pytest_asyncio.fixture(loop_scope="session")
async def desk(lab: Lab) -> AsyncIterator[FreeswitchDesk]:
    desk = FreeswitchDesk(FreeswitchPbx(settings_of(lab)), lab)
    running = asyncio.create_task(desk.pbx.run(desk.take))
    try:
        await desk.linked()
        yield desk
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
def sound(lab: Lab) -> Path:
    """Two seconds that the recordings know by name: the bot's tone."""
    return lab.switch.folder / "bot.wav"


@pytest.fixture
async def freeswitch() -> AsyncIterator[ScriptedFreeswitch]:
    """Not a real one: see scripted.py."""
    async with scripted() as freeswitch:
        yield freeswitch


@pytest.fixture
async def daemon(freeswitch: ScriptedFreeswitch) -> AsyncIterator[Daemon]:
    async with running(FreeswitchPbx(replace(QUICK, port=freeswitch.port))) as daemon:
        yield daemon
