"""Tasks on both databases: claimed, noted, done, and once each."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from callcontrol.adapters.sql import SqlStore
from callcontrol.core.callback import CallBegan, Direction, FollowedCall, How, Party, Person, begun, verdict
from callcontrol.core.escalation import TaskRules
from callcontrol.core.followup import FollowUp, TextOut
from callcontrol.core.hooks import HookEvent
from callcontrol.core.model import ChannelId, LeadId
from callcontrol.ports import (
    MessageKind,
    Subscription,
    TaskFilter,
    TaskRefusedError,
    TaskState,
    UnknownError,
    Which,
)
from tests.adapters.store import people as p

SOON = p.LATER + timedelta(minutes=1)
DUE = p.LATER + timedelta(minutes=5)
ANN = Person(label="Ann", agent_id=p.ANN.id)
TEXT = TextOut(recipient="owner", to="+15550177", body="Nobody has called back.")


async def made(store: SqlStore, name: str = "t1", lead: LeadId = p.LEA.id) -> int:
    """A task, by a miss."""
    await p.opened(store, name, lead=lead)
    wanted = replace(p.CALL_BACK, owner_agent_id=p.ANN.id if lead == p.LEA.id else None)
    await store.record(p.missed(name, follow_up=FollowUp(task=wanted)))
    (task,) = await store.tasks(1)
    return task.id


def call(task_id: int, name: str = "17.1", way: Direction = Direction.BACK) -> FollowedCall:
    began = CallBegan(call=ChannelId(name), leg=ChannelId(f"{name}9"), caller=Party(), called=Party())
    found = begun(began, way, ANN, (task_id,), SOON)
    assert found is not None
    return found


def answered(task_id: int, name: str = "17.1") -> FollowedCall:
    begun = call(task_id, name)
    return begun.answered(ChannelId(f"{name}9"), SOON + timedelta(seconds=10))


async def test_a_task_belongs_to_the_agent_or_else_the_pool_or_else_the_owner(office):
    await made(office)
    (of_agent,) = await office.tasks(1)
    assert (of_agent.owner_agent_id, of_agent.owner_pool_id) == ("ann", None)
    await office.consult(p.SAMI.id, p.LUC.id, lambda *_: None, p.NOW)
    await made(office, "t2", p.LUC.id)
    (of_owner,) = await office.tasks(1)
    assert (of_owner.owner_agent_id, of_owner.owner_pool_id) == (None, None)
    await office.apply(replace(p.DIRECTORY, leads=(replace(p.LUC, fields={"state": "CO"}, source="Zillow"),)))
    await made(office, "t3", p.LUC.id)
    (of_pool,) = await office.tasks(1)
    assert (of_pool.owner_agent_id, of_pool.owner_pool_id) == (None, "sales")
    assert [task.id for task in await office.tasks(9, TaskFilter(owner="sales"))] == [of_pool.id]
    assert [task.id for task in await office.tasks(9, TaskFilter(owner="ann"))] == [of_agent.id]


async def test_tasks_are_found_by_what_they_are(office):
    first, second = await made(office), await made(office, "t2", p.LUC.id)
    await office.claim_task(second, "bob", SOON)

    async def found(**wanted):
        return {task.id for task in await office.tasks(9, TaskFilter(**wanted))}

    assert await found() == {first, second}
    assert await found(states=(TaskState.OPEN,)) == {first}
    assert await found(states=(TaskState.OPEN, TaskState.CLAIMED)) == {first, second}
    assert await found(lead_id=p.LUC.id) == {second}
    assert await found(transfer_id="t1") == {first}
    assert await found(overdue_at=SOON) == set()
    assert await found(overdue_at=DUE) == {first, second}


async def test_a_claim_may_be_repeated_and_is_one_persons(office):
    task = await made(office)
    claimed = await office.claim_task(task, "bob", SOON)
    assert (claimed.state, claimed.claimed_by, claimed.claimed_at) == (TaskState.CLAIMED, "bob", SOON)
    assert await office.claim_task(task, "bob", DUE) == claimed
    with pytest.raises(TaskRefusedError, match="claimed by bob"):
        await office.claim_task(task, "ann", DUE)
    assert await office.task(task) == claimed


async def test_of_two_who_claim_at_once_one_has_it(office, other_store):
    task = await made(office)
    asked = [store.claim_task(task, name, SOON) for store, name in ((office, "ann"), (other_store, "bob"))]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sorted(isinstance(answer, TaskRefusedError) for answer in answers) == [False, True]


async def test_the_same_words_by_the_same_person_are_one_note(office):
    task = await made(office)
    for by, words in (("ann", "No luck."), ("ann", "No luck."), ("bob", "No luck."), ("ann", "Again.")):
        found = await office.note_task(task, by, words, SOON)
    assert [(note.by, note.text) for note in found.notes] == [
        ("ann", "No luck."),
        ("bob", "No luck."),
        ("ann", "Again."),
    ]
    assert found.state is TaskState.OPEN


async def test_done_may_be_repeated_but_not_be_done_otherwise(office):
    task = await made(office)
    done = await office.finish_task(task, "ann", "Met them.", SOON)
    assert done.done is not None
    assert (done.state, done.done.by, done.done.how, done.done.words) == (
        TaskState.DONE,
        "ann",
        How.BY_HAND,
        "Met them.",
    )
    assert await office.finish_task(task, "ann", "Met them.", DUE) == done
    for ask in (office.finish_task(task, "bob", "", DUE), office.claim_task(task, "bob", DUE)):
        with pytest.raises(TaskRefusedError, match=r"done already: by ann, Met them\."):
            await ask
    assert await office.task(task) == done


@pytest.mark.parametrize("task_id", [0, -1, 99, 2**63])
async def test_an_unknown_task_is_said_to_be_so(office, task_id):
    for ask in (
        office.task(task_id),
        office.claim_task(task_id, "ann", SOON),
        office.note_task(task_id, "ann", "x", SOON),
        office.finish_task(task_id, "ann", "", SOON),
    ):
        with pytest.raises(UnknownError):
            await ask


async def test_the_leads_of_tasks_that_are_not_done_are_waited_for(office):
    first = await made(office)
    second = await made(office, "t2")
    third = await made(office, "t3", p.LUC.id)
    await office.claim_task(second, "ann", SOON)
    waiting = {lead.phone: lead.task_ids for lead in await office.waiting_leads()}
    assert waiting == {p.LEA.phone: (first, second), p.LUC.phone: (third,)}
    await office.finish_task(third, "ann", "", SOON)
    assert [lead.phone for lead in await office.waiting_leads()] == [p.LEA.phone]


async def test_an_agent_is_known_by_extension_or_by_number(office):
    assert await office.person_at("103", "") == Person(label="Eve", agent_id="eve")
    assert (await office.person_at("nobody", "+15550111")).label == "Eve"
    assert await office.person_at("", "") is None
    assert await office.person_at("900", "+15550999") is None


async def test_two_daemons_that_see_one_call_write_it_once(office, other_store):
    task = await made(office)
    over = answered(task).ended(SOON + timedelta(seconds=70), "")
    for store in (office, other_store):
        await store.put_call(call(task))
        await store.put_call(answered(task))
    assert [one.id for one in await office.unended_calls()] == ["17.1"]
    closed = await asyncio.gather(*(store.put_call(over, verdict(over)) for store in (office, other_store)))
    assert sorted(closed) == [False, True]
    found = await office.task(task)
    assert found.done is not None
    assert (found.done.by, found.done.how, found.talk_s, found.notes) == ("Ann", How.CALL_BACK, 60, ())
    assert (found.first_attempt_s, found.first_answered_s) == (60, 70)
    assert len(found.calls) == 1
    assert await office.unended_calls() == ()


async def test_the_earliest_attempt_is_measured_whichever_ends_first(office):
    task = await made(office)
    late = replace(call(task, "18.1"), began_at=SOON + timedelta(seconds=30))
    await office.put_call(call(task))
    await office.put_call(late)
    for over in (late.ended(DUE, "busy"), call(task).ended(DUE, "busy")):
        await office.put_call(over, verdict(over))
    found = await office.task(task)
    assert found.first_attempt_s == 60
    assert len(found.notes) == len(found.calls) == 2


async def test_a_call_that_was_up_while_the_task_was_done_is_noted_and_changes_nothing_else(office):
    task = await made(office)
    await office.put_call(answered(task))
    done = await office.finish_task(task, "bob", "", SOON)
    over = answered(task).ended(DUE, "")
    assert not await office.put_call(over, verdict(over))
    found = await office.task(task)
    assert found.done == done.done
    assert len(found.notes) == 1
    assert not await office.put_call(call(task, "19.1"))
    assert len((await office.task(task)).calls) == 1


async def test_a_task_escalates_once_a_level_with_two_daemons(office, other_store):
    await made(office)
    for level in (1, 2, 3):
        now = DUE + timedelta(hours=level)
        (found,) = await office.overdue(now, 10)
        assert (found.lead.id, found.bot.id, found.assigned.id) == ("lea", "sami", "ann")
        told = await asyncio.gather(
            *(store.escalate(found.task, (TEXT,), now) for store in (office, other_store, office))
        )
        assert sorted(told) == [False, False, True]
        assert (await office.overdue(now, 10)) == ()
    assert await office.overdue(DUE + timedelta(days=9), 10) == ()
    assert len(await office.messages(Which(kind=MessageKind.TEXT), 10)) == 3


async def test_an_escalation_is_put_off_unless_somebody_touched_the_task(office):
    task = await made(office)
    (found,) = await office.overdue(DUE, 10)
    await office.put_off(found.task, DUE + timedelta(hours=1))
    assert await office.overdue(DUE + timedelta(minutes=59), 10) == ()
    await office.put_off(found.task, DUE)  # of an older look
    assert await office.overdue(DUE + timedelta(minutes=59), 10) == ()
    (found,) = await office.overdue(DUE + timedelta(hours=1), 10)
    await office.claim_task(task, "bob", DUE)
    assert not await office.escalate(found.task, (TEXT,), DUE + timedelta(hours=1))


async def test_a_note_puts_the_escalation_off(office):
    task = await made(office)
    noted = await office.note_task(task, "ann", "No luck.", SOON)
    assert noted.escalate_at == SOON + timedelta(seconds=TaskRules().again_s)
    again = await office.note_task(task, "ann", "No luck.", DUE)
    assert again.escalate_at == noted.escalate_at


async def test_outside_systems_are_told_of_a_task_once_each(url, office):
    told = frozenset(event for event in HookEvent if event.startswith("task."))
    store = SqlStore(url, subscriptions=(Subscription(endpoint="crm", events=told),))
    task = await made(store)
    (found,) = await store.overdue(DUE, 10)
    for _ in range(2):
        await store.escalate(found.task, (), DUE)
    for _ in range(2):
        await store.claim_task(task, "ann", SOON)
    for _ in range(2):
        await store.finish_task(task, "ann", "Met Lea at home.", SOON)
    hooks = await store.messages(Which(kind=MessageKind.WEBHOOK), 10)
    await store.close()
    assert [hook.body.partition(",")[0] for hook in reversed(hooks)] == [
        '{"type":"task.created"',
        '{"type":"task.escalated"',
        '{"type":"task.claimed"',
        '{"type":"task.done"',
    ]
    assert not [hook for hook in hooks if "at home" in hook.body]


async def test_a_connected_transfer_closes_the_tasks_of_everyone_with_that_number(office):
    first = await made(office)
    await office.apply(replace(p.DIRECTORY, leads=(replace(p.LUC, phone=p.LEA.phone),)))
    second = await made(office, "t2", p.LUC.id)
    await p.opened(office, "t3", lead=p.LUC.id)
    await office.record(replace(p.missed("t3"), legs=(p.rung(),), outcome=p.CONNECTED))
    for task in (first, second):
        done = (await office.task(task)).done
        assert done is not None
        assert done.how is How.TRANSFER
