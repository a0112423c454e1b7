"""The closed loop on a real PBX: a missed transfer's task, and the real call back."""

import asyncio
import json
import time

import pytest

from callcontrol.core.callback import Direction, How
from callcontrol.core.model import TransferId
from callcontrol.ports import TaskState
from tests.lab import Busy, Lab, parties
from tests.lab.site import Site

LENA = parties.BY_NAME["lead"]
OUTSIDE = f"900{LENA.number.removeprefix('+')}"  # as alice dials Lena: a line, and the number


async def missed(company: Site, lab: Lab) -> TransferId:
    """Lena is missed, and hangs up."""
    await lab.phone("alice").will(Busy())
    call = await lab.call("lead")
    transfer = await company.asks(call, bot="solo")
    await company.outcome(transfer)
    await call.lead.hang_up()
    await company.until(lambda row: row.closed, transfer)
    await lab.phone("alice").is_idle()
    await lab.phone("alice").behave()
    await asyncio.sleep(1.0)  # nobody hears of a miss and dials faster; the daemon looks it up meanwhile
    return transfer


async def test_the_task_closes_itself_when_the_agent_calls_the_lead_back(company: Site, lab: Lab):
    transfer = await missed(company, lab)
    dialled = time.time()
    alice = await lab.phone("alice").dials(OUTSIDE)
    talking = await company.task(transfer, lambda task: task.calls and task.calls[0].answered_at)
    assert (talking.state, talking.calls[0].ended_at) == (TaskState.OPEN, None)
    await asyncio.sleep(1.5)
    await alice.hang_up()
    task = await company.task(transfer, lambda task: task.state is TaskState.DONE)
    assert task.done is not None
    assert (task.done.by, task.done.how) == ("Alice", How.CALL_BACK)
    (call,) = task.calls
    assert (call.who, call.agent_id, call.direction) == ("Alice", "alice", Direction.BACK)
    assert abs(call.began_at.timestamp() - dialled) < 1
    assert task.talk_s is not None
    assert 1.4 < task.talk_s < 4
    assert task.first_attempt_s == (call.began_at - task.created_at).total_seconds()
    assert call.answered_at is not None
    assert task.first_answered_s == (call.answered_at - task.created_at).total_seconds()
    told = json.loads(await company.cli("tasks", "show", str(task.id), "--json"))
    assert told["done"]["words"].startswith("Alice called the lead back: answered")


async def test_an_unanswered_call_back_is_noted_and_leaves_the_task_open(company: Site, lab: Lab):
    transfer = await missed(company, lab)
    await lab.phone("lead").will(Busy())
    dialling = asyncio.create_task(lab.phone("alice").dials(OUTSIDE))
    task = await company.task(transfer, lambda task: task.notes)
    dialling.cancel()
    assert task.state is TaskState.OPEN
    assert task.notes[0].text == "Alice called the lead back: not answered (busy)"
    assert task.first_attempt_s is not None
    assert task.first_answered_s is None


async def test_the_leads_own_second_call_that_reaches_an_agent_closes_it(company: Site, lab: Lab):
    transfer = await missed(company, lab)
    await lab.world.place(LENA, f"PJSIP/{parties.DID_BOB}@pbx")
    await lab.phone("bob").talks()
    await asyncio.sleep(0.5)
    await lab.phone("bob").hang_up()
    task = await company.task(transfer, lambda task: task.state is TaskState.DONE)
    assert task.done is not None
    assert (task.done.by, task.done.how) == ("Bob", How.LEAD_CALLED)
    assert task.first_attempt_s is None


@pytest.mark.parametrize("dialled", [OUTSIDE, f"9200{LENA.number.removeprefix('+')}"])
async def test_a_call_back_that_is_up_while_the_daemon_is_killed_still_closes_the_task(
    company: Site, lab: Lab, dialled
):
    """The second through a Local channel."""
    transfer = await missed(company, lab)
    alice = await lab.phone("alice").dials(dialled)
    await company.task(transfer, lambda task: task.calls and task.calls[0].answered_at)
    await company.kill()
    await company.start()
    await asyncio.sleep(0.5)
    await alice.hang_up()
    task = await company.task(transfer, lambda task: task.state is TaskState.DONE)
    assert task.done is not None
    assert task.done.by == "Alice"
    assert len(task.calls) == 1
    assert task.talk_s is not None


async def test_a_warm_transfer_that_connects_closes_the_task_and_is_no_call_back(company: Site, lab: Lab):
    transfer = await missed(company, lab)
    call = await lab.call("lead")
    second = await company.asks(call, bot="solo")
    await company.phase(second, "joined")
    await call.bot.hang_up()
    await company.outcome(second)
    task = await company.task(transfer, lambda task: task.state is TaskState.DONE)
    assert task.done is not None
    assert (task.done.by, task.done.how) == ("Alice", How.TRANSFER)
    assert task.calls == ()
