import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from callcontrol.adapters.sql import SqlStore, claims
from callcontrol.core.followup import word_rest
from callcontrol.core.model import (
    All,
    Directory,
    LeadId,
    Pool,
    PoolId,
    PoolOrder,
    Rule,
    SoFar,
    Standing,
    StrikePolicy,
    TransferId,
)
from callcontrol.core.standing import Became
from callcontrol.ports import Transition, UnknownError
from callcontrol.turn import FirstTurn
from callcontrol.wording import Wording
from tests.adapters.store import people as p

OPEN = datetime(2026, 6, 1, 16, 0, tzinfo=UTC)  # ten in the morning in Denver, a Monday
CLAIM = claims.claims_of(TransferId("t"), p.SAMI, [p.leg()], None, p.NOW)[0].until - p.NOW
SECOND = timedelta(seconds=1)


def crowd(count, *, at_once=1, order=PoolOrder.LISTED, **pool):
    agents = tuple(
        replace(p.ANN, id=f"a{n:02}", name=f"A{n}", endpoints=(p.desk(str(2000 + n)),)) for n in range(count)
    )
    everyone = Pool(
        id=PoolId("all"),
        name="All",
        agent_ids=tuple(agent.id for agent in agents),
        at_once=at_once,
        order=order,
        **pool,
    )
    return Directory(
        agents=agents,
        pools=(everyone,),
        rules=(Rule(name="any", when=All(), pool_id=everyone.id),),
        bots=(p.SAMI,),
        leads=(p.LUC,),
    )


async def opened(store, name):
    return await p.opened(store, name, lead=p.LUC.id, now=OPEN)


async def rings(store, row, **more):
    return await p.rings(store, row, now=more.pop("now", OPEN), **more)


@pytest.fixture
async def house(store):
    """Three agents, rung one at a time as they are listed."""
    await store.apply(crowd(3))
    return store


def turn(name="t1", *changes, seq=2, **more):
    return Transition(
        transfer_id=TransferId(name), entries=(p.entry(seq),), legs=(), standings=changes, **more
    )


A0, A1, A2 = crowd(3).agents


# --- claims


async def test_whoever_is_rung_is_reserved_for_the_transfer(house, other_store):
    first, second, third, fourth = [await opened(house, f"t{n}") for n in range(4)]
    assert await rings(house, first) == ["a00"]
    assert await rings(other_store, second) == ["a01"]
    assert await rings(house, third) == ["a02"]
    nobody = await p.resolved(other_store, fourth, now=OPEN)
    assert nobody.legs == ()
    told = {c.agent_id: [t.value for t in c.terms if not t.holds] for c in nobody.considered}
    assert told["a00"] == ["reserved for transfer t0"]


async def test_a_transfer_may_ring_its_own_agent_again(house):
    row = await opened(house, "t1")
    assert await rings(house, row) == ["a00"]
    assert await rings(house, row, now=OPEN + SECOND) == ["a00"]
    assert (await p.standing(house, A0, OPEN)).last_rung_at == OPEN + SECOND


async def test_a_claim_ends_with_its_time(house):
    await rings(house, await opened(house, "t1"))
    late = await opened(house, "t2")
    assert (await p.standing(house, A0, OPEN + CLAIM - SECOND)).claimed_by == "t1"
    assert (await p.standing(house, A0, OPEN + CLAIM)).claimed_by is None
    assert await rings(house, late, now=OPEN + CLAIM) == ["a00"]


async def test_a_first_turn_claims_in_the_transaction_that_opens(house, other_store):
    async def ask(name, store):
        call = p.call_of(f"lead-of-{name}")
        turn = FirstTurn(call, OPEN, p.free_lines, Wording())
        await store.open(TransferId(name), p.request(lead=p.LUC.id, channel=name), call, OPEN, turn)
        return [leg.agent_id for leg in (record.leg for record in await store.legs(TransferId(name)))]

    assert await ask("t1", house) == ["a00"]
    assert await ask("t2", other_store) == ["a01"]
    assert (await p.standing(house, A1, OPEN)).claimed_by == "t2"


@pytest.mark.parametrize("at_once", [1, 3])
async def test_of_fifty_transfers_at_once_no_two_ring_the_same_agent(store, other_store, at_once):
    await store.apply(crowd(40, at_once=at_once, order=PoolOrder.ROUND_ROBIN))
    rows = await asyncio.gather(*(opened((store, other_store)[n % 2], f"t{n}") for n in range(50)))
    rung = await asyncio.gather(*(rings((store, other_store)[n % 2], row) for n, row in enumerate(rows)))
    everyone = [agent for agents in rung for agent in agents]
    assert len(everyone) == len(set(everyone)) == 40  # and nobody is left out
    claims = {c.agent.id: c.standing.claimed_by for c in await store.candidates(OPEN)}
    for row, agents in zip(rows, rung, strict=True):
        assert {claims[agent] for agent in agents} <= {row.id}


async def test_a_transfer_that_is_over_rings_nobody(house):
    row = await opened(house, "t1")
    await house.record(p.missed("t1"))
    resolved = await p.resolved(house, row, now=OPEN)
    assert (resolved.legs, resolved.because) == ((), "the transfer is over")
    assert (await p.standing(house, A0, OPEN)).claimed_by is None


async def test_a_miss_gives_everyone_back(house):
    row = await opened(house, "t1")
    await rings(house, row)
    await house.record(turn("t1", outcome=p.MISSED))
    assert (await p.standing(house, A0, OPEN)).claimed_by is None


async def test_while_they_talk_only_the_winner_stays_reserved(store):
    await store.apply(crowd(3, at_once=2))
    assert await rings(store, await opened(store, "t1")) == ["a00", "a01"]
    winner = p.rung("leg-1", of=A0)
    connected = replace(p.CONNECTED, leg=winner.leg)
    await store.record(
        Transition(transfer_id=TransferId("t1"), entries=(p.entry(2),), legs=(winner,), outcome=connected)
    )
    long_after = OPEN + timedelta(hours=3)
    assert (await p.standing(store, A0, long_after)).claimed_by == "t1"
    assert (await p.standing(store, A1, OPEN)).claimed_by is None
    await store.record(turn("t1", p.became(A0, Became.TALKED, long_after), seq=3))
    assert (await p.standing(store, A0, long_after)).claimed_by is None


async def test_a_closed_transfer_has_nobody(house):
    await rings(house, await opened(house, "t1"))
    await house.record(turn("t1", closed=True))
    assert (await p.standing(house, A0, OPEN)).claimed_by is None


# --- holds


@pytest.fixture
async def hotel(url):
    store = SqlStore(url, now=lambda: OPEN)
    await store.apply(crowd(3))
    yield store
    await store.close()


async def test_a_hold_passes_to_the_transfer_that_names_it(hotel):
    until = OPEN + timedelta(seconds=30)
    assert tuple(await hotel.hold("h", [A0.id, A1.id], until)) == (A0.id, A1.id)
    other = await opened(hotel, "other")
    assert await rings(hotel, other) == ["a02"]
    request = replace(p.request(lead=p.LUC.id, channel="x"), hold_id="h")
    row = await hotel.open(TransferId("t1"), request, p.call_of("x"), OPEN, p.only_asked)
    assert (await p.standing(hotel, A0, OPEN)).claimed_by == "t1"
    assert await rings(hotel, row) == ["a00"]
    assert (await p.standing(hotel, A1, until)).claimed_by is None


async def test_a_hold_gets_only_who_is_free(hotel):
    until = OPEN + timedelta(seconds=30)
    await rings(hotel, await opened(hotel, "t1"))
    assert tuple(await hotel.hold("h", [A0.id, A2.id], until)) == (A2.id,)
    assert tuple(await hotel.hold("h", [A2.id], until)) == (A2.id,)  # repeated
    assert tuple(await hotel.hold("other", [A2.id], until)) == ()


async def test_a_hold_that_has_run_out_holds_nobody(hotel):
    await hotel.hold("h", [A0.id], OPEN)
    assert await rings(hotel, await opened(hotel, "t1")) == ["a00"]


async def test_nobody_takes_a_transfers_agents_by_naming_it_as_a_hold(hotel):
    await rings(hotel, await opened(hotel, "t1"))
    request = replace(p.request(lead=p.LUC.id, channel="x"), hold_id="t1")
    await hotel.open(TransferId("t2"), request, p.call_of("x"), OPEN, p.only_asked)
    assert (await p.standing(hotel, A0, OPEN)).claimed_by == "t1"


# --- strikes and rest


async def strike(store, count, agent=A0, *, what=Became.MISSED, first=0):
    for n in range(first, first + count):
        await opened(store, f"s{n}")
        word = word_rest(TransferId(f"s{n}"), p.LEA, p.SAMI, agent, Wording())
        await store.record(
            turn(f"s{n}", p.became(agent, what, OPEN + n * SECOND), word_rest=word, closed=True)
        )


async def test_missed_rings_in_a_row_let_an_agent_rest_with_a_text(house):
    await strike(house, 2)
    assert (await p.standing(house, A0, OPEN)).strikes == 2
    await strike(house, 1, first=2)
    at = OPEN + 2 * SECOND
    found = await p.standing(house, A0, at)
    assert found.resting_until == at + timedelta(minutes=30)
    assert found.resting_why == "missed 3 transfers in a row"
    assert found.strikes == 0
    (text,) = await p.texts(house, "s2")
    assert text.to == A0.phone
    assert text.body == (
        "You missed 3 transfers in a row, so no more will ring you until 10:31 (America/Denver)."
        " To come back sooner, dial *50."
    )
    assert (await p.standing(house, A0, at + timedelta(minutes=30))).resting_until is None
    assert await rings(house, await opened(house, "t1")) == ["a01"]


async def test_only_the_rings_that_were_missed_in_a_row_count(house):
    await strike(house, 2)
    await strike(house, 1, what=Became.FREE, first=2)
    assert (await p.standing(house, A0, OPEN)).strikes == 2
    await strike(house, 1, what=Became.TALKED, first=3)
    assert (await p.standing(house, A0, OPEN)).strikes == 0
    await strike(house, 2, first=4)
    found = await p.standing(house, A0, OPEN)
    assert (found.strikes, found.resting_until) == (2, None)


async def test_the_directory_says_how_many_and_how_long(house):
    await house.apply(replace(crowd(3), strikes=StrikePolicy(limit=1, rest_s=60)))
    await strike(house, 1)
    assert (await p.standing(house, A0, OPEN)).resting_until == OPEN + timedelta(minutes=1)
    await house.apply(replace(crowd(3), strikes=StrikePolicy(limit=0)))
    await strike(house, 5, A1, first=1)
    found = await p.standing(house, A1, OPEN)
    assert (found.strikes, found.resting_until) == (5, None)


async def test_who_has_no_number_rests_without_a_text(store):
    silent = crowd(1)
    await store.apply(
        replace(silent, agents=(replace(silent.agents[0], phone=None),), strikes=StrikePolicy(limit=1))
    )
    await strike(store, 1)
    assert (await p.standing(store, A0, OPEN)).resting_until is not None
    assert tuple(await p.texts(store, "s0")) == ()


async def test_a_repeated_turn_counts_once(house):
    await opened(house, "t1")
    once = turn("t1", p.became(A0, Became.MISSED, OPEN), p.became(A1, Became.TALKED, OPEN))
    for _ in range(3):
        await house.record(once)
    assert (await p.standing(house, A0, OPEN)).strikes == 1
    assert (await p.standing(house, A1, OPEN)).transfers_today == 1


async def test_an_agent_rests_and_returns_by_hand(house):
    await strike(house, 1)
    await house.rest(A0.id, OPEN + timedelta(minutes=10), "lunch")
    found = await p.standing(house, A0, OPEN)
    assert (found.resting_why, found.strikes) == ("lunch", 0)
    assert await rings(house, await opened(house, "t1")) == ["a01"]
    await house.rest(A0.id, None, "")
    assert (await p.standing(house, A0, OPEN)) == Standing()
    assert await rings(house, await opened(house, "t2")) == ["a00"]
    with pytest.raises(UnknownError, match="no agent 'zoe'"):
        await house.rest("zoe", None, "")


async def test_a_rest_by_hand_leaves_the_claim_alone(house):
    await rings(house, await opened(house, "t1"))
    await house.rest(A0.id, OPEN + timedelta(minutes=10), "lunch")
    assert (await p.standing(house, A0, OPEN)).claimed_by == "t1"


async def test_who_was_removed_comes_back_without_a_past(house):
    await strike(house, 2)
    await house.apply(Directory())
    await house.apply(crowd(3))
    assert (await p.standing(house, A0, OPEN)) == Standing()


# --- calls


async def talk(store, name, agent=A0, at=OPEN):
    row = await opened(store, name)
    await rings(store, row, now=at)
    await store.record(turn(name, p.became(agent, Became.TALKED, at), closed=True))


async def test_after_a_call_the_agent_wraps_up(store):
    directory = crowd(3)
    await store.apply(replace(directory, agents=tuple(replace(a, wrap_up_s=40.0) for a in directory.agents)))
    await talk(store, "t1")
    found = await p.standing(store, A0, OPEN)
    assert (found.idle_since, found.wrapping_until) == (OPEN, OPEN + timedelta(seconds=40))
    assert await rings(store, await opened(store, "t2")) == ["a01"]
    assert await rings(store, await opened(store, "t3"), now=OPEN + timedelta(seconds=40)) == ["a00"]


@pytest.mark.parametrize(("of_pool", "expected_s"), [(5.0, 5), (0.0, None), (None, 40)])
async def test_a_pools_wrap_up_counts_for_its_calls(store, of_pool, expected_s):
    directory = crowd(3, wrap_up_s=of_pool)
    await store.apply(replace(directory, agents=tuple(replace(a, wrap_up_s=40.0) for a in directory.agents)))
    await talk(store, "t1")
    expected = None if expected_s is None else OPEN + timedelta(seconds=expected_s)
    assert (await p.standing(store, A0, OPEN)).wrapping_until == expected


async def test_a_call_to_the_assigned_agent_has_the_agents_own_wrap_up(store):
    directory = crowd(3, wrap_up_s=5.0)
    mine = replace(p.LUC, assigned_agent_id=A0.id)
    agents = tuple(replace(a, wrap_up_s=40.0) for a in directory.agents)
    await store.apply(replace(directory, agents=agents, leads=(mine,)))
    row = await opened(store, "t1")
    assert await rings(store, row, step=p.ASSIGNED) == ["a00"]
    await store.record(turn("t1", p.became(A0, Became.TALKED, OPEN)))
    assert (await p.standing(store, A0, OPEN)).wrapping_until == OPEN + timedelta(seconds=40)


async def test_a_day_of_calls_ends_at_midnight_where_the_agent_is(house):
    before = datetime(2026, 6, 2, 5, 30, tzinfo=UTC)  # 23:30 in Denver
    for n in range(2):
        await talk(house, f"t{n}", at=before)
    assert (await p.standing(house, A0, before)).transfers_today == 2
    assert (await p.standing(house, A0, before + timedelta(minutes=29))).transfers_today == 2
    after = before + timedelta(minutes=31)
    assert (await p.standing(house, A0, after)).transfers_today == 0
    await talk(house, "t2", at=after)
    assert (await p.standing(house, A0, after)).transfers_today == 1


async def test_the_longest_idle_is_rung_first(store):
    await store.apply(crowd(3, order=PoolOrder.LONGEST_IDLE))
    await talk(store, "t0", A0, OPEN)
    await talk(store, "t1", A1, OPEN - SECOND)
    await talk(store, "t2", A2, OPEN - 2 * SECOND)
    rows = [await opened(store, f"r{n}") for n in range(3)]
    assert [(await rings(store, row))[0] for row in rows] == ["a02", "a01", "a00"]


async def test_round_robin_goes_on_where_it_was(store, other_store):
    await store.apply(crowd(3, order=PoolOrder.ROUND_ROBIN))
    rung = []
    for n in range(6):
        at = OPEN + n * SECOND
        row = await opened(store, f"r{n}")
        rung += await rings((store, other_store)[n % 2], row, now=at)
        await store.record(turn(f"r{n}", p.became(crowd(3).agents[n % 3], Became.FREE, at), closed=True))
    assert rung == ["a00", "a01", "a02"] * 2


async def test_the_agent_who_last_spoke_with_the_lead_goes_first(store):
    await store.apply(crowd(3, last_agent_first=True))
    for n, agent in enumerate((A2, A1)):
        name = f"t{n}"
        await opened(store, name)
        taker = p.answered(p.rung(f"leg-{n}", of=agent))
        outcome = replace(p.CONNECTED, leg=taker.leg)
        at = p.LATER + n * SECOND
        await store.record(
            Transition(
                transfer_id=TransferId(name),
                entries=(p.entry(2, at=at),),
                legs=(taker,),
                outcome=outcome,
                closed=True,
            )
        )
    assert (await p.facts(store, p.LUC.id, now=OPEN)).last_agent_id == A1.id
    assert await rings(store, await opened(store, "t9")) == ["a01"]


# --- who is where


async def test_an_agent_is_known_by_the_extension(house):
    assert (await house.agent_at("2001", OPEN)).agent == A1
    with pytest.raises(UnknownError, match="no agent at extension '9999'"):
        await house.agent_at("9999", OPEN)


async def test_looking_changes_nothing(house):
    def look(bot, lead, facts_of):
        return bot.id, lead, facts_of(p.GROUP).candidates

    found = await house.consult(p.SAMI.id, p.NewLead(name="New", phone="+15550999"), look, OPEN)
    assert found[1].name == "New"
    assert len(found[2]) == 3
    with pytest.raises(UnknownError):
        await house.consult(p.SAMI.id, LeadId(found[1].id or "none"), look, OPEN)
    with pytest.raises(UnknownError, match="no bot 'who'"):
        await house.consult("who", p.LUC.id, look, OPEN)
    assert all(c.standing == Standing() for c in await house.candidates(OPEN))


async def test_a_lead_looked_at_by_phone_is_the_known_one(house):
    def look(_bot, lead, _facts):
        return lead

    given = p.NewLead(phone=p.LUC.phone, email="luc@example.com")
    found = await house.consult(p.SAMI.id, given, look, OPEN)
    assert found == replace(p.LUC, email="luc@example.com")
    assert (await opened(house, "t1")).lead == p.LUC  # not stored


async def test_what_was_rung_before_is_not_rung_again(house):
    row = await opened(house, "t1")
    first = await p.resolved(house, row, now=OPEN)
    so_far = SoFar(transfer=row.id, rung=frozenset(leg.endpoint for leg in first.legs))
    assert await rings(house, row, so_far=so_far) == ["a01"]
