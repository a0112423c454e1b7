"""Who rings, on a real PBX: lines, lamps, codes, reservations, wrap-up and strikes."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from callcontrol.core.events import AttemptResolved
from callcontrol.core.model import Connected, LegFate, Missed, MissedBecause, Term
from tests.lab import Answer, Busy, Lab, Ring
from tests.lab.site import Site, directory, site

SOLO = {"pattern": "assigned", "fallbacks": [], "ring_timeout_s": 5}


@pytest_asyncio.fixture(loop_scope="session")
async def own(lab: Lab, running_company: Site, tmp_path: Path) -> AsyncIterator[Site]:
    """A company of its own, while the other tests' daemon rests: it would set the lamps too."""
    people = directory(solo=SOLO, group={"pattern": "group", "fallbacks": []})
    people["strikes"] = {"limit": 2, "rest_minutes": 30}
    for agent in people["agents"]:
        agent["wrap_up_s"] = 4
    await running_company.stop()
    try:
        async with site(lab, tmp_path, people) as company:
            yield company
    finally:
        await running_company.start()


async def terms(company: Site, transfer: str, agent: str) -> dict[Term, str]:
    """What spoke against an agent at the transfer's first look at them."""
    for entry in await company.journal(transfer):
        if isinstance(entry.event, AttemptResolved):
            for considered in entry.event.considered:
                if considered.agent_id == agent:
                    return {term.term: term.value for term in considered.terms if not term.holds}
    raise AssertionError(f"{agent} was not considered")


async def talk(company: Site, lab: Lab, bot: str = "solo") -> tuple:
    call = await lab.call("lead")
    transfer = await company.asks(call, bot=bot)
    await company.phase(transfer, "joined")
    await call.bot.hang_up()
    await company.outcome(transfer)
    return call, transfer


async def test_an_agent_toggles_from_the_phone_and_the_lamp_changes(own: Site, lab: Lab):
    lamp = await lab.lamp("alice")
    await lamp.until("off")
    await lab.phone("alice").dials("*51")
    await lamp.until("on")
    await lab.phone("alice").is_idle(15)
    call = await lab.call("lead")
    transfer = await own.asks(call, bot="solo")
    row = await own.outcome(transfer)
    assert row.outcome == Missed(because=MissedBecause.NO_ONE_AVAILABLE)
    assert await terms(own, transfer, "alice") == {Term.TOGGLE: "off"}
    await call.lead.hang_up()
    await lab.phone("alice").dials("*50")
    await lamp.until("off")
    await lab.phone("alice").is_idle(15)
    await talk(own, lab)


async def test_the_lamps_are_true_again_after_the_pbx_restarted(own: Site, lab: Lab):
    await own.available("alice", yes=False)
    lamp = await lab.lamp("alice")
    await lamp.until("on")
    await lab.restart()
    await own.ready_again()
    again = await lab.lamp("alice")
    await again.until("on")
    await (await lab.lamp("bob")).until("off")


async def test_an_agent_on_another_call_is_not_rung(own: Site, lab: Lab):
    await lab.phone("alice").dials("102")
    await lab.phone("bob").talks()
    call = await lab.call("lead")
    transfer = await own.asks(call, bot="solo")
    await own.outcome(transfer)
    assert await terms(own, transfer, "alice") == {Term.LINE: "alice in use"}
    assert lab.calls_received("alice") == []


async def test_an_unregistered_agent_is_not_rung(own: Site, lab: Lab):
    await lab.phone("alice").unregister()
    call = await lab.call("lead")
    transfer = await own.asks(call, bot="solo")
    await own.outcome(transfer)
    assert await terms(own, transfer, "alice") == {Term.LINE: "alice unregistered"}
    assert await own.legs(transfer) == {}


async def test_two_transfers_at_once_never_ring_the_same_agent(own: Site, lab: Lab):
    for name in ("bob", "carol"):
        await lab.phone(name).will(Ring())
    first, second = await lab.call("lead"), await lab.call("lead", lead="lead2")
    transfers = await asyncio.gather(own.asks(first, bot="group"), own.asks(second, bot="group"))
    await lab.phone("bob").rings()
    await lab.phone("carol").rings()
    await asyncio.sleep(0.5)
    rung = [set(await own.legs(transfer)) for transfer in transfers]
    assert rung[0] & rung[1] == set()
    assert rung[0] | rung[1] == {"bob", "carol"}
    assert len(lab.calls_received("bob")) == len(lab.calls_received("carol")) == 1


async def test_an_agent_wraps_up_after_a_call_and_is_rung_again_then(own: Site, lab: Lab):
    call, _ = await talk(own, lab)
    await call.lead.hang_up()
    await lab.phone("alice").is_idle()
    second = await lab.call("lead")
    transfer = await own.asks(second, bot="solo")
    await own.outcome(transfer)
    against = await terms(own, transfer, "alice")
    assert list(against) == [Term.WRAP_UP]
    await asyncio.sleep(4.2)
    third = await own.asks(second, bot="solo")
    await own.phase(third, "joined")


async def test_two_missed_rings_let_an_agent_rest_and_a_code_brings_them_back(own: Site, lab: Lab):
    await lab.phone("alice").will(Ring())
    call = await lab.call("lead")
    lamp = await lab.lamp("alice")
    for _ in range(2):
        transfer = await own.asks(call, bot="solo")
        await own.outcome(transfer)
        assert (await own.ended_legs(transfer, "alice"))["alice"].fate is LegFate.NO_ANSWER
        await own.until(lambda row: row.closed, transfer)
    await lamp.until("held")
    await lab.wait_until(
        lambda: any("missed 2 transfers" in text["body"] for text in own.texts_of(transfer)), what="a text"
    )
    resting = await own.asks(call, bot="solo")
    await own.outcome(resting)
    assert list(await terms(own, resting, "alice")) == [Term.RESTING]
    await lab.phone("alice").dials("*50")
    await lamp.until("off")
    await lab.phone("alice").is_idle(15)
    await lab.phone("alice").will(Answer(after_s=0.5))
    again = await own.asks(call, bot="solo")
    await own.phase(again, "joined")


async def test_a_busy_phone_and_a_lost_race_are_no_strikes(own: Site, lab: Lab):
    await lab.phone("alice").will(Busy())
    call = await lab.call("lead")
    for _ in range(3):
        transfer = await own.asks(call, bot="solo")
        await own.outcome(transfer)
        await own.until(lambda row: row.closed, transfer)
    await lab.phone("alice").will(Answer(after_s=0.3))
    transfer = await own.asks(call, bot="solo")
    await own.phase(transfer, "joined")


async def test_explain_knows_the_lines_and_says_what_then_happens(own: Site, lab: Lab):
    await lab.phone("bob").unregister()
    said = json.loads(await own.cli("explain", "--lead", "lena", "--bot", "group", "--json"))
    text = json.dumps(said)
    assert "bob unregistered" in text
    assert "people who sell" in text
    call = await lab.call("lead")
    transfer = await own.asks(call, bot="group")
    await own.phase(transfer, "joined")
    assert set(await own.legs(transfer)) == {"carol"}
    story = " ".join((await own.cli("show", transfer)).split())
    assert "bob unregistered" in story
    assert "people who sell" in story


@pytest.mark.parametrize("hold_s", [0, 20])
async def test_the_promise_gate_says_who_is_reachable_and_may_reserve_them(own: Site, lab: Lab, hold_s):
    asked = {"lead": "lena", "bot": "solo", "hold_s": hold_s}
    promise = (await own.http.get("/v1/reachable", params=asked)).json()
    assert promise["reachable"] is True
    second = (await own.http.get("/v1/reachable", params=asked | {"hold_s": 0})).json()
    assert second["reachable"] is (hold_s == 0)
    call = await lab.call("lead")
    more = {"hold": promise["hold_id"]} if hold_s else {}
    transfer = await own.asks(call, bot="solo", **more)
    await own.phase(transfer, "joined")
    await call.bot.hang_up()
    assert isinstance((await own.outcome(transfer)).outcome, Connected)
