from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from callcontrol.adapters.sql import ChangeKind, SqlStore
from callcontrol.core.model import (
    AgentId,
    All,
    AnyOf,
    Compare,
    Contact,
    ContactList,
    DatedWindow,
    Directory,
    During,
    EndpointOrder,
    LeadId,
    Operator,
    OutcomeActions,
    Pool,
    PoolId,
    PoolOrder,
    Rule,
    StrikePolicy,
    TransferId,
    Window,
)
from callcontrol.ports import UnknownError
from tests.adapters.store import people as p


async def test_a_directory_is_read_back_as_it_was_applied(office):
    assert tuple(await office.agents()) == p.DIRECTORY.agents
    assert tuple(await office.bots()) == p.DIRECTORY.bots


async def test_applying_to_an_empty_database_says_what_was_added(store):
    lines = await store.apply(p.DIRECTORY)
    assert "agent eve: added" in lines
    assert "pool sales: added" in lines
    assert "rule Colorado: added" in lines
    assert "bot sami: added" in lines
    assert "lead lea: added" in lines
    assert len(lines) == 7 + 2 + 2 + 2 + 2


async def test_applying_the_same_again_changes_nothing(office):
    assert tuple(await office.apply(p.DIRECTORY)) == ()
    assert tuple(await office.agents()) == p.DIRECTORY.agents


async def test_each_change_is_a_line_for_people(office):
    bob = replace(p.BOB, name="Robert", schedule=(Window(weekday=6, start_min=0, end_min=1440),), phone=None)
    changed = replace(
        p.DIRECTORY,
        agents=tuple(bob if a.id == "bob" else a for a in p.DIRECTORY.agents),
        pools=(replace(p.SALES, agent_ids=(p.BOB.id,)), p.EMPTY),
        rules=(replace(p.DIRECTORY.rules[1], when=All()), p.DIRECTORY.rules[0]),
        bots=(replace(p.SAMI, ring_timeout_s=35.0, owner=None), p.PLAIN),
        leads=(replace(p.LEA, phone="+15550000"),),
    )
    assert tuple(await office.apply(changed)) == (
        (
            "agent bob: name Bob -> Robert; schedule Mon 09:00-12:00, Mon 13:00-17:00, Fri 20:00-02:00"
            " -> Sun 00:00-24:00; phone +15550199 -> none"
        ),
        "pool sales: members cyd, off, ann -> bob",
        "rule void: when source in (void) -> any",
        "rules: order Colorado, void -> void, Colorado",
        "bot sami: ring_timeout_s 12.5 -> 35.0; owner Olga +15550177 -> none",
        "lead lea: changed phone",
    )
    assert bob in await office.agents()
    assert replace(p.SAMI, ring_timeout_s=35.0, owner=None) in await office.bots()


async def test_every_kind_of_setting_reads_well(office):
    sami = replace(
        p.SAMI,
        fallbacks=p.SAMI.fallbacks[:1],
        fallback_all_at_once=False,
        owner=None,
        on_connected=replace(p.SAMI.on_connected, cancel_cadence=False, notify_agent=False),
    )
    ann = replace(p.ANN, zone=ZoneInfo("Europe/Berlin"), endpoints=p.ANN.endpoints[1:], active=False)
    changed = replace(
        p.DIRECTORY,
        agents=tuple(ann if a.id == "ann" else a for a in p.DIRECTORY.agents),
        bots=(sami, p.PLAIN),
    )
    assert tuple(await office.apply(changed)) == (
        (
            "agent ann: active yes -> no; zone America/Denver -> Europe/Berlin; endpoints extension 103"
            " accepted by answer, number +15550111 accepted by key -> number +15550111 accepted by key"
        ),
        (
            "bot sami: fallbacks Front desk: extension 1000 accepted by answer,"
            " Mobile: number +15550100 accepted by key -> Front desk: extension 1000 accepted by answer;"
            " fallback_all_at_once yes -> no; owner Olga +15550177 -> none;"
            " on_connected cancel_cadence, notify_agent, webhook -> webhook"
        ),
    )
    assert ann in await office.agents()
    assert sami in await office.bots()


async def test_whom_an_outcome_notifies_is_kept_and_shown(office):
    both = (Contact(name="Mia", phone="+15550171"), Contact(name="Moe", phone="+15550172"))
    lists = (
        ContactList(name="managers", contacts=both),
        ContactList(name="desk", contacts=(Contact(name="Desk", phone="+15550173"),)),
    )
    told = replace(p.SAMI.on_missed, notify_pool=True, notify_lists=lists, create_task=False, webhook=False)
    sami = replace(p.SAMI, on_missed=told, on_connected=OutcomeActions(notify_lists=lists[1:]))
    changed = replace(p.DIRECTORY, bots=(sami, p.PLAIN))
    assert tuple(await office.apply(changed)) == (
        (
            "bot sami: on_connected cancel_cadence, notify_agent, webhook -> cancel_cadence, notify_agent,"
            " notify_owner, notify_lists desk (Desk +15550173), webhook; on_missed cancel_cadence, notify_agent,"
            " notify_owner, create_task, webhook -> cancel_cadence, notify_agent, notify_owner, notify_pool,"
            " notify_lists managers (Mia +15550171, Moe +15550172), desk (Desk +15550173)"
        ),
    )
    assert (await office.bots())[0] == sami
    assert (await office.export()).bots == changed.bots
    assert tuple(await office.apply(changed)) == ()
    await office.apply(p.DIRECTORY)
    assert (await office.bots())[0] == p.SAMI


async def test_a_change_of_order_alone_is_kept(office):
    turned = replace(p.DIRECTORY, agents=p.DIRECTORY.agents[::-1], bots=p.DIRECTORY.bots[::-1])
    await office.apply(turned)
    assert tuple(await office.agents()) == turned.agents
    assert tuple(await office.bots()) == turned.bots


async def test_an_agents_own_toggle_survives_the_file(office):
    await office.set_available(p.BOB.id, available=False)
    await office.set_available(p.OFF.id, available=True)
    renamed = replace(p.BOB, name="Robert", available=True)
    await office.apply(
        replace(p.DIRECTORY, agents=tuple(renamed if a.id == "bob" else a for a in p.DIRECTORY.agents))
    )
    toggles = {agent.id: agent.available for agent in await office.agents()}
    assert toggles["bob"] is False
    assert toggles["off"] is True


async def test_toggling_an_agent_who_is_not_there_says_so(office):
    with pytest.raises(UnknownError, match="no agent 'zoe'"):
        await office.set_available(AgentId("zoe"), available=True)


async def test_who_is_gone_from_the_file_is_gone_from_the_office(office):
    lines = await office.apply(
        Directory(agents=(p.ANN,), bots=(p.PLAIN,), leads=()),
    )
    assert set(lines) >= {
        "agent bob: removed",
        "pool sales: removed",
        "rule void: removed",
        "bot sami: removed",
    }
    assert tuple(await office.agents()) == (p.ANN,)
    assert tuple(await office.bots()) == (p.PLAIN,)
    with pytest.raises(UnknownError):
        await office.set_available(p.BOB.id, available=True)
    with pytest.raises(UnknownError, match="no bot 'sami'"):
        await office.prepare(p.request(bot=p.SAMI.id))


async def test_who_comes_back_is_new_again(office):
    await office.set_available(p.BOB.id, available=False)
    await office.apply(Directory())
    assert "agent bob: added" in await office.apply(p.DIRECTORY)
    assert tuple(await office.agents()) == p.DIRECTORY.agents


async def test_a_bot_may_go_while_its_transfers_are_open(office):
    await p.opened(office)
    await office.apply(Directory(agents=(p.BOB,)))
    row = await office.transfer(TransferId("t1"))
    assert row.bot == p.SAMI
    assert row.lead == p.LEA
    assert row.assigned is None  # who has gone gets no texts
    assert [found.bot for found, _ in await office.unclosed()] == [p.SAMI]
    await office.record(p.missed())
    assert (await office.transfer(TransferId("t1"))).closed


async def test_leads_are_never_removed(office):
    await office.apply(replace(p.DIRECTORY, leads=()))
    assert (await p.opened(office)).lead == p.LEA


@pytest.mark.parametrize(
    ("directory", "missing"),
    [
        (replace(p.DIRECTORY, pools=(replace(p.SALES, agent_ids=(AgentId("zoe"),)),)), "no agent 'zoe'"),
        (replace(p.DIRECTORY, pools=(p.EMPTY,)), "no pool 'sales'"),
        (replace(p.DIRECTORY, leads=(replace(p.LEA, assigned_agent_id=AgentId("zoe")),)), "no agent 'zoe'"),
    ],
    ids=["a pool's member", "a rule's pool", "a lead's agent"],
)
async def test_a_name_that_means_nothing_is_refused_and_nothing_is_written(office, directory, missing):
    with pytest.raises(UnknownError, match=missing):
        await office.apply(directory)
    assert tuple(await office.apply(p.DIRECTORY)) == ()


async def test_who_wants_to_know_is_told_of_each_directory_read_and_of_nothing_else(office, url):
    read = []
    store = SqlStore(url, on_read=lambda: read.append(True))
    await store.ping()
    assert len(read) == 1
    for available in (False, True):
        await office.set_available(p.BOB.id, available=available)
        await store.ping()
    assert len(read) == 1
    before = {agent.id: agent for agent in await store.agents()}
    await office.apply(replace(p.DIRECTORY, agents=(replace(p.ANN, weight=7), *p.DIRECTORY.agents[1:])))
    after = {agent.id: agent for agent in await store.agents()}
    assert len(read) == 2
    assert {agent_id for agent_id in after if after[agent_id] is not before[agent_id]} == {"ann"}
    await store.close()


async def test_a_change_by_another_daemon_is_seen_at_once(office, other_store):
    assert tuple(await other_store.bots()) == p.DIRECTORY.bots
    slower = replace(p.SAMI, ring_timeout_s=50.0)
    await office.apply(replace(p.DIRECTORY, bots=(slower,)))
    assert tuple(await other_store.bots()) == (slower,)
    assert await other_store.prepare(p.request()) == slower
    await office.set_available(p.ANN.id, available=False)
    assert not next(a for a in await other_store.agents() if a.id == "ann").available


async def test_many_leads_are_applied_in_one_go(store):
    many = tuple(replace(p.LUC, id=LeadId(f"l{n}")) for n in range(1201))
    assert len(await store.apply(Directory(leads=many))) == 1201
    assert await store.apply(Directory(leads=many)) == ()


async def test_rules_of_the_same_name_are_told_apart(office):
    twice = replace(p.DIRECTORY, rules=(p.DIRECTORY.rules[0], p.DIRECTORY.rules[0]))
    assert set(await office.apply(twice)) == {"rule Colorado (2): added", "rule void: removed"}
    assert tuple(await office.apply(twice)) == ()


async def test_values_that_read_the_same_are_told_apart(office):
    def rules(*values):
        return replace(p.DIRECTORY, rules=(replace(p.DIRECTORY.rules[0], when=p.where(source=values)),))

    await office.apply(rules("a, b"))
    assert len(await office.apply(rules("a", "b"))) == 1


async def test_a_pool_can_be_renamed_and_another_one_dropped(office):
    changed = replace(p.DIRECTORY, pools=(replace(p.SALES, name="Closers"),), rules=p.DIRECTORY.rules[:1])
    assert set(await office.apply(changed)) == {
        "pool sales: name Sales -> Closers",
        f"pool {PoolId('empty')}: removed",
        "rule void: removed",
    }


RICH = Directory(
    agents=(
        replace(
            p.ANN,
            exceptions=(
                DatedWindow(
                    on=date(2026, 12, 24), start_min=720, end_min=1440, opens=False, why="Christmas Eve"
                ),
                DatedWindow(on=date(2026, 12, 24), start_min=780, end_min=840, opens=True),
            ),
            tags=frozenset({"lang:de", "sales"}),
            weight=7,
            wrap_up_s=45.5,
            endpoint_order=EndpointOrder.IN_ORDER,
            endpoint_step_s=9.0,
        ),
        p.BOB,
    ),
    pools=(
        Pool(
            id=PoolId("german"),
            name="German",
            agent_ids=(p.BOB.id,),
            tags=frozenset({"lang:de"}),
            order=PoolOrder.WEIGHT,
            at_once=2,
            step_s=7.5,
            last_agent_first=True,
            wrap_up_s=20.0,
        ),
        p.EMPTY,
    ),
    rules=(
        Rule(
            name="tree",
            when=All(
                conditions=(
                    AnyOf(
                        conditions=(
                            Compare(fact="source", operator=Operator.IS, values=("zillow", "web")),
                            Compare(fact="zip", operator=Operator.PRESENT),
                        )
                    ),
                    During(windows=p.ANN.schedule[:1], zone=ZoneInfo("Europe/Berlin")),
                )
            ),
            pool_id=PoolId("german"),
        ),
    ),
    bots=p.DIRECTORY.bots,
    leads=(p.LEA, replace(p.LUC, assigned_agent_id=p.BOB.id)),
    strikes=StrikePolicy(limit=5, rest_s=90.0),
)


async def test_what_was_applied_can_be_exported(store):
    await store.apply(RICH)
    assert await store.export() == RICH
    assert await store.export(with_leads=False) == replace(RICH, leads=())
    assert tuple(await store.apply(await store.export())) == ()


async def test_a_plan_says_what_apply_would_change_and_changes_nothing(office):
    before = await office.export()
    planned = await office.plan(RICH)
    assert await office.export() == before
    assert tuple(await office.apply(RICH)) == tuple(change.line for change in planned)
    assert await office.plan(RICH) == ()
    kinds = {change.line: change.kind for change in planned}
    assert kinds["agent cyd: removed"] is ChangeKind.REMOVED
    assert kinds["pool german: added"] is ChangeKind.ADDED
    assert kinds["strikes: limit 3 -> 5; rest_s 1800.0 -> 90.0"] is ChangeKind.CHANGED
    assert kinds["lead luc: changed assigned_agent_id"] is ChangeKind.CHANGED


async def test_a_plan_refuses_what_apply_refuses(office):
    with pytest.raises(UnknownError, match="no pool 'sales'"):
        await office.plan(replace(p.DIRECTORY, pools=()))


async def test_ways_to_ring_read_well(store):
    await store.apply(
        replace(RICH, agents=(p.ANN, p.BOB), pools=(replace(p.EMPTY, id=PoolId("german")), p.EMPTY))
    )
    lines = await store.apply(RICH)
    assert lines[0] == (
        "agent ann: exceptions none -> 2026-12-24 12:00-24:00 closed (Christmas Eve), 2026-12-24 13:00-14:00 open;"
        " tags none -> lang:de, sales; weight 1 -> 7; wrap_up_s 0.0 -> 45.5;"
        " endpoint_order together -> in_order; endpoint_step_s 12.0 -> 9.0"
    )
    assert lines[1] == (
        "pool german: name Nobody -> German; members none -> bob; tags none -> lang:de; order listed -> weight;"
        " at_once 0 -> 2; step_s 10.0 -> 7.5; last_agent_first no -> yes; wrap_up_s none -> 20.0"
    )


async def test_conditions_read_well(store):
    tree = RICH.rules[0]
    flat = replace(tree, when=Compare(fact="source", operator=Operator.PREFIX, values=("z",)))
    never = replace(tree, when=AnyOf())
    said = []
    for rule in (tree, flat, never, tree):
        said += await store.apply(replace(RICH, rules=(rule,)))
    in_words = "(source in (zillow, web) or zip present) and during Mon 09:00-12:00 Europe/Berlin"
    assert said[-3:] == [
        f"rule tree: when {in_words} -> source prefix (z)",
        "rule tree: when source prefix (z) -> never",
        f"rule tree: when never -> {in_words}",
    ]
