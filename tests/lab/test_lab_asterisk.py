"""What the lab can do on an Asterisk alone, or only there looks into."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callcontrol.adapters.asterisk.ledger import EVENTS
from tests.lab import Lab
from tests.lab.ami import Ami

pytestmark = [pytest.mark.live, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    lab = await Lab.start(tmp_path_factory.mktemp("lab"), pbx="asterisk")
    yield lab
    await lab.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def lab(running: Lab) -> AsyncIterator[Lab]:
    yield running
    assert not await running.reset()


async def test_a_phone_that_signs_off_is_unavailable_to_asterisk(lab: Lab):
    await lab.phone("dave").unregister()
    assert await lab.pbx.variable_global("DEVICE_STATE(PJSIP/dave)") == "UNAVAILABLE"
    await lab.phone("dave").register()
    await lab.wait_until(lambda: _in_state(lab, "PJSIP/dave", "NOT_INUSE"))
    assert await lab.pbx.variable_global("DEVICE_STATE(PJSIP/eve)") == "UNAVAILABLE"


async def _in_state(lab: Lab, device: str, state: str) -> bool:
    return await lab.pbx.variable_global(f"DEVICE_STATE({device})") == state


@pytest.mark.parametrize("way", ["speaking", "sending"])
async def test_a_pause_measures_as_long_as_it_was(lab: Lab, way: str):
    """300 ms of silence, or of no packets at all, are heard as 300 ms (within 40)."""
    call = await lab.call_app_bot("audiosocket")
    await asyncio.sleep(1.0)
    paused_at = time.time()
    setattr(call.bot, way, False)
    await asyncio.sleep(0.3)
    resumed_at = time.time()
    setattr(call.bot, way, True)
    await asyncio.sleep(1.0)
    first, second = lab.heard("lead")
    assert second.start_s - first.end_s == pytest.approx(resumed_at - paused_at, abs=0.04)
    assert first.end_s == pytest.approx(paused_at, abs=0.06)
    assert second.start_s == pytest.approx(resumed_at, abs=0.06)


async def test_a_lamp_shows_what_it_was_told(lab: Lab):
    lamp = await lab.lamp("ann-e.2")
    for state, shows in (("INUSE", "on"), ("ONHOLD", "held"), ("RINGING", "blinking"), ("NOT_INUSE", "off")):
        await lab.pbx.set_global("DEVICE_STATE(Custom:callcontrol-ann-e.2)", state)
        await lamp.until(shows)


async def test_the_products_user_can_log_in_and_sees_calls(lab: Lab):
    seen: list[str] = []
    user = Ami("callcontrol")
    user.listeners.append(lambda message: seen.append(message["Event"]))
    await user.connect(lab.pbx.ami_host, lab.pbx.ami_port, lab.pbx.ami_user, lab.pbx.ami_secret)
    await lab.call()
    await lab.wait_until(lambda: seen.count("BridgeEnter") == 2)
    assert set(seen) <= set(EVENTS)
    await user.close()
