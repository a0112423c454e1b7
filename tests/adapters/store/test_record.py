import asyncio
from dataclasses import replace
from datetime import UTC, timedelta

import pytest

from callcontrol.adapters.sql import Planned
from callcontrol.core import events as e
from callcontrol.core.followup import FollowUp, TextOut
from callcontrol.core.model import (
    ChannelId,
    Connected,
    ConnectedBy,
    LegFate,
    Missed,
    MissedBecause,
    TransferId,
)
from callcontrol.ports import StoreError, Transition
from tests.adapters.store import people as p

T1 = TransferId("t1")


def turn(seq=2, *, legs=(), event=None, **more):
    return Transition(transfer_id=T1, entries=(p.entry(seq, event),), legs=tuple(legs), **more)


async def texts(store, until=p.LATER):
    return await p.claim(store, 100, until + timedelta(days=1), 60)


async def test_a_turn_is_read_back_as_it_was_written(office):
    await p.opened(office)
    rich = e.LinkRestored(
        survey=e.Survey(
            pbx_started="x",
            alive={ChannelId("a"): e.Alive(doing=e.Doing.ACCEPTED, bridged_with=frozenset({ChannelId("b")}))},
        )
    )
    entries = (p.entry(2), p.entry(3, rich))
    legs = (p.rung(), p.answered(p.rung("leg-2", of=None)))
    await office.record(Transition(transfer_id=T1, entries=entries, legs=legs))
    assert (await office.journal(T1))[1:] == entries
    assert tuple(await office.legs(T1)) == legs


async def test_a_turn_without_entries_still_writes_its_legs(office):
    await p.opened(office)
    await office.record(Transition(transfer_id=T1, entries=(), legs=(p.rung(),)))
    assert tuple(await office.legs(T1)) == (p.rung(),)


async def test_a_leg_is_written_over_as_it_goes_on(office):
    await p.opened(office)
    await office.record(turn(2, legs=[p.rung()]))
    await office.record(turn(3, legs=[p.answered(p.rung())]))
    assert tuple(await office.legs(T1)) == (p.answered(p.rung()),)


async def test_a_turn_may_be_repeated(office):
    await p.opened(office)
    for _ in range(3):
        await office.record(turn(2, legs=[p.rung()]))
    assert [entry.seq for entry in await office.journal(T1)] == [1, 2]
    assert len(await office.legs(T1)) == 1


async def test_instants_come_back_in_utc_to_the_microsecond(office):
    await p.opened(office)
    there = p.LATER.astimezone(p.ANN.zone)
    await office.record(Transition(transfer_id=T1, entries=(p.entry(2, at=there),), legs=()))
    at = (await office.journal(T1))[1].at
    assert at == p.LATER
    assert at.tzinfo is UTC


async def test_an_instant_without_a_zone_is_refused(office):
    await p.opened(office)
    with pytest.raises(StoreError, match="without a zone"):
        await office.record(
            Transition(transfer_id=T1, entries=(p.entry(2, at=p.LATER.replace(tzinfo=None)),), legs=())
        )


async def test_a_late_repeat_does_not_undo_what_came_after(office):
    await p.opened(office)
    first = turn(2, legs=[p.rung()])
    await office.record(first)
    await office.record(turn(3, legs=[p.answered(p.rung())]))
    await office.record(first)
    assert tuple(await office.legs(T1)) == (p.answered(p.rung()),)


@pytest.mark.parametrize(
    "other",
    [p.entry(2, e.LinkLost()), p.entry(2, at=p.NOW)],
    ids=["another event", "another time"],
)
async def test_another_entry_in_the_same_place_is_a_bug_and_writes_nothing(office, other):
    await p.opened(office)
    await office.record(turn(2, legs=[p.rung()]))
    with pytest.raises(StoreError, match="another entry 2") as refused:
        await office.record(
            Transition(transfer_id=T1, entries=(other, p.entry(3)), legs=(p.answered(p.rung()),))
        )
    assert not refused.value.retryable
    assert [entry.seq for entry in await office.journal(T1)] == [1, 2]
    assert tuple(await office.legs(T1)) == (p.rung(),)


async def test_a_turn_of_no_transfer_is_refused(office):
    with pytest.raises(StoreError) as refused:
        await office.record(turn())
    assert not refused.value.retryable


async def test_a_miss_brings_texts_a_task_and_the_end_of_the_cadence(office):
    await p.opened(office)
    steps = (Planned(name="call", due_at=p.LATER), Planned(name="mail", state="done"), Planned(name="text"))
    await office.enrol(p.LEA.id, "seven days", steps)
    await office.enrol(p.LUC.id, "other lead", (Planned(name="call"),))
    await office.record(p.missed())

    row = await office.transfer(T1)
    assert (row.outcome, row.finished_at, row.closed) == (p.MISSED, p.LATER, True)
    assert [(t.dedupe_key, t.to, t.body) for t in await texts(office)] == [
        ("t1:missed:agent", p.TO_AGENT.to, p.TO_AGENT.body),
        ("t1:missed:owner", p.TO_OWNER.to, p.TO_OWNER.body),
    ]
    (task,) = await office.tasks(10)
    assert (task.transfer_id, task.lead_id, task.title) == (T1, p.LEA.id, p.CALL_BACK.title)
    assert (task.owner_agent_id, task.created_at, task.due_at) == (
        "ann",
        p.LATER,
        p.LATER + timedelta(minutes=5),
    )
    assert (task.reason, task.state) == (p.CALL_BACK.reason, "open")

    (enrolment,) = await office.cadences(p.LEA.id)
    assert (enrolment.state, enrolment.cancelled_at, enrolment.cancelled_by) == ("cancelled", p.LATER, "t1")
    assert enrolment.why == "missed: no_answer"
    assert [(s.name, s.state, s.cancelled_by, s.why) for s in enrolment.steps] == [
        ("call", "cancelled", "t1", "missed: no_answer"),
        ("mail", "done", None, ""),
        ("text", "cancelled", "t1", "missed: no_answer"),
    ]
    (untouched,) = await office.cadences(p.LUC.id)
    assert (untouched.state, untouched.steps[0].state) == ("pending", "pending")


@pytest.mark.parametrize(
    "outcome",
    [
        p.CONNECTED,
        Connected(by=ConnectedBy.FALLBACK, leg=p.leg("leg-2", of=None)),
        Missed(because=MissedBecause.CANCELLED, follow_up=False),
        *(Missed(because=because) for because in MissedBecause),
    ],
    ids=str,
)
async def test_every_outcome_is_read_back(office, outcome):
    await p.opened(office)
    await office.record(turn(legs=[p.rung(), p.rung("leg-2", of=None)], outcome=outcome))
    row = await office.transfer(T1)
    assert row.outcome == outcome
    assert not row.closed


async def test_an_outcome_without_follow_up_leaves_the_cadence_alone(office):
    await p.opened(office)
    await office.enrol(p.LEA.id, "seven days", ())
    await office.record(turn(outcome=p.MISSED))
    assert await texts(office) == ()
    assert await office.tasks(10) == ()
    assert (await office.cadences(p.LEA.id))[0].state == "pending"


async def test_a_repeated_outcome_brings_nothing_twice(office, other_store):
    await p.opened(office)
    await asyncio.gather(*(store.record(p.missed()) for store in (office, other_store) * 10))
    await office.record(p.missed(seq=3))  # the same outcome by a later turn
    assert len(await texts(office)) == 2
    assert len(await office.tasks(10)) == 1


async def test_a_second_outcome_is_refused_and_its_turn_with_it(office):
    await p.opened(office)
    await office.record(turn(2, legs=[p.rung()], outcome=p.CONNECTED))
    with pytest.raises(StoreError, match="outcome connected already") as refused:
        await office.record(p.missed(seq=3))
    assert not refused.value.retryable
    row = await office.transfer(T1)
    assert (row.outcome, row.closed) == (p.CONNECTED, False)
    assert len(await office.journal(T1)) == 2
    assert await texts(office) == ()


async def test_the_same_turn_with_another_outcome_is_refused(office):
    await p.opened(office)
    await office.record(p.missed())
    with pytest.raises(StoreError, match="outcome missed already"):
        await office.record(replace(p.missed(), outcome=Missed(because=MissedBecause.PBX_LOST)))


async def test_of_two_outcomes_at_once_one_is_kept(office, other_store):
    await p.opened(office)
    ends = [Missed(because=because) for because in MissedBecause]
    answers = await asyncio.gather(
        *(
            (office, other_store)[n % 2].record(
                Transition(
                    transfer_id=T1,
                    entries=(p.entry(2 + n),),
                    legs=(),
                    outcome=outcome,
                    follow_up=FollowUp(texts=(TextOut(recipient="agent", to="+1", body=outcome.because),)),
                )
            )
            for n, outcome in enumerate(ends)
        ),
        return_exceptions=True,
    )
    (kept,) = (n for n, answer in enumerate(answers) if answer is None)
    assert (await office.transfer(T1)).outcome == ends[kept]
    assert [text.body for text in await texts(office)] == [ends[kept].because]
    assert len(await office.journal(T1)) == 2


async def test_a_winner_without_a_record_is_a_bug(office):
    await p.opened(office)
    with pytest.raises(StoreError, match="no record") as refused:
        await office.record(turn(outcome=p.CONNECTED))
    assert not refused.value.retryable


async def test_a_transfer_may_be_closed_after_its_outcome(office):
    await p.opened(office)
    await office.record(turn(2, legs=[p.rung()], outcome=p.CONNECTED))
    ended = replace(p.answered(p.rung()), fate=LegFate.ANSWERED)
    await office.record(turn(3, legs=[ended], closed=True))
    row = await office.transfer(T1)
    assert (row.closed, row.finished_at) == (True, p.LATER)
    assert await office.unclosed() == ()


async def test_what_is_not_closed_comes_back_with_its_journal(office, other_store):
    await p.opened(office, "t1")
    await p.opened(office, "t2", lead=p.LUC.id, now=p.LATER)
    await p.opened(office, "t3")
    await office.record(p.missed("t3"))
    await office.record(turn(2, legs=[p.rung()]))
    found = await other_store.unclosed()
    assert [row.id for row, _ in found] == ["t1", "t2"]
    assert [[entry.seq for entry in entries] for _, entries in found] == [[1, 2], [1]]
    assert found[0][0] == await office.transfer(T1)


async def test_a_lead_moved_to_another_agent_meanwhile_is_followed_up_as_it_is_now(office):
    await p.opened(office)
    moved = replace(p.LEA, assigned_agent_id=p.BOB.id)
    await office.apply(replace(p.DIRECTORY, leads=(moved,)))
    assert (await office.transfer(T1)).assigned == p.BOB


async def test_the_newest_tasks_come_first(office):
    for n in range(3):
        await p.opened(office, f"t{n}")
        await office.record(p.missed(f"t{n}"))
    assert [task.transfer_id for task in await office.tasks(2)] == ["t2", "t1"]


async def test_a_text_to_the_pool_goes_to_who_is_in_it_now_and_to_nobody_twice(office):
    sales = tuple(
        replace(agent, phone=phone)
        for agent, phone in ((p.CYD, "+15550103"), (p.OFF, p.TO_AGENT.to), (p.ANN, None))
    )
    others = tuple(agent for agent in p.DIRECTORY.agents if agent.id not in {one.id for one in sales})
    await office.apply(replace(p.DIRECTORY, agents=(*others, *sales)))
    await p.opened(office)
    await office.record(p.missed(follow_up=replace(p.FOLLOW_UP, to_pool="Everybody!")))
    found = await texts(office)
    assert [(t.recipient, t.to, t.body) for t in found if t.recipient == "pool"] == [
        ("pool", "+15550103", "Everybody!")
    ]
    assert len(found) == 3


async def test_where_no_rule_fits_the_pool_is_every_active_agent(office):
    await p.opened(office, lead=p.LUC.id)
    await office.record(p.missed(follow_up=FollowUp(to_pool="Everybody!")))
    (text,) = await texts(office)  # they all have the same number
    assert (text.recipient, text.to) == ("pool", p.EVE.phone)
