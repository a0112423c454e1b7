from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from callcontrol.core.model import AgentId, All, Directory, LeadId, PoolId, TransferId, Window
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
            " on_connected cancel_cadence, notify_agent -> none"
        ),
    )
    assert ann in await office.agents()
    assert sami in await office.bots()


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
