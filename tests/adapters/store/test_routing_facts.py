from dataclasses import replace
from datetime import UTC, datetime

import pytest

from callcontrol.core.model import (
    AgentId,
    All,
    DatedWindow,
    Directory,
    Pool,
    PoolId,
    Rule,
    Step,
    StepKind,
    Window,
)
from callcontrol.explain import explain
from callcontrol.ports import NewLead
from tests.adapters.store import people as p


async def test_the_assigned_agent_is_the_leads(office):
    facts = await p.facts(office, p.LEA.id, p.ASSIGNED)
    assert [candidate.agent for candidate in facts.candidates] == [p.ANN]
    assert facts.because == "Ann is the lead's assigned agent"


async def test_a_lead_may_have_no_assigned_agent(office):
    facts = await p.facts(office, p.LUC.id, p.ASSIGNED)
    assert facts.candidates == ()
    assert facts.because == "the lead has no assigned agent"


async def test_an_assigned_agent_who_left_is_named(office):
    await office.apply(Directory(bots=p.DIRECTORY.bots))
    facts = await p.facts(office, p.LEA.id, p.ASSIGNED)
    assert facts.candidates == ()
    assert facts.because == "the lead's assigned agent ann is not in the directory"


async def test_a_rule_that_fits_gives_its_pool_in_order_with_those_who_are_off(office):
    facts = await p.facts(office, p.LEA.id)
    assert [candidate.agent for candidate in facts.candidates] == [p.CYD, p.OFF, p.ANN]
    assert facts.because == "rule Colorado: pool Sales"
    assert facts.pool == p.SALES
    assert [(told.rule, told.fits) for told in facts.rules] == [("Colorado", True)]


async def test_a_rule_may_lead_to_nobody(office):
    facts = await p.facts(office, NewLead(phone="+15550180", source="void"))
    assert facts.candidates == ()
    assert facts.because == "rule void: pool Nobody, which is empty"
    assert [(told.rule, told.fits, told.why) for told in facts.rules] == [
        ("Colorado", False, "state is absent, not: is co, wy"),
        ("void", True, "fits"),
    ]


async def test_without_a_rule_every_active_agent_is_considered_in_order(office):
    facts = await p.facts(office, p.LUC.id)
    assert [candidate.agent for candidate in facts.candidates] == [p.EVE, p.ANN, p.BOB, p.CYD, p.DAN, p.OFF]
    assert facts.because == "no rule fits: every active agent"
    assert facts.pool is None
    assert [told.fits for told in facts.rules] == [False, False]


async def test_the_first_rule_that_fits_wins(office):
    both = replace(p.DIRECTORY, rules=(replace(p.DIRECTORY.rules[1], when=All()), p.DIRECTORY.rules[0]))
    await office.apply(both)
    assert (await p.facts(office)).because == "rule void: pool Nobody, which is empty"


@pytest.mark.parametrize("step", [p.ASSIGNED, p.GROUP])
async def test_a_toggle_counts_from_the_moment_it_is_set(office, other_store, step):
    assert p.ANN in await p.considered(office, step=step)
    await other_store.set_available(p.ANN.id, available=False)
    assert replace(p.ANN, available=False) in await p.considered(office, step=step)
    await other_store.set_available(p.ANN.id, available=True)
    assert p.ANN in await p.considered(office, step=step)


async def test_rules_and_pools_applied_by_another_daemon_count_at_once(office, other_store):
    assert await p.considered(other_store) == (p.CYD, p.OFF, p.ANN)
    await office.apply(replace(p.DIRECTORY, pools=(replace(p.SALES, agent_ids=(p.BOB.id,)), p.EMPTY)))
    assert await p.considered(other_store) == (p.BOB,)


async def test_fallback_numbers_are_about_no_agent(office):
    facts = await p.facts(office, step=Step(kind=StepKind.FALLBACK, fallbacks=(0,)))
    assert facts.candidates == ()
    assert facts.because == "the bot's fallback numbers"


def crowd(count):
    """Of whom every third is on duty; another third is switched off, and for the last it is not their time."""
    night = (Window(weekday=0, start_min=0, end_min=60),)
    return tuple(
        replace(
            p.ANN,
            id=AgentId(f"a{n:03}"),
            name=f"A{n}",
            available=n % 3 != 1,
            schedule=night if n % 3 == 2 else p.ANN.schedule,
            tags=frozenset({"sales", "lang:de"} if n % 2 else {"sales"}),
        )
        for n in range(count)
    )


OPEN = datetime(2026, 6, 1, 16, 0, tzinfo=UTC)  # ten in the morning in Denver, a Monday


async def test_of_a_crowd_only_those_on_duty_are_considered_and_the_others_counted(office):
    await office.apply(Directory(agents=crowd(90), bots=p.DIRECTORY.bots))
    facts = await p.facts(office, p.LUC.id, now=OPEN)
    assert [c.agent.id for c in facts.candidates] == [f"a{n:03}" for n in range(0, 90, 3)]
    assert facts.because == "no rule fits: every active agent (and 60 who are off)"
    await office.set_available(AgentId("a001"), available=True)
    await office.set_available(AgentId("a003"), available=False)
    facts = await p.facts(office, p.LUC.id, now=OPEN)
    assert [c.agent.id for c in facts.candidates][:3] == ["a000", "a001", "a006"]


async def test_whoever_is_off_in_a_crowd_is_told_of_where_someone_asks_about_them(office):
    await office.apply(Directory(agents=crowd(90), bots=p.DIRECTORY.bots, leads=p.DIRECTORY.leads[1:]))
    for name in ("a000", "a001"):
        told = await explain(office, p.free_lines, p.SAMI.id, p.LUC.id, OPEN, about=AgentId(name))
        [considered] = told.attempts[0].considered
        assert considered.agent_id == name
        assert considered.rings == (name == "a000")
        assert "who are off" not in told.attempts[0].because


async def test_a_dated_exception_counts_in_a_crowd(office):
    day_off = DatedWindow(on=OPEN.date(), start_min=0, end_min=1440, opens=False, why="holiday")
    extra = DatedWindow(on=OPEN.date(), start_min=540, end_min=720, opens=True)
    agents = crowd(90)
    agents = (
        replace(agents[0], exceptions=(day_off,)),
        agents[1],
        replace(agents[2], exceptions=(day_off, extra)),
        *(replace(agent, exceptions=(day_off,)) for agent in agents[3:]),
    )
    await office.apply(Directory(agents=agents, bots=p.DIRECTORY.bots))
    assert await p.considered(office, p.LUC.id, now=OPEN) == (agents[2],)


async def test_a_pool_by_tags_has_whoever_has_them_all(office):
    german = Pool(
        id=PoolId("german"), name="German", tags=frozenset({"sales", "lang:de"}), at_once=2, step_s=4
    )
    rule = Rule(name="any", when=All(), pool_id=german.id)
    directory = Directory(agents=crowd(10), pools=(german,), rules=(rule,), bots=p.DIRECTORY.bots)
    await office.apply(directory)
    facts = await p.facts(office, p.LUC.id, now=OPEN)
    assert [c.agent.id for c in facts.candidates] == ["a001", "a003", "a005", "a007", "a009"]
    assert facts.pool == german
    new = replace(crowd(11)[10], tags=frozenset({"lang:de", "sales", "more"}))
    await office.apply(replace(directory, agents=(*directory.agents, new)))
    assert (await p.considered(office, p.LUC.id, now=OPEN))[-1] == new


async def test_a_large_pool_by_tags_considers_those_on_duty(office):
    everyone = Pool(id=PoolId("sales"), name="Sales", tags=frozenset({"sales"}), agent_ids=(AgentId("a001"),))
    rule = Rule(name="any", when=All(), pool_id=everyone.id)
    await office.apply(Directory(agents=crowd(90), pools=(everyone,), rules=(rule,), bots=p.DIRECTORY.bots))
    facts = await p.facts(office, p.LUC.id, now=OPEN)
    ids = [c.agent.id for c in facts.candidates]
    assert ids == ["a001", *(f"a{n:03}" for n in range(0, 90, 3))]  # by name first, though off
    assert facts.because == "rule any: pool Sales (and 59 who are off)"


async def test_tags_that_nobody_has_are_an_empty_pool(office):
    nobody = Pool(id=PoolId("none"), name="None", tags=frozenset({"lang:fr", "sales"}))
    rule = Rule(name="any", when=All(), pool_id=nobody.id)
    await office.apply(Directory(agents=crowd(3), pools=(nobody,), rules=(rule,), bots=p.DIRECTORY.bots))
    facts = await p.facts(office, p.LUC.id)
    assert facts.because == "rule any: pool None, which is empty: nobody has lang:fr and sales"
