from dataclasses import replace

import pytest

from callcontrol.core.model import All, Directory, Step, StepKind
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
