"""The link to a real Asterisk: cut, frozen, restarted, with calls up."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator

import pytest_asyncio

from callcontrol.adapters.asterisk import AsteriskPbx
from callcontrol.core import events as e
from callcontrol.core.events import Doing
from callcontrol.core.model import AcceptBy
from callcontrol.ports import LinkDown, LinkUp
from tests.adapters.asterisk.conftest import settings_of
from tests.adapters.asterisk.desk import Desk
from tests.lab import Answer, Lab, Ring


@pytest_asyncio.fixture(loop_scope="session")
async def second(lab: Lab) -> AsyncIterator[Desk]:
    """Another process that comes up while the first has calls."""
    desk = Desk(AsteriskPbx(settings_of(lab)), lab)
    yield desk
    for task in asyncio.all_tasks():
        if task.get_name() == "second":
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def survey_of(desk: Desk) -> e.Survey:
    asyncio.create_task(desk.pbx.run(desk.take), name="second")  # noqa: RUF006 - the fixture ends it
    return (await desk.saw(LinkUp)).survey


async def test_a_survey_tells_what_every_leg_of_ours_is_doing(desk: Desk, second: Desk, lab: Lab):
    call = await lab.call()
    transfer_id, located = await desk.transfer(call.lead_channel)
    await lab.phone("bob").will(Ring())
    ringing = await desk.ring("bob", located, transfer_id)
    await desk.saw(e.LegRinging, ringing.id)
    asked = await desk.ring("mobile1", located, transfer_id, by=AcceptBy.KEY)
    await desk.saw(e.LegAnswered, asked.id)
    waiting = await desk.accepted("carol", located, transfer_id)
    briefed = await desk.accepted("dave", located, transfer_id)
    await desk.pbx.brief(briefed.id, lab.sounds_dir / "missing.wav")
    await desk.saw(e.LegBriefed, briefed.id)
    joined = await desk.joined("alice", located, transfer_id)
    alive = (await survey_of(second)).alive
    assert alive[ringing.id].doing is Doing.RINGING
    assert alive[asked.id].doing is Doing.ANSWERED
    assert alive[waiting.id].doing is Doing.ACCEPTED
    assert alive[briefed.id].doing is Doing.BRIEFED
    assert alive[joined.id].bridged_with == {located.lead, located.bot}
    assert alive[located.lead].bridged_with == {joined.id, located.bot}


async def test_a_second_process_takes_up_the_legs_of_the_first(desk: Desk, second: Desk, lab: Lab):
    call = await lab.call()
    transfer_id, located = await desk.transfer(call.lead_channel)
    leg = await desk.accepted("alice", located, transfer_id)
    second.pbx.watch(transfer_id, located)
    second.pbx.watch_leg(transfer_id, located, leg)
    await survey_of(second)
    await second.pbx.join(located.lead, leg.id)
    await second.saw(e.Joined, leg.id)
    await lab.phone("alice").hang_up()
    assert (await second.saw(e.LegEnded, leg.id)).by is e.EndedBy.NORMAL
    await call.lead.hang_up()
    await second.saw(e.LeadHungUp, located.lead)


async def test_a_leg_answered_while_the_link_was_cut_is_in_the_next_survey(desk: Desk, lab: Lab):
    call = await lab.call()
    transfer_id, located = await desk.transfer(call.lead_channel)
    await lab.phone("alice").will(Ring())
    leg = await desk.ring("alice", located, transfer_id)
    await desk.saw(e.LegRinging, leg.id)
    since = len(desk.reports)
    desk.pbx._supervisor._link.fail("cut by the test")
    await desk.saw(LinkDown)
    await lab.phone("alice").answer()
    survey = (await desk.saw(LinkUp, since=since)).survey
    if survey.alive[leg.id].doing is not Doing.ACCEPTED:  # answered in the very moment of the survey
        await desk.saw(e.LegAccepted, leg.id)
    await desk.pbx.join(located.lead, leg.id)
    await desk.saw(e.Joined, leg.id)


async def test_a_frozen_switch_is_noticed_and_found_again(desk: Desk, lab: Lab):
    lab.pbx.freeze()
    try:
        before = time.monotonic()
        await desk.saw(LinkDown, within_s=6)
        assert time.monotonic() - before < 3
    finally:
        lab.pbx.thaw()
    await desk.saw(LinkUp, since=1, within_s=3)


async def test_a_restarted_switch_is_known_by_its_start(desk: Desk, lab: Lab):
    call = await lab.call()
    _, located = await desk.transfer(call.lead_channel)
    await lab.pbx.restart()
    survey = (await desk.saw(LinkUp, since=1, within_s=5)).survey
    assert survey.pbx_started != located.pbx_started
    assert located.lead not in survey.alive


async def test_from_answer_to_bridge_takes_milliseconds(desk: Desk, lab: Lab):
    """What the budget is measured by: from the phone's answer in the PBX to its BridgeEnter."""
    instants: dict[tuple[str, str], float] = {}

    def listen(message: dict[str, str]) -> None:
        event, state = message["Event"], message.get("ChannelStateDesc", "")
        if event == "BridgeEnter" or (event == "Newstate" and state == "Up"):
            instants.setdefault((event, message["Uniqueid"]), float(message["Timestamp"]))

    lab.pbx.ami.listeners.append(listen)
    call = await lab.call()
    transfer_id, located = await desk.transfer(call.lead_channel)
    await lab.phone("alice").will(Answer(after_s=0.1))
    took = []
    for _ in range(15):
        leg = await desk.ring("alice", located, transfer_id)
        await desk.saw_at_once(e.LegAccepted, leg.id)
        await desk.pbx.join(located.lead, leg.id)
        await desk.saw(e.Joined, leg.id)
        entered = ("BridgeEnter", leg.id)
        await lab.wait_until(lambda: entered in instants)  # noqa: B023
        took.append(1000 * (instants[entered] - instants["Newstate", leg.id]))
        await lab.phone("alice").hang_up()
        await desk.saw(e.LegEnded, leg.id)
    lab.pbx.ami.listeners.remove(listen)
    print(f"answer to bridge, ms: median {statistics.median(took):.1f}, {[round(t, 1) for t in took]}")
    assert statistics.median(took) < 15, "generous: other work shares this machine"
