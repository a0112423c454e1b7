from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from callcontrol.core.followup import word_rest
from callcontrol.core.model import Directory, LeadId, PoolOrder, SoFar, Standing, StrikePolicy, TransferId
from callcontrol.core.standing import Became
from callcontrol.ports import Transition, UnknownError
from callcontrol.wording import Wording
from tests.adapters.store import people as p
from tests.adapters.store.crowd import A0, A1, A2, OPEN, SECOND, crowd, opened, rings, turn

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
