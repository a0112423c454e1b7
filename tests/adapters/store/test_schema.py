import asyncio

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select, text

from callcontrol.adapters.sql import (
    SchemaState,
    SchemaStatus,
    SqlStore,
    cadence,
    claims,
    migrate,
    outbox,
    status,
    upgrade,
)
from callcontrol.adapters.sql.engine import make_engine
from callcontrol.adapters.sql.migrate import VERSION_TABLE
from callcontrol.adapters.sql.schema import agent_standing, metadata
from callcontrol.core.model import All, OutcomeActions, Pool, PoolId, Rule, StrikePolicy
from callcontrol.ports import StoreError
from tests.adapters.store import people as p

NEWEST = ScriptDirectory.from_config(migrate._config()).get_current_head()
_INDEXES = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
}


def run(url, *statements):
    engine = make_engine(url, 1)
    try:
        with engine.connect() as connection, connection.begin():
            for statement in statements:
                connection.execute(text(statement))
    finally:
        engine.dispose()


def indexes(connection):
    rows = connection.execute(text(_INDEXES[connection.dialect.name]))
    return {name: " ".join(sql.split()) for name, sql in rows if VERSION_TABLE not in name}


async def refusal(url):
    store = SqlStore(url)
    try:
        with pytest.raises(StoreError) as refused:
            await store.ensure_schema()
    finally:
        await store.close()
    assert not refused.value.retryable
    return str(refused.value)


def test_the_migrations_make_what_the_program_has(url):
    engine = make_engine(url, 1)
    with engine.connect() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_migrations_make_the_same_indexes(empty_url):
    engine = make_engine(empty_url, 1)
    with engine.begin() as connection:
        metadata.create_all(connection)
        wanted = indexes(connection)
        metadata.drop_all(connection)
    upgrade(empty_url)
    with engine.connect() as connection:
        assert indexes(connection) == wanted
    engine.dispose()


async def test_an_empty_database_gets_its_tables_when_a_daemon_starts(empty_url):
    assert status(empty_url).state is SchemaState.EMPTY
    store = SqlStore(empty_url)
    await store.ensure_schema()
    await store.ensure_schema()
    assert status(empty_url).state is SchemaState.CURRENT
    assert "agent ann: added" in await store.apply(p.DIRECTORY)
    await store.close()


async def test_two_daemons_may_start_on_an_empty_database_at_once(empty_url):
    stores = [SqlStore(empty_url) for _ in range(4)]
    await asyncio.gather(*(store.ensure_schema() for store in stores))
    await asyncio.gather(*(store.ping() for store in stores))
    for store in stores:
        await store.close()


def test_an_upgrade_may_be_repeated(url):
    assert upgrade(url).state is SchemaState.CURRENT


def test_an_older_schema_is_the_operators_to_upgrade():
    older = SchemaStatus(state=SchemaState.OLDER, found="0001", needed="0002")
    assert older.remedy == "run `callcontrol db upgrade`"


def at_0001(url):
    """A database as the first schema had it, with an office in it."""
    engine = make_engine(url, 1)
    try:
        with engine.connect() as connection, connection.begin():
            config = migrate._config()
            config.attributes["connection"] = connection
            command.upgrade(config, "0001")
    finally:
        engine.dispose()
    run(
        url,
        "INSERT INTO agent (id, position, name, active, available, zone, phone)"
        " VALUES ('ann', 1, 'Ann', true, false, 'America/Denver', '+15550199')",
        "INSERT INTO agent_endpoint VALUES ('ann', 1, 'extension', '101', 'answer')",
        "INSERT INTO schedule_window VALUES ('ann', 1, 0, 540, 1020)",
        "INSERT INTO pool VALUES ('sales', 1, 'Sales')",
        "INSERT INTO pool_member VALUES ('sales', 1, 'ann')",
        """INSERT INTO rule VALUES (1, 'Colorado', '{"state"\\: ["CO", "WY"], "source"\\: ["Zillow"]}', 'sales')""",
        "INSERT INTO rule VALUES (2, 'rest', '{}', 'sales')",
    )


async def test_an_older_schema_is_refused_by_the_daemon_and_upgraded_with_all_that_is_in_it(empty_url):
    at_0001(empty_url)
    found = status(empty_url)
    assert (found.state, found.found) == (SchemaState.OLDER, "0001")
    assert await refusal(empty_url) == (
        f"the database has schema 0001, this program needs {found.needed}: run `callcontrol db upgrade`"
    )
    assert status(empty_url).found == "0001"  # refused, and left as it was
    assert upgrade(empty_url).state is SchemaState.CURRENT
    store = SqlStore(empty_url)
    await store.ensure_schema()
    exported = await store.export()
    (agent,) = exported.agents
    assert (agent.name, agent.available, len(agent.schedule), len(agent.endpoints)) == ("Ann", False, 1, 1)
    assert (agent.weight, agent.wrap_up_s, agent.tags, agent.exceptions) == (1, 0.0, frozenset(), ())
    assert exported.pools == (Pool(id=PoolId("sales"), name="Sales", agent_ids=(agent.id,)),)
    assert exported.rules == (
        Rule(name="Colorado", when=p.where(state=("co", "wy"), source=("zillow",)), pool_id=PoolId("sales")),
        Rule(name="rest", when=All(), pool_id=PoolId("sales")),
    )
    assert exported.strikes == StrikePolicy()
    assert tuple(await store.apply(exported)) == ()
    await store.apply(p.DIRECTORY)
    assert await p.rings(store, await p.opened(store), now=p.NOW) == ["cyd"]  # Ann has switched herself off
    await store.close()


async def test_bots_and_cadences_of_an_older_schema_keep_all_that_they_were(empty_url):
    at_0001(empty_url)
    run(
        empty_url,
        "INSERT INTO bot VALUES ('sami', 1, 'Sami', 'group', 35, 20, 'introduce', 60, 'Bye.', false, '', NULL, NULL,"
        " true, true, false, false, false, false, true, true, NULL)",
        "INSERT INTO lead VALUES ('lea', 'Lea', '+15550142', '', '', 'ann', '{}')",
        "INSERT INTO cadence_enrolment (id, lead_id, name, state, why) VALUES (1, 'lea', 'old', 'pending', '')",
        "INSERT INTO cadence_step (enrolment_id, position, lead_id, name, state, why)"
        " VALUES (1, 1, 'lea', 'mail', 'done', ''), (1, 2, 'lea', 'call', 'pending', '')",
    )
    upgrade(empty_url)
    store = SqlStore(empty_url)
    (bot,) = await store.bots()
    assert bot.on_connected == OutcomeActions(notify_owner=False)
    assert bot.on_missed == OutcomeActions(cancel_cadence=False, notify_agent=False, create_task=True)
    assert [step.name for step in await store.claim_steps("w", 10, p.NOW, 60)] == ["call"]
    await store.close()


async def test_a_newer_schema_is_refused(empty_url):
    upgrade(empty_url)
    run(empty_url, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    assert status(empty_url).state is SchemaState.UNKNOWN
    assert "written by a newer callcontrol" in await refusal(empty_url)
    with pytest.raises(StoreError, match="newer"):
        upgrade(empty_url)


async def test_another_programs_tables_are_left_alone(empty_url):
    run(empty_url, "CREATE TABLE lead (id integer)", "INSERT INTO lead VALUES (1)")
    assert "a database of its own" in await refusal(empty_url)
    with pytest.raises(StoreError, match="a database of its own"):
        upgrade(empty_url)


async def test_a_database_with_other_tables_can_be_shared(empty_url):
    run(empty_url, "CREATE TABLE customers (id integer)", "CREATE TABLE alembic_version (version_num text)")
    store = SqlStore(empty_url)
    await store.ensure_schema()
    await store.ping()
    await store.close()


def test_an_upgrade_that_fails_leaves_nothing_behind(empty_url):
    run(empty_url, f"CREATE TABLE {VERSION_TABLE} (other integer)")
    with pytest.raises(StoreError):
        upgrade(empty_url)
    engine = make_engine(empty_url, 1)
    with engine.connect() as connection:
        assert "transfer" not in str(indexes(connection))
    engine.dispose()


async def test_check_finds_nothing_wrong_with_a_good_database(store):
    findings = await store.check()
    assert all(finding.ok for finding in findings if finding.subject != "PostgreSQL fsync")
    assert {"database schema", "database writable"} < {finding.subject for finding in findings}


async def test_check_says_what_to_do_about_an_empty_database(empty_url):
    store = SqlStore(empty_url)
    (finding,) = await store.check()
    await store.close()
    assert not finding.ok
    assert finding.remedy == "run `callcontrol db upgrade`"


async def test_check_tells_of_a_server_that_may_lose_what_it_accepted(server, migrated_database):
    store = SqlStore(server.url(migrated_database))
    (finding,) = (found for found in await store.check() if found.subject == "PostgreSQL fsync")
    await store.close()
    assert not finding.ok  # the tests' own server has it off
    assert "fsync = on" in finding.remedy


async def test_sqlite_keeps_what_it_accepted(tmp_path):
    store = SqlStore(f"sqlite:///{tmp_path / 'a.db'}")
    await store.ensure_schema()
    found = {finding.subject: finding.detail for finding in await store.check()}
    await store.close()
    assert found["SQLite journal mode"] == "wal"
    assert found["SQLite synchronous"] == "full"


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (select(agent_standing).where(claims._RELEASE.whereclause), "ix_agent_standing_claimed"),
        (outbox._UNROUTED, "ix_outbox_due"),
        (outbox._FRESH, "ix_outbox_due"),
        (outbox._LATE, "ix_outbox_due"),
        (outbox._LATE, "ix_outbox_unsent"),
        (outbox._left("sqlite"), "ix_outbox_leased"),
        (cadence._DUE, "ix_cadence_step_due"),
        (cadence._LOCK_STEPS, "ix_cadence_step_open"),
    ],
    ids=[
        "whom a transfer has",
        "what has no gateway yet",
        "what is due",
        "what has been due for long",
        "what is unsent in a queue",
        "what was left",
        "steps that are due",
        "what is planned for a lead",
    ],
)
def test_the_partial_indexes_are_used(migrated_file, statement, index):
    engine = make_engine(f"sqlite:///{migrated_file}", 1)
    values = {"now": p.NOW, "at_most": 1, "transfer": "t1", "winner": "ann", "lane": "one", "holding": "[1]"}
    values |= {"lead": "lea", "late": p.NOW}
    with engine.connect() as connection:
        with_values = statement.params(
            **{name: values[name] for name in statement.compile().params if name in values}
        )
        written = with_values.compile(engine, compile_kwargs={"literal_binds": True})
        plan = connection.execute(text(f"EXPLAIN QUERY PLAN {written}")).all()
    engine.dispose()
    assert any(index in row[-1] for row in plan), plan


@pytest.mark.parametrize("url", ["mysql://host/db", "sqlite://", "sqlite:///:memory:"])
def test_a_database_that_is_not_supported_is_refused_by_name(url):
    with pytest.raises(ValueError, match=r"sqlite:///PATH"):
        SqlStore(url)


async def test_texts_of_an_older_schema_wait_on_and_those_in_doubt_are_told_apart(empty_url):
    at_0001(empty_url)
    then = f"{p.NOW.timestamp() * 1e6:.0f}" if empty_url.startswith("sqlite") else f"'{p.NOW.isoformat()}'"
    run(
        empty_url,
        "INSERT INTO lead VALUES ('lea', 'Lea', '+15550142', '', '', NULL, '{}')",
        "INSERT INTO bot SELECT 'sami', 1, 'Sami', 'group', 30, 20, 'introduce', 60, '', false, '', NULL, NULL,"
        " true, true, true, true, true, true, true, true, NULL",
        "INSERT INTO transfer (id, key, fingerprint, lead_id, bot_id, lead_channel, pbx_started, summary,"
        f" requested_at) VALUES ('t1', 'k', '', 'lea', 'sami', 'SIP/1', '', '', {then})",
        *(
            'INSERT INTO outbox (dedupe_key, transfer_id, recipient, "to", body, state, attempts, next_at,'
            f" last_error, created_at) VALUES ('{key}', 't1', 'owner', '+1', 'Call back.', '{state}', 0, {then},"
            f" '{error}', {then})"
            for key, state, error in (
                ("1", "parked", "no such number"),
                ("2", "parked", "may have been sent\\: it said nothing"),
                ("3", "queued", ""),
            )
        ),
    )
    upgrade(empty_url)
    store = SqlStore(empty_url)
    found = await p.texts(store, "t1")
    assert [(text.state, text.doubtful) for text in found] == [
        ("parked", False),
        ("parked", True),
        ("queued", False),
    ]
    (waiting,) = await p.claim(store, 10, p.NOW, 60)
    assert (waiting.dedupe_key, waiting.to, waiting.kind) == ("3", "+1", "text")
    await store.close()
