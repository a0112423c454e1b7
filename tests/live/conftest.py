"""The lab and a company with a daemon, started once for all live tests on each PBX there is."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.lab import Lab
from tests.lab.pbxes import PBXES
from tests.lab.site import Site, directory, site

BOTS = {
    "solo": {"pattern": "assigned", "fallbacks": []},
    "group": {"pattern": "group", "fallbacks": []},
    "whisper": {"pattern": "assigned", "fallbacks": [], "handoff": "whisper"},
    "announce": {"pattern": "assigned", "fallbacks": [], "handoff": "announce"},
    "hurried": {"pattern": "assigned", "fallbacks": [], "handoff_limit_s": 5},
    "elsewhere": {"pattern": "assigned", "fallbacks": [], "missed_goto": "after-the-bot,s,1"},
    "outside": {"pattern": "assigned", "accept_timeout_s": 6},
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is live, and shares one event loop with the lab."""
    for item in items:
        if "tests/live/" in item.nodeid:
            item.add_marker(pytest.mark.live)
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=PBXES)
async def running_lab(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Lab]:
    lab = await Lab.start(tmp_path_factory.mktemp("lab"), pbx=request.param)
    try:
        yield lab
    finally:
        await lab.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def lab(running_lab: Lab) -> AsyncIterator[Lab]:
    """Afterwards nothing is left on the PBX."""
    yield running_lab
    assert not await running_lab.reset()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_company(running_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with site(running_lab, tmp_path_factory.mktemp("company"), directory(**BOTS)) as company:
        yield company


@pytest_asyncio.fixture(loop_scope="session")
async def company(lab: Lab, running_company: Site) -> AsyncIterator[Site]:
    """Everyone available before; no transfer left in flight after, and nothing on the PBX."""
    await running_company.everyone_available()
    yield running_company
    left = await lab.reset()
    async with asyncio.timeout(15):
        while await running_company.store.unclosed():
            await asyncio.sleep(0.05)
    assert not left
