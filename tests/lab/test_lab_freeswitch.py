"""What the lab has to cope with on a FreeSWITCH alone."""

from collections.abc import AsyncIterator
from typing import cast

import pytest
import pytest_asyncio

from tests.lab import Lab
from tests.lab.freeswitch.installation import MISSING, find_freeswitch
from tests.lab.freeswitch.switch import FreeSwitch
from tests.lab.parties import PHONES

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(find_freeswitch() is None, reason=MISSING),
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    lab = await Lab.start(tmp_path_factory.mktemp("lab"), pbx="freeswitch")
    yield lab
    assert not await lab.reset()
    await lab.stop()


async def test_phones_that_were_put_off_are_registered_once_the_pbx_has_restarted(lab: Lab):
    """A FreeSWITCH that is not quite up, or is about to end, has them ask again in five minutes."""
    esl = cast(FreeSwitch, lab.switch).pbx.esl
    await esl.api("fsctl pause inbound")
    await lab.world.instance.ami.action("PJSIPRegister", Registration="alice")

    async def is_put_off() -> bool:
        return await lab.world.registered() == set(PHONES) - {"alice"}

    await lab.wait_until(is_put_off)
    assert await lab.switch.registrations() >= set(PHONES), "for another minute"
    await lab.restart()
    assert await lab.world.registered() == set(PHONES)
