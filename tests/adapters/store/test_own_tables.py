"""A site whose leads and toggles are in its CRM, which has other names for everything."""

import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import yaml

from callcontrol.adapters.sql import OwnTables, SqlStore, own_tables
from callcontrol.core.model import LeadId, TransferId
from callcontrol.ports import Planned, StoreError, UnknownError
from tests.adapters.store import people as p

CHECKOUT = Path(__file__).resolve().parents[3]
EXAMPLE = yaml.safe_load((CHECKOUT / "config" / "own-tables-example.yaml").read_text())["own_tables"]
QUERIES = {name: EXAMPLE[name] for name in ("lead", "availability", "agents")}
CRM = """
    CREATE TABLE contacts (
        contact_no integer PRIMARY KEY, full_name varchar(80), mobile varchar(20), mail varchar(80),
        campaign varchar(40), owner_login varchar(20), region varchar(2), deal_size integer
    );
    CREATE TABLE staff (
        login varchar(20) PRIMARY KEY, display_name varchar(80), employed boolean, timezone varchar(40),
        mobile varchar(20), desk_phone varchar(10), team varchar(40), speaks varchar(20), presence varchar(10)
    );
    INSERT INTO contacts VALUES (4711, 'Carl Contact', '+15550188', NULL, 'Zillow', 'bob', 'CO', 400);
    INSERT INTO contacts VALUES (4712, 'Nora None', '+15550189', NULL, NULL, NULL, NULL, NULL);
    INSERT INTO staff VALUES
        ('ann', 'Ann A', true, 'America/Denver', '+15550101', '101', NULL, NULL, 'away'),
        ('bob', 'Bob B', false, 'Europe/Berlin', NULL, NULL, NULL, NULL, 'ready'),
        ('yan', 'Yan Y', true, 'America/Denver', '+1 (555) 010-0102', '201', 'Hot, new', 'es', 'ready'),
        ('zoe', 'Zoe Z', true, 'Europe/Berlin', NULL, '202', 'new', 'de,es', 'ready');
"""
CARL = LeadId("4711")


class Crm:
    def __init__(self, url):
        self.url = url

    def run(self, statements):
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as connection:
                connection.executescript(statements)
        else:
            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute(statements)

    def tables(self, **queries):
        return OwnTables(**(QUERIES | {"url": self.url} | queries))


@pytest.fixture(params=["sqlite", "postgresql"])
def crm(request, tmp_path):
    if request.param == "sqlite":
        crm = Crm(f"sqlite:///{tmp_path / 'crm.db'}")
    else:
        server = request.getfixturevalue("server")
        crm = Crm(server.url(server.new_database()))
    crm.run(CRM)
    return crm


@pytest.fixture
async def stores(tmp_path, migrated_file):
    """A store on SQLite for each choice of tables."""
    made = []

    async def make(tables):
        store = SqlStore(f"sqlite:///{tmp_path / 'ours.db'}", own=tables)
        await store.ensure_schema()
        await store.apply(p.DIRECTORY)
        made.append(store)
        return store

    yield make
    for store in made:
        await store.close()


async def test_a_lead_is_looked_up_in_the_crm_and_kept(crm, stores):
    store = await stores(crm.tables())
    assert await store.prepare(p.request(lead=CARL)) == p.SAMI
    row = await p.opened(store, lead=CARL)
    assert (row.lead.id, row.lead.name, row.lead.phone, row.lead.email) == (
        CARL,
        "Carl Contact",
        "+15550188",
        "",
    )
    assert row.lead.fields == {"region": "CO", "deal_size": "400"}
    assert row.assigned is not None
    assert row.assigned.id == "bob"
    assert await store.transfer(row.id) == row
    await store.record(p.missed())
    assert (await store.transfer(TransferId("t1"))).lead == row.lead


async def test_what_the_crm_changes_counts_from_the_next_transfer(crm, stores):
    store = await stores(crm.tables())
    await p.opened(store, "t1", lead=CARL)
    crm.run("UPDATE contacts SET owner_login = 'ann', region = 'UT' WHERE contact_no = 4711")
    row = await p.opened(store, "t2", lead=CARL)
    assert (row.lead.assigned_agent_id, row.lead.fields["region"]) == ("ann", "UT")


async def test_empty_columns_are_no_values(crm, stores):
    store = await stores(crm.tables())
    lead = (await p.opened(store, lead=LeadId("4712"))).lead
    assert (lead.source, lead.assigned_agent_id, lead.fields) == ("", None, {})


async def test_a_lead_that_neither_has_is_unknown(crm, stores):
    store = await stores(crm.tables())
    for question in (store.prepare(p.request(lead=LeadId("1"))), p.opened(store, lead=LeadId("1"))):
        with pytest.raises(UnknownError, match="no lead '1'"):
            await question
    assert (await p.opened(store, lead=p.LEA.id)).lead == p.LEA  # ours


async def test_looking_at_a_lead_of_the_crm_stores_nothing(crm, stores):
    store = await stores(crm.tables())
    facts = await p.facts(store, CARL, p.ASSIGNED)
    assert [candidate.agent.id for candidate in facts.candidates] == ["bob"]
    assert CARL not in {lead.id for lead in (await store.export()).leads}


async def test_the_crm_says_who_is_available(crm, stores):
    store = await stores(crm.tables())
    toggles = {agent.id: agent.available for agent in await store.agents()}
    assert toggles == {a.id: a.available for a in p.DIRECTORY.agents} | {
        "ann": False, "bob": True, "yan": True, "zoe": True,
    }  # fmt: skip
    assert replace(p.ANN, available=False) in await p.considered(store)
    row = await p.opened(store, now=p.NOW)
    told = (await p.resolved(store, row, step=p.ASSIGNED)).considered
    assert [t.value for t in told[0].terms][:2] == ["yes", "off"]
    crm.run("UPDATE staff SET presence = 'ready'")
    assert p.ANN in await p.considered(store)


async def test_available_may_be_a_word_and_of_everyone(crm, stores):
    store = await stores(
        crm.tables(availability="SELECT login AS agent_id, 'Y' AS available, presence FROM staff")
    )
    assert p.ANN in await store.agents()


async def test_toggles_in_the_crm_are_changed_there(crm, stores):
    store = await stores(crm.tables())
    with pytest.raises(StoreError, match="change it there") as refused:
        await store.set_available(p.ANN.id, available=True)
    assert not refused.value.retryable


async def test_while_the_crm_is_away_our_own_toggles_count_and_it_is_said(crm, stores):
    store = await stores(crm.tables())
    crm.run("ALTER TABLE staff RENAME TO crew")
    facts = await p.facts(store, step=p.ASSIGNED)
    assert [c.agent for c in facts.candidates] == [p.ANN]
    assert facts.because.startswith(
        "Ann is the lead's assigned agent; toggles are callcontrol's own, for now: own tables, query 'availability':"
    )


async def test_while_the_crm_is_away_a_lead_seen_before_is_as_it_was(crm, stores):
    store = await stores(crm.tables())
    known = (await p.opened(store, "t1", lead=CARL)).lead
    crm.run("ALTER TABLE contacts RENAME TO people")
    assert (await p.opened(store, "t2", lead=CARL)).lead == known
    for question in (
        store.prepare(p.request(lead=LeadId("4712"))),
        p.opened(store, "t3", lead=LeadId("4712")),
        p.facts(store, LeadId("4712")),
    ):
        with pytest.raises(StoreError, match="query 'lead'"):  # it may well exist
            await question


async def test_a_slow_crm_is_given_up(crm, stores, monkeypatch):
    monkeypatch.setattr(own_tables, "LIMIT_S", 0.3)
    slow = {
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000)"
        " SELECT login AS agent_id, 1 AS available FROM staff WHERE (SELECT max(i) FROM n) > 0",
        "postgresql": "SELECT login AS agent_id, true AS available FROM staff, pg_sleep(5)",
    }[crm.url.partition(":")[0]]
    store = SqlStore("sqlite:///none.db", own=crm.tables(availability=slow))
    begun = time.monotonic()
    with pytest.raises(StoreError, match="'availability'"):
        await store._own.availability([p.ANN.id])
    assert time.monotonic() - begun < 1
    await store.close()


async def test_queries_are_tried_at_the_start(crm, stores):
    for queries, said in (
        (
            {
                "lead": "SELECT contact_no AS lead_id, full_name AS name FROM contacts WHERE contact_no = :lead_id"
            },
            "query 'lead': it gives lead_id, name, and not phone, email, source, assigned_agent_id; rename",
        ),
        (
            {"availability": "SELECT login AS agent_id FROM staff"},
            "query 'availability': it gives agent_id, and",
        ),
        ({"agents": "SELECT nothing FROM staff"}, "query 'agents': database:"),
    ):
        with pytest.raises(StoreError, match="own tables") as refused:
            await stores(crm.tables(**queries))
        assert said in str(refused.value)


async def test_check_tells_of_the_sites_tables(crm, stores):
    store = await stores(crm.tables())
    assert (await store.check())[-1].ok
    crm.run("ALTER TABLE contacts RENAME TO people")
    finding = (await store.check())[-1]
    assert not finding.ok
    assert "query 'lead'" in finding.detail


@pytest.mark.parametrize(
    "url", ["sqlite:////no/such/folder/crm.db", "postgresql://postgres@127.0.0.1:1/none"]
)
async def test_a_database_that_is_away_is_said_and_does_not_keep_a_daemon_from_starting(url, tmp_path):
    store = SqlStore(f"sqlite:///{tmp_path / 'ours.db'}", own=OwnTables(url=url, lead=EXAMPLE["lead"]))
    [said] = await store.ensure_schema()
    assert said.startswith("own tables, query 'lead'")
    assert (await store.check())[-1].detail == said
    await store.close()


@pytest.mark.parametrize(
    ("queries", "said"),
    [
        ({"lead": "SELECT 1 WHERE 1 = :id"}, "query 'lead': its parameters are :id; write :lead_id"),
        ({"lead": "SELECT 1"}, "query 'lead': its parameters are none; write :lead_id"),
        (
            {"agents": "SELECT :agent_ids"},
            "query 'agents': its parameters are :agent_ids; it has none to give",
        ),
        ({"url": "nonsense"}, "the URL of the database can't be used"),
        ({"url": "oracle://host/db"}, "the URL of the database can't be used"),
    ],
)
def test_a_query_that_can_not_be_asked_is_refused_by_name(queries, said):
    with pytest.raises(ValueError, match="own tables") as refused:
        SqlStore("sqlite:///x.db", own=OwnTables(**({"url": "sqlite:///crm.db"} | queries)))
    assert said in str(refused.value)


async def test_the_sites_database_is_never_written(crm, stores):
    insert = "INSERT INTO staff (login) VALUES ('zoe') RETURNING login AS agent_id, true AS available"
    with pytest.raises(StoreError, match=r"read-?only"):
        await stores(crm.tables(availability=insert))


async def test_a_lead_of_the_sites_own_can_be_enrolled_and_claimed(stores, crm):
    store = await stores(crm.tables())
    await store.enrol(CARL, "seven days", (Planned(name="text"),))
    (step,) = await store.claim_steps("dialler", 10, p.NOW, 60)
    assert (step.name, step.lead.name, step.lead.phone) == ("text", "Carl Contact", "+15550188")
    with pytest.raises(UnknownError, match="no lead 'nobody'"):
        await store.enrol(LeadId("nobody"), "seven days", (Planned(name="text"),))
