"""Workers claim what is planned for a lead; an outcome cancels it, and has the last word."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from callcontrol.adapters.sql import Planned, SqlStore
from callcontrol.core.hooks import HookEvent
from callcontrol.core.model import LeadId, TransferId
from callcontrol.ports import (
    ClaimLostError,
    MessageKind,
    StoreError,
    Subscription,
    Transition,
    UnknownError,
    Which,
)
from tests.adapters.store import people as p

LEASE_S = 60.0
STEPS = (Planned(name="text"), Planned(name="call", due_at=p.NOW), Planned(name="mail"))


def seconds(count):
    return timedelta(seconds=count)


async def claimed(store, *, now=p.NOW, worker="w", limit=100):
    return list(await store.claim_steps(worker, limit, now, LEASE_S))


async def states(store, lead=p.LEA.id):
    return [(step.name, step.state) for one in await store.cadences(lead) for step in one.steps]


async def test_steps_are_claimed_one_after_the_other_and_the_last_one_ends_the_enrolment(office, other_store):
    enrolment = await office.enrol(p.LEA.id, "seven days", STEPS)
    for position, name in enumerate(("text", "call", "mail"), start=1):
        (step,) = await claimed(office)
        assert (step.enrolment_id, step.position, step.name) == (enrolment, position, name)
        assert (step.cadence, step.lead, step.until) == ("seven days", p.LEA, p.NOW + seconds(LEASE_S))
        assert await claimed(other_store) == []
        assert await other_store.complete_step(step.claim_id, p.LATER) == ""
        assert await office.complete_step(step.claim_id, p.LATER) == ""  # a repeat
    assert await claimed(office) == []
    (done,) = await office.cadences(p.LEA.id)
    assert (done.state, {step.state for step in done.steps}) == ("done", {"done"})
    assert done.steps[0].done_at == p.LATER


async def test_a_step_is_not_claimed_before_its_time(office):
    await office.enrol(p.LEA.id, "later", (Planned(name="call", due_at=p.LATER),))
    assert await claimed(office, now=p.LATER - timedelta(microseconds=1)) == []
    assert len(await claimed(office, now=p.LATER)) == 1


async def test_no_more_than_asked_for_are_claimed_the_longest_due_first(office):
    for n in range(4):
        await office.enrol(p.LEA.id, f"n{n}", (Planned(name=f"s{n}", due_at=p.NOW - seconds(n)),))
    assert [step.name for step in await claimed(office, limit=2)] == ["s3", "s2"]
    assert [step.name for step in await claimed(office, limit=9)] == ["s1", "s0"]


async def test_a_lease_that_ran_out_lets_another_worker_take_the_step(office, other_store):
    await office.enrol(p.LEA.id, "c", STEPS[:1])
    (old,) = await claimed(office, worker="old")
    over = p.NOW + seconds(LEASE_S)
    assert await claimed(other_store, now=over - timedelta(microseconds=1)) == []
    (new,) = await claimed(other_store, now=over, worker="new")
    for late in (
        office.renew_step(old.claim_id, over, LEASE_S),
        office.complete_step(old.claim_id, over),
        office.release_step(old.claim_id, over),
    ):
        with pytest.raises(ClaimLostError, match="its lease ran out"):
            await late
    assert await other_store.complete_step(new.claim_id, over) == ""


async def test_a_worker_that_is_slow_keeps_the_step_while_nobody_else_wants_it(office):
    await office.enrol(p.LEA.id, "c", STEPS[:1])
    (step,) = await claimed(office)
    late = p.NOW + seconds(LEASE_S * 2)
    assert await office.renew_step(step.claim_id, late, LEASE_S) == late + seconds(LEASE_S)
    assert await claimed(office, now=late) == []


async def test_a_step_that_is_given_back_waits_for_its_new_time(office):
    await office.enrol(p.LEA.id, "c", STEPS[:2])
    (step,) = await claimed(office)
    await office.release_step(step.claim_id, p.LATER)
    assert await claimed(office) == []
    (again,) = await claimed(office, now=p.LATER)
    assert (again.name, again.claim_id != step.claim_id) == ("text", True)


async def test_an_outcome_cancels_what_waits_and_what_is_in_hand(office, other_store):
    await office.enrol(p.LEA.id, "a", STEPS)
    await office.enrol(p.LUC.id, "other", STEPS)
    (step,) = [step for step in await claimed(other_store) if step.lead == p.LEA]
    await p.opened(office)
    await office.record(p.missed())
    assert await states(office) == [("text", "cancelled"), ("call", "cancelled"), ("mail", "cancelled")]
    with pytest.raises(ClaimLostError, match="cancelled by t1: missed: no_answer"):
        await other_store.renew_step(step.claim_id, p.LATER, LEASE_S)
    with pytest.raises(ClaimLostError, match="cancelled by t1"):
        await other_store.release_step(step.claim_id, p.LATER)
    assert [s for _, s in await states(office, p.LUC.id)] == ["claimed", "pending", "pending"]


async def test_a_step_that_was_carried_out_all_the_same_is_noted(office):
    await office.enrol(p.LEA.id, "a", STEPS)
    (step,) = await claimed(office)
    await p.opened(office)
    await office.record(p.missed())
    for at in (p.LATER, p.LATER + seconds(5)):
        assert await office.complete_step(step.claim_id, at) == "cancelled by t1: missed: no_answer"
    (enrolment,) = await office.cadences(p.LEA.id)
    assert (enrolment.state, enrolment.steps[0].state) == ("cancelled", "cancelled")
    assert (enrolment.steps[0].done_at, enrolment.steps[1].done_at) == (p.LATER, None)


async def test_a_step_that_is_done_is_not_cancelled(office):
    await office.enrol(p.LEA.id, "a", STEPS)
    (step,) = await claimed(office)
    await office.complete_step(step.claim_id, p.NOW)
    with pytest.raises(ClaimLostError, match="done already"):
        await office.renew_step(step.claim_id, p.NOW, LEASE_S)
    found = await office.cancel_cadence(p.LEA.id, by="Olga", why="asked not to be called")
    assert (found.steps, found.in_hand) == (("call", "mail"), ())
    assert await states(office) == [("text", "done"), ("call", "cancelled"), ("mail", "cancelled")]
    (enrolment,) = await office.cadences(p.LEA.id)
    assert (enrolment.cancelled_by, enrolment.why) == ("Olga", "asked not to be called")
    again = await office.cancel_cadence(p.LEA.id, by="Moe", why="again")
    assert (again.enrolments, again.steps, again.in_hand) == ((), (), ())
    assert (await office.cadences(p.LEA.id))[0].cancelled_by == "Olga"


async def test_a_lead_who_is_just_being_transferred_is_left_alone(office):
    await office.enrol(p.LEA.id, "a", STEPS)
    await p.opened(office)
    assert await claimed(office) == []
    quiet = replace(p.missed(), follow_up=None)
    await office.record(quiet)
    assert len(await claimed(office)) == 1


async def test_a_repeated_key_is_the_same_enrolment_of_that_lead(office, other_store):
    ids = await asyncio.gather(
        *(store.enrol(p.LEA.id, "a", STEPS, key="k") for store in (office, other_store) * 10)
    )
    assert len(set(ids)) == 1
    assert len(await states(office)) == len(STEPS)
    assert await office.enrol(p.LUC.id, "a", STEPS, key="k") not in ids


async def test_a_lead_that_is_not_there_can_not_be_enrolled(office):
    with pytest.raises(UnknownError, match="no lead 'nobody'"):
        await office.enrol(LeadId("nobody"), "a", STEPS)


async def test_many_workers_share_the_steps_and_none_goes_twice(office, other_store):
    for n in range(40):
        await office.enrol(p.LEA.id, f"n{n}", STEPS[:1])
    stores = (office, other_store)
    shares = await asyncio.gather(*(claimed(stores[n % 2], limit=3, worker=f"w{n}") for n in range(30)))
    taken = [step.enrolment_id for share in shares for step in share]
    assert len(taken) == len(set(taken))
    assert len(taken) + len(await claimed(office)) == 40


async def test_whatever_workers_do_meanwhile_nothing_survives_the_outcome(office, url):
    """Claims, renewals and completions race with the outcomes of two transfers of the lead."""
    stores = [SqlStore(url) for _ in range(3)]
    for n in range(30):
        await office.enrol(p.LUC.id, f"n{n}", STEPS)
    carried_out, lost, over = [], [], asyncio.Event()

    async def work(store, name):
        while not over.is_set():
            for step in await claimed(store, limit=2, worker=name):
                try:
                    await store.renew_step(step.claim_id, p.NOW, LEASE_S)
                    why = await store.complete_step(step.claim_id, p.NOW)
                except ClaimLostError as error:
                    lost.append(str(error))
                else:
                    (lost if why else carried_out).append(step.claim_id)
            await asyncio.sleep(0)

    async def cancel(store, name):
        while len(carried_out) < 5:
            await asyncio.sleep(0.001)
        await store.cancel_cadence(p.LUC.id, by=name, why="over")

    workers = [asyncio.create_task(work(store, f"w{n}")) for n, store in enumerate(stores)]
    await asyncio.gather(*(cancel(store, f"c{n}") for n, store in enumerate(stores)))
    assert await claimed(office) == []
    over.set()
    await asyncio.gather(*workers)
    found = await states(office, p.LUC.id)
    assert {state for _, state in found} == {"done", "cancelled"}
    assert sum(state == "done" for _, state in found) == len(carried_out)
    assert all("cancelled by c" in why for why in lost if " " in why)
    enrolments = await office.cadences(p.LUC.id)
    assert len({one.cancelled_by for one in enrolments if one.state == "cancelled"}) == 1
    for store in stores:
        await store.close()


@pytest.fixture
async def told(url):
    crm = Subscription(endpoint="crm", events=frozenset({HookEvent.CADENCE_CANCELLED}))
    store = SqlStore(url, subscriptions=(crm,))
    await store.apply(p.DIRECTORY)
    yield store
    await store.close()


async def webhooks(store):
    return [json.loads(m.body) for m in await store.messages(Which(kind=MessageKind.WEBHOOK), 10)]


async def test_outside_systems_are_told_what_was_cancelled_by_whom_and_what_was_in_hand(told):
    enrolment = await told.enrol(p.LEA.id, "seven days", STEPS[:2])
    await claimed(told, worker="dialler")
    await p.opened(told)
    await told.record(p.missed())
    await told.record(p.missed())
    (hook,) = await webhooks(told)
    assert (hook["type"], hook["timestamp"]) == ("cadence.cancelled", p.LATER.isoformat())
    assert hook["data"]["lead"]["id"] == "lea"
    assert (hook["data"]["by"], hook["data"]["why"]) == ("t1", "missed: no_answer")
    assert hook["data"]["enrolments"] == [{"id": enrolment, "cadence": "seven days"}]
    assert hook["data"]["steps"] == [
        {"enrolment": enrolment, "position": 1, "name": "text", "claimed_by": "dialler"},
        {"enrolment": enrolment, "position": 2, "name": "call", "claimed_by": None},
    ]


async def test_where_nothing_was_planned_nobody_is_told(told):
    await told.cancel_cadence(p.LEA.id, by="Olga", why="")
    assert await webhooks(told) == []


async def test_an_outcome_that_is_not_written_cancels_nothing(told):
    await told.enrol(p.LEA.id, "a", STEPS)
    broken = Transition(
        transfer_id=TransferId("nobody"),
        entries=(p.entry(2),),
        legs=(),
        outcome=p.MISSED,
        follow_up=p.FOLLOW_UP,
    )
    with pytest.raises(StoreError):
        await told.record(broken)
    assert {state for _, state in await states(told)} == {"pending"}
    assert await webhooks(told) == []
