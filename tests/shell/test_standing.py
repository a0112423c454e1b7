"""Who may ring, over a sequence of calls: reservations, wrap-up, strikes, batches, the phone as console."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callcontrol.adapters.simulated import Behaviour
from callcontrol.adapters.simulated.pbx import Does
from callcontrol.adapters.sql import OwnTables
from callcontrol.core.events import AttemptResolved
from callcontrol.core.model import (
    AgentState,
    All,
    BotId,
    LeadId,
    LineState,
    Missed,
    MissedBecause,
    Pattern,
    Pool,
    PoolId,
    PoolOrder,
    Rule,
    StrikePolicy,
)
from callcontrol.explain import explain
from callcontrol.ports import AgentWish
from callcontrol.reachable import reachable
from tests.adapters.store import people as p
from tests.shell.office import ANSWERS, directory, office

RINGS = Behaviour(does=Does.RINGS)
BUSY = Behaviour(does=Does.BUSY, after_s=0.1)


def pooled(**pool):
    """Everyone is in one pool, and every lead goes there."""
    people = directory(pattern=Pattern.GROUP, fallbacks=())
    west = Pool(id=PoolId("west"), name="West", agent_ids=tuple(a.id for a in people.agents), **pool)
    return replace(people, pools=(west,), rules=(Rule(name="all", when=All(), pool_id=west.id),))


def solo(**agent):
    """Only Alice, with these settings."""
    people = directory(pattern=Pattern.ASSIGNED, fallbacks=())
    alice = replace(people.agents[0], **agent)
    return replace(people, agents=(alice, *people.agents[1:]))


async def standing(at, name: str):
    return next(c.standing for c in await at.store.candidates(at.clock.now()) if c.agent.id == name)


async def test_two_transfers_at_once_never_ring_the_same_agent(tmp_path):
    async with office(tmp_path, people=pooled()) as at:
        await asyncio.gather(*(at.asks() for _ in range(8)))
        await at.passes(1)
        assert sorted(at.verbs("ring")) == ["ring alice", "ring bob", "ring carol"]


async def test_whoever_is_free_again_is_rung_by_the_next_transfer(tmp_path):
    async with office(tmp_path, people=solo()) as at:
        _, first = await at.asks()
        await at.switchboard.cancel(first, follow_up=True)
        await at.passes(0.1)
        await at.asks()
        await at.passes(0.1)
        assert at.verbs("ring") == ["ring alice"] * 2


async def test_an_agent_who_talks_is_not_rung_and_then_wraps_up(tmp_path):
    async with office(tmp_path, people=solo(wrap_up_s=60.0), alice=ANSWERS) as at:
        call, transfer = await at.asks()
        await at.passes(3)
        await at.switchboard.handoff_finished(transfer)
        await at.passes(1)
        _, second = await at.asks()
        await at.passes(1)
        assert (await at.row(second)).outcome == Missed(because=MissedBecause.NO_ONE_AVAILABLE)
        at.pbx.hangs_up(call.lead)
        await at.passes(30)
        _, third = await at.asks()
        await at.passes(1)
        assert (await at.row(third)).outcome == Missed(because=MissedBecause.NO_ONE_AVAILABLE)
        await at.passes(60)
        await at.asks()
        await at.passes(0.1)
        assert at.verbs("ring") == ["ring alice"] * 2


async def test_three_missed_rings_in_a_row_let_an_agent_rest_and_say_so(tmp_path):
    people = replace(solo(), strikes=StrikePolicy(limit=3, rest_s=1800))
    async with office(tmp_path, people=people) as at:
        for _ in range(3):
            _, third = await at.asks()
            await at.passes(36)
        resting = await standing(at, "alice")
        assert resting.resting_until is not None
        texts = await p.texts(at.store, third)
        assert any("3 transfers in a row" in text.body and text.to == "+15550111" for text in texts)
        _, fourth = await at.asks()
        await at.passes(1)
        assert len(at.verbs("ring")) == 3
        entries = await at.store.journal(fourth)
        (considered,) = next(e.event for e in entries if isinstance(e.event, AttemptResolved)).considered
        assert next(t.value for t in considered.terms if not t.holds).startswith(
            "missed 3 transfers in a row"
        )
        await at.passes(1800)
        await at.asks()
        await at.passes(1)
        assert len(at.verbs("ring")) == 4


async def test_losing_a_race_or_a_lead_who_hangs_up_is_no_strike(tmp_path):
    people = replace(pooled(), strikes=StrikePolicy(limit=1))
    async with office(tmp_path, people=people, bob=ANSWERS) as at:
        call, transfer = await at.asks()
        await at.passes(3)
        await at.switchboard.handoff_finished(transfer)
        at.pbx.hangs_up(call.lead)
        await at.passes(1)
        call, _ = await at.asks()
        at.pbx.hangs_up(call.lead)
        await at.passes(1)
        assert [(await standing(at, name)).resting_until for name in ("alice", "carol")] == [None, None]


async def test_two_at_a_time_by_longest_idle_and_the_next_join_the_ringing(tmp_path):
    people = pooled(order=PoolOrder.LONGEST_IDLE, at_once=2, step_s=8)
    async with office(tmp_path, people=people) as at:
        await at.asks()
        await at.passes(7.9)
        assert len(at.verbs("ring")) == 2
        await at.passes(0.2)
        assert len(at.verbs("ring")) == 3
        assert at.verbs("hang_up") == []


async def test_an_agent_who_went_off_duty_meanwhile_does_not_join_the_ringing(tmp_path):
    async with office(tmp_path, people=pooled(at_once=2, step_s=8)) as at:
        await at.asks()
        await at.passes(1)
        await at.store.set_available("carol", available=False)
        await at.passes(20)
        assert at.verbs("ring") == ["ring alice", "ring bob"]


async def test_a_phone_in_use_or_off_is_not_rung(tmp_path):
    async with office(tmp_path, people=pooled()) as at:
        at.pbx.lines = {"alice": LineState.IN_USE, "bob": LineState.UNREGISTERED}
        await at.asks()
        await at.passes(0.1)
        assert at.verbs("ring") == ["ring carol"]


# --- the phone as console


async def dials(at, name: str, wish: AgentWish, minutes: int = 0) -> AgentState:
    """What the phone says, after a feature code."""
    phone = at.pbx.dials(name, wish, minutes)
    await at.passes(0.2)
    return at.pbx.told[phone]


async def test_an_agent_toggles_and_rests_by_phone_and_the_lamp_follows(tmp_path):
    async with office(tmp_path) as at:
        await at.passes(0.1)
        assert at.pbx.lamps["alice"] is AgentState.AVAILABLE
        for wish, minutes, state in (
            (AgentWish.UNAVAILABLE, 0, AgentState.UNAVAILABLE),
            (AgentWish.STATUS, 0, AgentState.UNAVAILABLE),
            (AgentWish.AVAILABLE, 0, AgentState.AVAILABLE),
            (AgentWish.REST, 30, AgentState.RESTING),
        ):
            assert await dials(at, "alice", wish, minutes) is state
            assert at.pbx.lamps["alice"] is state
        await at.passes(30 * 60 + 3)
        assert at.pbx.lamps["alice"] is AgentState.AVAILABLE


async def test_a_phone_that_is_nobodys_is_told_so(tmp_path):
    async with office(tmp_path) as at:
        assert await dials(at, "lobby", AgentWish.AVAILABLE) is AgentState.UNKNOWN


async def test_where_the_crm_says_who_is_available_a_code_says_so_and_rests_go_on(tmp_path):
    crm = tmp_path / "crm.db"
    with closing(sqlite3.connect(crm)) as staff:
        staff.executescript("CREATE TABLE staff (login, ready); INSERT INTO staff VALUES ('alice', 1)")
        query = "SELECT login AS agent_id, ready AS available FROM staff"
        async with office(tmp_path, own=OwnTables(url=f"sqlite:///{crm}", availability=query)) as at:
            for wish, minutes, state in (
                (AgentWish.AVAILABLE, 0, AgentState.AVAILABLE),  # as it is already
                (AgentWish.UNAVAILABLE, 0, AgentState.ELSEWHERE),
                (AgentWish.STATUS, 0, AgentState.AVAILABLE),
                (AgentWish.REST, 30, AgentState.RESTING),
                (AgentWish.AVAILABLE, 0, AgentState.AVAILABLE),  # back from the rest
            ):
                assert await dials(at, "alice", wish, minutes) is state
            staff.executescript("UPDATE staff SET ready = 0")
            assert await dials(at, "alice", AgentWish.AVAILABLE) is AgentState.ELSEWHERE
            assert await dials(at, "alice", AgentWish.UNAVAILABLE) is AgentState.UNAVAILABLE
            assert at.pbx.lamps["alice"] is AgentState.UNAVAILABLE


async def test_lamps_are_lit_again_when_the_switch_has_restarted(tmp_path):
    async with office(tmp_path) as at:
        await at.passes(0.1)
        at.pbx.restarts()
        at.pbx.lamps.clear()
        at.pbx.regains_link()
        await at.passes(0.1)
        assert set(at.pbx.lamps) == {"alice", "bob", "carol"}


async def test_a_change_by_another_process_reaches_the_lamp(tmp_path):
    async with office(tmp_path) as at:
        await at.store.set_available("bob", available=False)
        await at.passes(2.1)
        assert at.pbx.lamps["bob"] is AgentState.UNAVAILABLE


async def test_the_lamp_of_an_agent_who_is_gone_says_available_no_more(tmp_path):
    people = directory()
    async with office(tmp_path, people=people) as at:
        await at.passes(0.1)
        assert at.pbx.lamps["carol"] is AgentState.AVAILABLE
        await at.store.apply(replace(people, agents=people.agents[:2]))
        await at.passes(2.1)
        assert at.pbx.lamps["carol"] is AgentState.UNKNOWN


# --- explain, and the promise


def told(resolved: AttemptResolved):
    """What of an attempt is said to people; ids and numbers apart."""
    return (
        resolved.step,
        [(leg.agent_id, leg.endpoint) for leg in resolved.legs],
        resolved.considered,
        resolved.because,
        resolved.rules,
        resolved.next_after_s,
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    off=st.sets(st.sampled_from(["alice", "bob", "carol"])),
    busy=st.dictionaries(st.sampled_from(["alice", "bob", "carol"]), st.sampled_from(list(LineState))),
    resting=st.sets(st.sampled_from(["alice", "bob", "carol"])),
    at_once=st.integers(0, 2),
    pattern=st.sampled_from(list(Pattern)),
)
async def test_explain_says_what_a_real_transfer_then_does(
    tmp_path_factory, off, busy, resting, at_once, pattern
):
    people = pooled(at_once=at_once, step_s=5)
    people = replace(people, bots=(replace(people.bots[0], pattern=pattern),))
    async with office(tmp_path_factory.mktemp("x"), people=people) as at:
        at.pbx.lines = dict(busy)
        for name in off:
            await at.store.set_available(name, available=False)
        for name in sorted(resting):
            await at.store.rest(name, at.clock.now() + timedelta(hours=1), "lunch")
        said = await explain(at.store, at.pbx.line, BotId("sami"), LeadId("lea"), at.clock.now())
        _, transfer = await at.asks()
        await at.passes(120)
        done = [e.event for e in await at.store.journal(transfer) if isinstance(e.event, AttemptResolved)]
        first_said = {a.step: told(a) for a in reversed(said.attempts)}
        first_done = {a.step: told(a) for a in reversed(done)}
        step = done[0].step
        assert first_done[step] == first_said[step]
        rung_said = {leg.agent_id for a in said.attempts for leg in a.legs}
        rung_done = {leg.agent_id for a in done for leg in a.legs}
        assert rung_done == rung_said
        never = off | resting | {n for n, s in busy.items() if s in (LineState.IN_USE, LineState.RINGING)}
        never |= {n for n, s in busy.items() if s is LineState.UNREGISTERED}
        assert not rung_done & never


async def test_a_promise_reserves_the_agents_for_the_transfer_that_follows(tmp_path):
    async with office(tmp_path, people=solo()) as at:
        now = at.clock.now()
        promise = await reachable(at.store, at.pbx.line, BotId("sami"), LeadId("lea"), now, hold_s=20)
        assert promise.reachable
        assert promise.held == ("alice",)
        assert promise.likelihood is None
        again = await reachable(at.store, at.pbx.line, BotId("sami"), LeadId("lea"), now)
        assert not again.reachable
        await at.asks()
        await at.passes(0.1)
        assert at.verbs("ring") == []
        await at.asks(hold=promise.hold_id)
        await at.passes(0.1)
        assert at.verbs("ring") == ["ring alice"]


async def test_of_ten_promises_asked_for_at_once_one_agent_is_promised_once(tmp_path):
    async with office(tmp_path, people=solo()) as at:
        now = at.clock.now()
        asked = [
            reachable(at.store, at.pbx.line, BotId("sami"), LeadId("lea"), now, hold_s=20) for _ in range(10)
        ]
        promises = await asyncio.gather(*asked)
        assert [promise.held for promise in promises if promise.reachable] == [("alice",)]
        assert all(promise.hold_id is None for promise in promises if not promise.reachable)


async def test_a_promise_that_was_not_taken_up_ends(tmp_path):
    async with office(tmp_path, people=solo()) as at:
        await reachable(at.store, at.pbx.line, BotId("sami"), LeadId("lea"), at.clock.now(), hold_s=20)
        await at.passes(21)
        await at.asks()
        await at.passes(0.1)
        assert at.verbs("ring") == ["ring alice"]
