"""The daemon is killed, the link is cut, the PBX restarts, nobody is at the wheel."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from callcontrol.core.model import Connected, LegFate, Missed, MissedBecause
from tests.lab import Answer, Lab, Ring
from tests.lab.proxy import Proxy
from tests.lab.site import Site, directory, site

SOLO = {"pattern": "assigned", "fallbacks": []}


@pytest_asyncio.fixture(scope="module", autouse=True, loop_scope="session")
async def _no_other_daemon(running_company: Site) -> AsyncIterator[None]:
    """The company of the other tests rests: its daemon would answer the dialplan too."""
    await running_company.stop()
    yield
    await running_company.start()


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(lab: Lab) -> AsyncIterator[Proxy]:
    async with Proxy(lab.switch.link.host, lab.switch.link.port) as between:
        yield between


@pytest_asyncio.fixture(loop_scope="session")
async def own(lab: Lab, proxy: Proxy, tmp_path: Path) -> AsyncIterator[Site]:
    """A company whose daemon may be killed, and whose link to the PBX may be cut."""
    people = directory(solo=SOLO | {"ring_timeout_s": 15})
    async with site(lab, tmp_path, people, link_port=proxy.port) as company:
        yield company


async def finish(company: Site, lab: Lab, call, transfer) -> None:
    """The bot hangs up once it may; the outcome is right and stands once."""
    await company.phase(transfer, "joined")
    await call.bot.hang_up()
    row = await company.outcome(transfer)
    assert isinstance(row.outcome, Connected)
    await lab.wait_until(lambda: len(company.texts_of(transfer)) == 2, what="the texts")
    start = time.time()
    await asyncio.sleep(0.9)
    assert lab.heard_between("lead", start + 0.3, start + 0.9) == {"alice"}
    assert len(company.texts_of(transfer)) == 2


async def test_killed_while_a_phone_rings_and_started_again(own: Site, lab: Lab):
    await lab.phone("alice").will(Ring())
    call = await lab.call("lead")
    transfer = await own.asks(call, bot="solo")
    await lab.phone("alice").rings()
    await own.kill()
    assert lab.switch.bridged(call.lead_channel, call.bot_channel)
    await own.start()
    assert lab.phone("alice").is_ringing
    await lab.phone("alice").answer()
    await finish(own, lab, call, transfer)
    assert len(lab.calls_received("alice")) == 1


async def test_a_phone_answered_while_the_daemon_was_dead_is_joined(own: Site, lab: Lab):
    await lab.phone("alice").will(Ring())
    call = await lab.call("lead")
    transfer = await own.asks(call, bot="solo")
    await lab.phone("alice").rings()
    await own.kill()
    await lab.phone("alice").answer()
    start = time.time()
    await own.start()
    await own.phase(transfer, "joined")
    assert time.time() - start < 10
    await finish(own, lab, call, transfer)


@pytest.mark.parametrize("after_s", [0.0, 0.004, 0.02, 0.5, 1.0, 1.01, 1.05, 1.5])
async def test_killed_at_any_moment_one_outcome_and_no_call_dropped(own: Site, lab: Lab, after_s):
    await lab.phone("alice").will(Answer(after_s=1.0))
    call = await lab.call("lead")
    transfer = await own.asks(call, bot="solo")
    await asyncio.sleep(after_s)
    await own.kill()
    assert {call.lead_channel, call.bot_channel} <= lab.switch.with_channel(call.lead_channel)
    start = time.time()
    await own.start()
    await own.settled(transfer)
    assert time.time() - start < 10
    phases = await own.phases(transfer)
    if "joined" in phases:
        await call.bot.hang_up()
        assert isinstance((await own.outcome(transfer)).outcome, Connected)
    else:
        assert (await own.outcome(transfer)).outcome == Missed(because=MissedBecause.NO_ANSWER)
        assert lab.switch.bridged(call.lead_channel, call.bot_channel)
    assert lab.phone("lead").is_talking
    await lab.wait_until(lambda: len(own.texts_of(transfer)) == 2, what="the texts")


async def test_killed_in_the_middle_of_the_handoff(own: Site, lab: Lab):
    call = await lab.call("bot")
    transfer = await own.asks(call, bot="solo")
    await own.phase(transfer, "joined")
    await own.kill()
    await call.bot.hang_up()
    assert lab.phone("lead").is_talking
    await own.start()
    assert isinstance((await own.outcome(transfer, 10)).outcome, Connected)
    assert lab.phone("alice").is_talking


async def test_a_link_cut_and_restored_while_the_phone_rings(own: Site, lab: Lab, proxy: Proxy):
    await lab.phone("alice").will(Ring())
    call = await lab.call("lead")
    transfer = await own.asks(call, bot="solo")
    await lab.phone("alice").rings()
    await proxy.cut()
    await lab.phone("alice").answer()
    await asyncio.sleep(0.5)
    proxy.restore()
    await finish(own, lab, call, transfer)


async def test_a_link_that_goes_silent_is_noticed(own: Site, lab: Lab, proxy: Proxy):
    await lab.phone("alice").will(Ring())
    call = await lab.call("lead")
    transfer = await own.asks(call, bot="solo")
    await lab.phone("alice").rings()
    proxy.stall()
    await lab.phone("alice").answer()
    await asyncio.sleep(0.3)
    await own.until_not_ready(15)
    proxy.restore()
    await finish(own, lab, call, transfer)


@pytest.mark.parametrize("crash", [False, True])
async def test_a_restarted_pbx_means_missed_with_task_and_texts(own: Site, lab: Lab, crash):
    await lab.phone("alice").will(Ring())
    call = await lab.call("lead")
    transfer = await own.asks(call, bot="solo")
    await lab.phone("alice").rings()
    await lab.restart(crash=crash)
    row = await own.outcome(transfer, 25)
    assert row.outcome == Missed(because=MissedBecause.PBX_RESTARTED)
    assert [task for task in await own.store.tasks(10) if task.transfer_id == transfer]
    await lab.wait_until(lambda: len(own.texts_of(transfer)) == 2, what="the texts")
    assert (await own.legs(transfer))["alice"].fate is LegFate.LOST


async def test_with_no_daemon_the_dialplan_rings_the_fallback_numbers(own: Site, lab: Lab):
    await lab.phone("mobile1").will(Answer(after_s=1))
    await lab.phone("frontdesk").will(Ring())
    await own.fallbacks_published("sami")
    await own.kill()
    call = await lab.call_app_bot("audiosocket_asks")
    await call.bot.end()
    await lab.phone("mobile1").talks(15)
    await asyncio.sleep(1)
    await lab.phone("mobile1").press("1")
    await asyncio.sleep(1)
    start = time.time()
    await asyncio.sleep(0.6)
    assert lab.heard_between("lead", start, start + 0.6) == {"mobile1"}


async def test_a_lead_held_when_the_daemon_dies_is_not_held_for_ever(own: Site, lab: Lab):
    """The hold has its own deadline, shortened here by the engineer's variable."""
    await lab.phone("alice").will(Ring())
    await lab.phone("mobile1").will(Answer(after_s=0.5))
    await own.fallbacks_published("sami")
    await lab.switch.set_global("CALLCONTROL_HOLD_S", "4")
    call = await lab.call_app_bot("audiosocket_asks")
    await call.bot.end()
    await lab.phone("alice").rings()
    await own.kill()
    try:
        await lab.phone("mobile1").talks(15)
        await asyncio.sleep(0.5)
        await lab.phone("mobile1").press("1")
        await asyncio.sleep(1)
        start = time.time()
        await asyncio.sleep(0.6)
        assert lab.heard_between("lead", start, start + 0.6) == {"mobile1"}
    finally:
        await lab.switch.set_global("CALLCONTROL_HOLD_S", "")
