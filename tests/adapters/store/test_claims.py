import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from callcontrol.adapters.sql import SqlStore, claims
from callcontrol.core.model import PoolOrder, TransferId
from callcontrol.core.standing import Became
from callcontrol.ports import Transition
from callcontrol.turn import FirstTurn
from callcontrol.wording import Wording
from tests.adapters.store import people as p
from tests.adapters.store.crowd import A0, A1, A2, OPEN, SECOND, crowd, opened, rings, turn

CLAIM = claims.claims_of(TransferId("t"), p.SAMI, [p.leg()], None, p.NOW)[0].until - p.NOW


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
        return [record.leg.agent_id for record in turn.written.legs]

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
    assert tuple(await hotel.hold("h", [A0.id, A1.id], now=OPEN, until=until)) == (A0.id, A1.id)
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
    assert tuple(await hotel.hold("h", [A0.id, A2.id], now=OPEN, until=until)) == (A2.id,)
    assert tuple(await hotel.hold("h", [A2.id], now=OPEN, until=until)) == (A2.id,)  # repeated
    assert tuple(await hotel.hold("other", [A2.id], now=OPEN, until=until)) == ()


async def test_a_hold_that_has_run_out_holds_nobody(hotel):
    await hotel.hold("h", [A0.id], now=OPEN, until=OPEN)
    assert await rings(hotel, await opened(hotel, "t1")) == ["a00"]


async def test_nobody_takes_a_transfers_agents_by_naming_it_as_a_hold(hotel):
    await rings(hotel, await opened(hotel, "t1"))
    request = replace(p.request(lead=p.LUC.id, channel="x"), hold_id="t1")
    await hotel.open(TransferId("t2"), request, p.call_of("x"), OPEN, p.only_asked)
    assert (await p.standing(hotel, A0, OPEN)).claimed_by == "t1"
