"""The lab, started once for the live tests of this folder, and a switch under test for each of them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from callcontrol.adapters.asterisk import AsteriskPbx, AsteriskSettings
from tests.adapters.asterisk.desk import Desk
from tests.adapters.asterisk.scripted import QUICK, ScriptedAsterisk, scripted
from tests.adapters.reports import Daemon, running
from tests.lab import Lab


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and item.path.stem.endswith("_live"):
            item.add_marker(pytest.mark.live)
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    lab = await Lab.start(tmp_path_factory.mktemp("lab"))
    try:
        yield lab
    finally:
        await lab.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def lab(running_lab: Lab) -> AsyncIterator[Lab]:
    """Afterwards nothing is left on the PBX."""
    yield running_lab
    assert not await running_lab.reset()


def settings_of(lab: Lab) -> AsteriskSettings:
    return AsteriskSettings(
        host=lab.pbx.ami_host,
        port=lab.pbx.ami_port,
        username=lab.pbx.ami_user,
        secret=lab.pbx.ami_secret,
        alert_info="<http://127.0.0.1/warm>;info=warm-transfer",
        ping_interval_s=1.0,
        ping_timeout_s=1.0,
    )


@pytest_asyncio.fixture(loop_scope="session")
async def desk(lab: Lab) -> AsyncIterator[Desk]:
    desk = Desk(AsteriskPbx(settings_of(lab)), lab)
    running = asyncio.create_task(desk.pbx.run(desk.take))
    try:
        await desk.linked()
        yield desk
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
async def asterisk() -> AsyncIterator[ScriptedAsterisk]:
    """Not a real one: see scripted.py."""
    async with scripted() as asterisk:
        yield asterisk


@pytest.fixture
async def daemon(asterisk: ScriptedAsterisk) -> AsyncIterator[Daemon]:
    async with running(AsteriskPbx(replace(QUICK, port=asterisk.port))) as daemon:
        yield daemon
