"""The database's counts against a reckoning of the test's own; the same on both databases."""

from collections import Counter
from datetime import timedelta
from statistics import mean
from zoneinfo import ZoneInfo

import pytest

from callcontrol.core.analytics import FALLBACKS, NO_POOL, By
from callcontrol.core.counted import Span
from callcontrol.core.estimate import wilson
from callcontrol.core.events import AttemptResolved
from callcontrol.core.model import (
    AgentId,
    Connected,
    Considered,
    LegFate,
    Missed,
    MissedBecause,
    StepKind,
    Term,
    TermValue,
)
from callcontrol.core.tuning import End
from callcontrol.ports import Transition
from callcontrol.report import report
from tests.adapters.store import past
from tests.adapters.store import people as p

KATHMANDU = ZoneInfo("Asia/Kathmandu")  # its hours begin at a quarter past
NOT_THEIRS = (LegFate.LOST_RACE, LegFate.CANCELLED, LegFate.LOST)


@pytest.fixture
async def told(office):
    return await past.write(office)


async def asked(office, span=None, **more):
    return await report(office.statistics, span or Span(), KATHMANDU, **more)


def connected(told):
    return [one for one in told if isinstance(one.outcome, Connected)]


def winner(one):
    return next(leg for leg in one.legs if leg.fate is LegFate.ANSWERED)


def groups(found, by):
    return {group.key: (group.calls, group.connected) for group in found.groups[by]}


async def test_transfers_are_counted_by_how_they_ended(office, told):
    found = await asked(office)
    assert (found.transfers, found.connected) == (len(told), len(connected(told)))
    because = Counter(one.outcome.because for one in told if isinstance(one.outcome, Missed))
    assert found.missed == because
    assert set(because) == {MissedBecause.NO_ANSWER, MissedBecause.LEAD_HUNG_UP}
    rate = found.connect_rate
    assert (rate.low, rate.high) == wilson(len(connected(told)), len(told))
    assert found.legs == sum(len(one.legs) for one in told)
    assert found.timeouts_s == Counter(12.5 if one.bot_id == p.SAMI.id else 35.0 for one in told)


async def test_transfers_are_told_apart_by_bot_and_pattern(office, told):
    found = await asked(office)
    for_bots, for_patterns = Counter(), Counter()
    for one in told:
        for_bots[one.bot_id] += 1
        for_patterns["group" if one.bot_id == p.SAMI.id else "assigned_then_group"] += 1
    won = Counter(one.bot_id for one in connected(told))
    assert groups(found, By.BOT) == {bot: (n, won[bot]) for bot, n in for_bots.items()}
    assert {key: calls for key, (calls, _) in groups(found, By.PATTERN).items()} == for_patterns


async def test_hours_and_weekdays_are_those_of_the_zone(office, told):
    found = await asked(office)
    there = [one.requested_at.astimezone(KATHMANDU) for one in told]
    hours, days = Counter(f"{at:%H}:00" for at in there), Counter(f"{at:%A}" for at in there)
    assert {key: calls for key, (calls, _) in groups(found, By.HOUR).items()} == hours
    assert {key: calls for key, (calls, _) in groups(found, By.WEEKDAY).items()} == days
    assert [group.key for group in found.groups[By.HOUR]] == sorted(hours)
    assert found.zone == "Asia/Kathmandu"


async def test_attempts_and_pools_count_each_attempt_once(office, told):
    found = await asked(office)
    calls, won = Counter(), Counter()
    pools = Counter()
    for one in told:
        for number in {leg.attempt for leg in one.legs}:
            legs = [leg for leg in one.legs if leg.attempt == number]
            if any(leg.fate is LegFate.CANCELLED for leg in legs):
                continue
            calls[str(number)] += 1
            won[str(number)] += any(leg.fate is LegFate.ANSWERED for leg in legs)
            step = legs[0].step
            pools[{StepKind.ASSIGNED: NO_POOL, StepKind.GROUP: "sales"}.get(step, FALLBACKS)] += 1
    assert groups(found, By.ATTEMPT) == {number: (n, won[number]) for number, n in calls.items()}
    assert {key: n for key, (n, _) in groups(found, By.POOL).items()} == pools
    left_out = sum(group.left_out for group in found.groups[By.ATTEMPT])
    assert left_out == sum(one.outcome == Missed(because=MissedBecause.LEAD_HUNG_UP) for one in told)


async def test_an_agents_share_is_of_what_they_could_have_taken(office, told):
    found = await asked(office)
    legs = [leg for one in told for leg in one.legs]
    fair = Counter(leg.leg.agent_id or FALLBACKS for leg in legs if leg.fate not in NOT_THEIRS)
    took = Counter(leg.leg.agent_id or FALLBACKS for leg in legs if leg.fate is LegFate.ANSWERED)
    assert groups(found, By.AGENT) == {agent: (n, took[agent]) for agent, n in fair.items()}
    races = Counter(leg.leg.agent_id or FALLBACKS for leg in legs if leg.fate in NOT_THEIRS)
    assert {group.key: group.left_out for group in found.groups[By.AGENT]} == {
        agent: races[agent] for agent in fair
    }


async def test_times_are_means_of_those_answered_and_quantiles_of_all(office, told):
    found = await asked(office)
    talking = [(winner(one).joined_at - one.requested_at).total_seconds() for one in connected(told)]
    answers = [winner(one) for one in connected(told)]
    answer = [(leg.answered_at - leg.dialled_at).total_seconds() for leg in answers]
    (all_bots,) = (await asked(office, by=[By.BOT], span=Span(bot_id=p.SAMI.id))).groups[By.BOT]
    of_sami = [one for one in connected(told) if one.bot_id == p.SAMI.id]
    assert all_bots.talking_s == pytest.approx(
        mean((winner(one).joined_at - one.requested_at).total_seconds() for one in of_sami)
    )
    assert (found.talking.calls, found.answer.calls) == (len(talking), len(answer))
    assert found.talking.p50_s == pytest.approx(sorted(talking)[(len(talking) - 1) // 2], abs=0.11)
    for group in found.groups[By.AGENT]:
        mine = [leg for leg in answers if (leg.leg.agent_id or FALLBACKS) == group.key]
        assert group.answer_s == pytest.approx(
            mean((leg.answered_at - leg.dialled_at).total_seconds() for leg in mine)
        )


async def test_a_span_takes_the_transfers_requested_in_it(office, told):
    since, until = past.BEGAN + timedelta(hours=10), told[30].requested_at
    within = [one for one in told if since <= one.requested_at < until and one.bot_id == p.PLAIN.id]
    found = await asked(office, Span(since=since, until=until, bot_id=p.PLAIN.id))
    assert 0 < found.transfers == len(within) < len(told)
    assert found.legs == sum(len(one.legs) for one in within)
    assert sum(group.calls + group.left_out for group in found.groups[By.ATTEMPT]) == len(
        {(one.id, leg.attempt) for one in within for leg in one.legs}
    )


async def test_the_answer_curve_is_made_of_every_ring_and_how_it_ended(office, told):
    found = await asked(office)
    for attempt in found.attempts:
        legs = [leg for one in told for leg in one.legs if leg.attempt == attempt.attempt]
        assert attempt.phones.rings == len(legs)
        assert attempt.phones.answered == sum(leg.fate is LegFate.ANSWERED for leg in legs)
        cut = (LegFate.NO_ANSWER, *NOT_THEIRS)
        assert attempt.phones.cut == sum(leg.fate in cut for leg in legs)


async def test_what_the_fallback_numbers_did_is_told(office, told):
    found = await asked(office)
    rang = [one for one in told if any(leg.step is StepKind.FALLBACK for leg in one.legs)]
    assert found.fallbacks.rung.calls == len(told)
    assert found.fallbacks.rung.value == pytest.approx(len(rang) / len(told))
    assert found.fallbacks.connected.calls == len(rang)


def considered(name, *against):
    terms = tuple(TermValue(term=term, holds=term not in against, value="") for term in Term)
    return Considered(agent_id=AgentId(name), name=name, terms=terms)


async def test_a_miss_keeps_whom_only_their_hours_kept_from_ringing(office):
    for name in ("t1", "t2"):
        await p.opened(office, name)
        resolved = AttemptResolved(
            step=p.GROUP,
            ask=1,
            legs=(),
            considered=(considered("ann", Term.SCHEDULE), considered("bob", Term.LINE)),
        )
        missed = p.missed(name, seq=3)
        await office.record(
            Transition(transfer_id=missed.transfer_id, entries=(p.entry(2, resolved),), legs=())
        )
        await office.record(missed)
    found = await asked(office)
    assert found.advice.kept_out == {Term.SCHEDULE: 2, Term.LINE: 2}
    assert found.advice.wider_schedule.open_to_it == 2


async def test_a_leg_that_is_hung_up_after_the_outcome_is_counted_with_how_it_ended(office):
    await p.opened(office)
    winning = p.answered(p.rung())
    await office.record(
        Transition(
            transfer_id=p.TransferId("t1"),
            entries=(p.entry(2),),
            legs=(winning, p.rung("leg-2", p.BOB)),
            outcome=p.CONNECTED,
        )
    )
    assert [(leg.agent_id, leg.rings.end) for leg in await office.statistics.legs(Span())] == [
        ("ann", End.ANSWERED)
    ]
    lost = past.replace(p.rung("leg-2", p.BOB), ended_at=p.LATER, fate=LegFate.LOST_RACE)
    await office.record(
        Transition(transfer_id=p.TransferId("t1"), entries=(p.entry(3),), legs=(lost,), closed=True)
    )
    found = {leg.agent_id: leg.rings.end for leg in await office.statistics.legs(Span())}
    assert found == {"ann": End.ANSWERED, "bob": End.CUT}


async def test_no_history_makes_an_empty_report(office):
    found = await asked(office)
    assert (found.transfers, found.legs, found.attempts) == (0, 0, ())
    assert found.connect_rate.value is None
    assert found.talking.p50_s is None
