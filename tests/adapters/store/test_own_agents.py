"""A site whose agents are in its CRM: taken over, rung by the usual terms, and gone when they are gone there."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from callcontrol.adapters.sql import SqlStore
from callcontrol.adapters.sql.own_agents import snapshot
from callcontrol.core.model import (
    AgentId,
    All,
    Directory,
    Pool,
    PoolId,
    Rule,
)
from callcontrol.ports import UnknownError
from tests.adapters.store import people as p
from tests.adapters.store.test_own_tables import CARL, CRM, Crm

YAN, ZOE = AgentId("yan"), AgentId("zoe")
NEW = Pool(id=PoolId("new"), name="New hires", tags=frozenset({"new"}))
NAMED = Pool(id=PoolId("named"), name="Named", agent_ids=(p.CYD.id, ZOE, YAN))
ROW = {
    "id": "zoe",
    "name": "Zoe Z",
    "active": 1,
    "zone": "Europe/Berlin",
    "phone": "+15550102",
    "extension": "202",
}


def directory(pool: Pool, *agents) -> Directory:
    """All leads go to this pool."""
    rule = Rule(name="all", when=All(), pool_id=pool.id)
    return replace(p.DIRECTORY, agents=agents or (p.CYD,), pools=(pool,), rules=(rule,), leads=())


@pytest.fixture
def crm(tmp_path):
    made = Crm(f"sqlite:///{tmp_path / 'crm.db'}")
    made.run(CRM)
    return made


@pytest.fixture
async def site(url, crm):
    """On both of callcontrol's own databases."""
    store = SqlStore(url, own=crm.tables())
    await store.ensure_schema()
    yield store
    await store.close()


async def ids(store):
    return [agent.id for agent in await store.agents()]


async def rung(store, name="t1", **more):
    return await p.rings(store, await p.opened(store, name, lead=CARL, **more))


async def test_agents_of_the_crm_are_there_from_the_start(site):
    ann, bob, yan, zoe = await site.agents()
    assert (yan.id, yan.name, yan.active, yan.zone) == (YAN, "Yan Y", True, ZoneInfo("America/Denver"))
    assert (yan.phone, yan.tags) == ("+15550100102", frozenset({"hot", "new", "lang:es"}))
    assert [endpoint.address for endpoint in yan.endpoints] == ["201"]
    assert (bob.active, bob.phone, bob.endpoints) == (False, None, ())
    assert (ann.available, zoe.tags) == (False, frozenset({"new", "lang:de", "lang:es"}))
    assert await site.own_agents() == tuple(replace(agent, available=True) for agent in (ann, bob, yan, zoe))


async def test_they_come_after_those_of_the_file_which_says_more_of_whom_it_names(site):
    await site.apply(directory(NEW, p.CYD, replace(p.ANN, name="Ann of the file")))
    assert await ids(site) == ["cyd", "ann", "bob", "yan", "zoe"]
    assert (await site.agents())[1].name == "Ann of the file"
    assert [agent.id for agent in await site.own_agents()] == ["bob", "yan", "zoe"]
    made = await site.apply(directory(NEW))
    assert any("agent ann: name Ann of the file -> Ann A" in line for line in made)
    assert not any("removed" in line for line in made)
    assert (await site.agents())[1].name == "Ann A"


async def test_a_pool_by_tag_rings_new_hires_of_the_crm(site, crm):
    await site.apply(directory(NEW))
    assert await rung(site, "t1") == ["yan", "zoe"]
    crm.run(
        "INSERT INTO staff VALUES ('xia', 'Xia', true, 'UTC', NULL, '203', 'new', NULL, 'ready');"
        "DELETE FROM staff WHERE login = 'zoe';"
    )
    await site.record(p.missed("t1"))
    assert await rung(site, "t2") == ["yan", "zoe"], "not before it is taken over"
    await site.record(p.missed("t2"))
    assert await site.synchronise() == ()
    assert await rung(site, "t3") == ["xia", "yan"]


async def test_a_pool_may_name_them_and_says_who_has_left(site, crm):
    await site.apply(directory(NAMED))
    crm.run("DELETE FROM staff WHERE login = 'zoe'")
    await site.synchronise()
    facts = await p.facts(site, CARL)
    assert [candidate.agent.id for candidate in facts.candidates] == ["cyd", "yan"]
    assert facts.because == "rule all: pool Named (zoe not in the directory)"
    exported = await site.export()
    assert [agent.id for agent in exported.agents] == ["cyd"]
    assert exported.pools[0].agent_ids == (p.CYD.id, YAN)
    await site.apply(exported)
    assert tuple(await site.apply(exported)) == ()
    with pytest.raises(UnknownError, match="no agent 'zoe'"):
        await site.plan(directory(NAMED))


async def test_the_assigned_agent_of_a_lead_may_be_one(site, crm):
    await site.apply(directory(NEW))
    crm.run("UPDATE contacts SET owner_login = 'zoe'")
    row = await p.opened(site, lead=CARL)
    assert row.assigned is not None
    assert row.assigned.name == "Zoe Z"
    assert await p.rings(site, row, step=p.ASSIGNED) == ["zoe"]


async def test_they_are_claimed_wrap_up_rest_and_have_a_lamp_like_others(site):
    await site.apply(directory(NEW))
    row = await p.opened(site, lead=CARL)
    assert await p.rings(site, row) == ["yan", "zoe"]
    assert await rung(site, "t2") == [], "both are reserved"
    await site.rest(YAN, p.NOW + timedelta(hours=1), "lunch")
    candidate = await site.agent_at("201", p.NOW)
    assert (candidate.agent.id, candidate.standing.resting_why) == (YAN, "lunch")
    assert {c.agent.id for c in await site.candidates(p.NOW)} >= {YAN, ZOE}


async def test_without_an_availability_query_they_toggle_themselves_and_keep_it(url, crm):
    store = SqlStore(url, own=crm.tables(availability="", lead=""))
    await store.ensure_schema()
    await store.apply(directory(NEW))
    await store.set_available(ZOE, available=False)
    crm.run("UPDATE staff SET display_name = 'Zoe Zorn' WHERE login = 'zoe'")
    await store.synchronise()
    zoe = (await store.agents())[-1]
    assert (zoe.name, zoe.available) == ("Zoe Zorn", False)
    await store.close()


async def test_whoever_comes_back_starts_anew(site, crm):
    await site.apply(directory(NEW))
    await site.rest(ZOE, p.NOW + timedelta(hours=1), "lunch")
    crm.run("UPDATE staff SET login = 'zoe2' WHERE login = 'zoe'")
    await site.synchronise()
    crm.run("UPDATE staff SET login = 'zoe' WHERE login = 'zoe2'")
    await site.synchronise()
    [zoe] = [c for c in await site.candidates(p.NOW) if c.agent.id == ZOE]
    assert zoe.standing.resting_until is None


async def test_whom_the_file_takes_over_or_gives_back_goes_on_as_they_stand(site):
    await site.apply(directory(NEW))
    await site.rest(ZOE, p.NOW + timedelta(hours=1), "lunch")
    [zoe] = [agent for agent in await site.own_agents() if agent.id == ZOE]
    await site.apply(directory(NEW, p.CYD, zoe))  # the same in every way, but for whose it is
    assert ZOE not in {agent.id for agent in await site.own_agents()}
    await site.apply(directory(NEW))
    assert ZOE in {agent.id for agent in await site.own_agents()}
    [zoe] = [c for c in await site.candidates(p.NOW) if c.agent.id == ZOE]
    assert zoe.standing.resting_why == "lunch"


async def test_a_crm_that_is_away_or_empty_changes_nothing(site, crm):
    await site.apply(directory(NEW))
    before = await ids(site)
    crm.run("CREATE TABLE kept AS SELECT * FROM staff; DELETE FROM staff")
    assert await site.synchronise() == (
        "the site's own tables: query 'agents' gives nobody, so the agents stay as they were",
    )
    assert await ids(site) == before
    finding = (await site.check())[-1]
    assert (finding.ok, "gives nobody" in finding.detail) == (False, True)
    crm.run("INSERT INTO staff SELECT * FROM kept")
    assert (await site.check())[-1].detail == "agents taken over: 4"


async def test_a_row_that_is_no_agent_leaves_the_others_and_the_agent_as_before(site, crm):
    await site.apply(directory(NEW))
    crm.run(
        "UPDATE staff SET timezone = 'Mars/Base' WHERE login = 'zoe'; DELETE FROM staff WHERE login = 'ann'"
    )
    assert await site.synchronise() == ("agent 'zoe' is left as it was: 'Mars/Base' is no IANA time zone",)
    assert await ids(site) == ["cyd", "bob", "yan", "zoe"]
    assert (await site.agents())[-1].zone == ZoneInfo("Europe/Berlin")


async def test_another_daemon_sees_them_and_nothing_is_written_where_nothing_changed(site, crm, url):
    other = SqlStore(url, own=crm.tables())
    await other.ensure_schema()
    crm.run("UPDATE staff SET desk_phone = '299' WHERE login = 'zoe'")
    version = (await site._runner.read(site._memory.current)).version
    await site.synchronise()
    await other.synchronise()
    await site.synchronise()
    assert (await other.agent_at("299", p.NOW)).agent.id == ZOE
    assert (await site._runner.read(site._memory.current)).version == version + 1
    await other.close()


async def test_without_the_query_they_are_gone(site, url):
    await site.apply(directory(NEW))
    plain = SqlStore(url)
    await plain.ensure_schema()
    assert await ids(plain) == ["cyd"]
    await plain.close()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"id": "zo\ne"}, "an id has letters"),
        ({"id": None}, "an id has letters"),
        ({"zone": None}, "'' is no IANA time zone"),
        ({"zone": "../../etc/passwd"}, "is no IANA time zone"),
        ({"extension": "202&PJSIP/trunk"}, "an extension has letters"),
        ({"number": "0900"}, "its number is not E.164"),
    ],
)
def test_what_can_not_be_an_agent_is_left_out_and_said(given, said):
    found = snapshot([ROW | given, ROW | {"id": "yan"}])
    assert [agent.id for agent in found.agents] == ["yan"]
    assert said in found.remarks[0]


@pytest.mark.parametrize(
    ("given", "field", "value", "said"),
    [
        ({"name": "Zoe\r\nZ"}, "name", "Zoe Z", ""),
        ({"name": None}, "name", "zoe", ""),
        ({"phone": "call me"}, "phone", None, "its phone is not E.164"),
        ({"tags": "hot, ;rm"}, "tags", {"hot"}, "';rm' in its tags can't be a tag"),
        ({"tags": ["Hot", "new"], "languages": ["de"]}, "tags", {"hot", "new", "lang:de"}, ""),
        ({"weight": 5}, "weight", 5, ""),
        ({"weight": "heavy"}, "weight", 1, "its weight is not from 1 to 100"),
        ({"wrap_up_s": "nan"}, "wrap_up_s", 0, "its wrap_up_s is not from 0 to 3600"),
        ({"active": "no"}, "active", False, ""),
    ],
)
def test_what_is_wrong_of_an_agent_is_left_out_and_said(given, field, value, said):
    found = snapshot([ROW | given])
    assert getattr(found.agents[0], field) == value
    assert (found.remarks[0] if found.remarks else "").count(said) == 1 if said else found.remarks == ()


def test_an_agent_with_a_number_is_asked_for_a_key_there():
    [desk, mobile] = snapshot([ROW | {"number": "+13035550101"}]).agents[0].endpoints
    assert (desk.address, mobile.address, mobile.accept_by) == ("202", "+13035550101", "key")


def test_of_two_with_one_id_the_first_counts():
    found = snapshot([ROW, ROW | {"name": "Another"}])
    assert [agent.name for agent in found.agents] == ["Zoe Z"]
    assert found.unreadable == frozenset()
    assert "is there twice" in found.remarks[0]
