from dataclasses import replace

import pytest

from callcontrol.core.model import AgentId, Step, StepKind
from tests.adapters.store import people as p


async def group(store, lead):
    return await store.routing_facts(p.SAMI, lead, p.GROUP, p.NOW)


async def test_the_assigned_agent_is_the_leads(office):
    facts = await office.routing_facts(p.SAMI, p.LEA, p.ASSIGNED, p.NOW)
    assert facts.agents == (p.ANN,)
    assert facts.because == "Ann is the lead's assigned agent"


async def test_a_lead_may_have_no_assigned_agent(office):
    facts = await office.routing_facts(p.SAMI, p.LUC, p.ASSIGNED, p.NOW)
    assert facts.agents == ()
    assert facts.because == "the lead has no assigned agent"


async def test_an_assigned_agent_who_left_is_named(office):
    facts = await office.routing_facts(
        p.SAMI, replace(p.LEA, assigned_agent_id=AgentId("zoe")), p.ASSIGNED, p.NOW
    )
    assert facts.agents == ()
    assert facts.because == "the lead's assigned agent zoe is not in the directory"


async def test_a_matching_rule_gives_its_pool_in_order_with_those_who_are_off(office):
    facts = await group(office, p.LEA)
    assert facts.agents == (p.CYD, p.OFF, p.ANN)
    assert facts.because == "rule Colorado: pool Sales"


async def test_a_rule_may_lead_to_nobody(office):
    facts = await group(office, replace(p.LUC, source="void"))
    assert facts.agents == ()
    assert facts.because == "rule void: pool Nobody, which is empty"


async def test_without_a_rule_every_active_available_agent_is_asked_in_order(office):
    facts = await group(office, p.LUC)
    assert facts.agents == (p.EVE, p.ANN, p.BOB, p.CYD, p.DAN)
    assert facts.because == "no rule matches: every active agent who is available"


async def test_the_rules_first_match_wins(office):
    both = replace(p.DIRECTORY, rules=(replace(p.DIRECTORY.rules[1], when={}), p.DIRECTORY.rules[0]))
    await office.apply(both)
    assert (await group(office, p.LEA)).because == "rule void: pool Nobody, which is empty"


@pytest.mark.parametrize("step", [p.ASSIGNED, p.GROUP])
async def test_a_toggle_counts_from_the_moment_it_is_set(office, other_store, step):
    await office.routing_facts(p.SAMI, p.LEA, step, p.NOW)
    await other_store.set_available(p.ANN.id, available=False)
    facts = await office.routing_facts(p.SAMI, p.LEA, step, p.NOW)
    assert replace(p.ANN, available=False) in facts.agents
    await other_store.set_available(p.ANN.id, available=True)
    assert p.ANN in (await office.routing_facts(p.SAMI, p.LEA, step, p.NOW)).agents


async def test_a_toggle_moves_an_agent_in_and_out_of_everyone(office):
    await office.set_available(p.EVE.id, available=False)
    await office.set_available(p.OFF.id, available=True)
    facts = await group(office, p.LUC)
    assert facts.agents == (p.ANN, p.BOB, p.CYD, p.DAN, replace(p.OFF, available=True))


async def test_rules_and_pools_applied_by_another_daemon_count_at_once(office, other_store):
    assert (await group(other_store, p.LEA)).agents == (p.CYD, p.OFF, p.ANN)
    await office.apply(replace(p.DIRECTORY, pools=(replace(p.SALES, agent_ids=(p.BOB.id,)), p.EMPTY)))
    assert (await group(other_store, p.LEA)).agents == (p.BOB,)


async def test_fallback_numbers_are_about_no_agent(office):
    step = Step(kind=StepKind.FALLBACK, fallbacks=(0,))
    facts = await office.routing_facts(p.SAMI, p.LEA, step, p.NOW)
    assert facts.agents == ()
    assert facts.because == "the bot's fallback numbers"
