"""A transfer that rings is kept in one short row first; nobody who asks the store can tell."""

import asyncio
import sqlite3
from contextlib import closing

import pytest
import structlog

from callcontrol.adapters.sql import SqlStore
from callcontrol.core.events import AttemptResolved
from callcontrol.core.model import TransferId
from callcontrol.ports import ChannelBusyError, KeyReusedError, Subscription, Transition
from tests.adapters.store import people as p

T1 = TransferId("t1")


@pytest.fixture
def path(tmp_path, migrated_file):
    (path := tmp_path / "store.db").write_bytes(migrated_file.read_bytes())
    return path


@pytest.fixture
def url(path):
    return f"sqlite:///{path}"


@pytest.fixture
async def office(office):
    """Who knows the directory: else a thread reads it first, and writes the transfer too."""
    await office.ping()
    return office


def entries(row):
    resolved = AttemptResolved(step=p.ASSIGNED, ask=1, legs=(p.leg(),), because="hers")
    return (p.entry(1, p.asked(row.call), at=p.NOW), p.entry(2, resolved, at=p.NOW))


def rings(row, _):
    return Transition(transfer_id=row.id, entries=entries(row), legs=(p.rung(),))


async def ringing(store, name="t1", *, key="k", channel="lead-1", first=rings):
    return await store.open(
        TransferId(name), p.request(key=key, channel=channel), p.call_of(channel), p.NOW, first
    )


def tables(path):
    """How many transfers are in brief, and how many written out."""
    with closing(sqlite3.connect(path)) as database:
        (brief,) = database.execute("SELECT count(*) FROM transfer_in_brief").fetchone()
        (whole,) = database.execute("SELECT count(*) FROM transfer").fetchone()
    return brief, whole


async def test_a_transfer_that_rings_is_in_brief_until_its_next_turn(office, path):
    row = await ringing(office)
    assert tables(path) == (1, 0)
    await office.record(Transition(transfer_id=T1, entries=(p.entry(3),), legs=(p.rung(),)))
    assert tables(path) == (0, 1)
    assert await office.transfer(T1) == row
    assert await office.journal(T1) == (*entries(row), p.entry(3))
    assert tuple(await office.legs(T1)) == (p.rung(),)


async def test_its_agents_are_nobody_elses_at_once(office):
    row = await ringing(office)
    assert (await p.standing(office, p.ANN)).claimed_by == row.id


ASKS = {
    "transfer": (lambda store: store.transfer(T1), lambda row: row),
    "journal": (lambda store: store.journal(T1), entries),
    "transfers": (lambda store: store.transfers(10), lambda row: (row,)),
    "unclosed": (lambda store: store.unclosed(), lambda row: ((row, entries(row)),)),
    "prepare": (lambda store: store.prepare(p.request(key="k", channel="lead-1")), lambda row: row),
}


@pytest.mark.parametrize("what", ASKS)
async def test_whoever_asks_finds_it_written_out(office, path, what):
    ask, expected = ASKS[what]
    row = await ringing(office)
    assert await ask(office) == expected(row)
    assert tables(path) == (0, 1)


async def test_whom_it_rings_next_can_be_asked_at_once(office):
    row = await ringing(office)
    assert await p.rings(office, row)


async def test_a_repeat_of_its_key_finds_it(office):
    row = await ringing(office)
    assert await ringing(office, "t2") == row
    with pytest.raises(KeyReusedError):
        await ringing(office, "t2", channel="lead-2")


async def test_its_channel_is_busy(office):
    await ringing(office)
    with pytest.raises(ChannelBusyError) as busy:
        await ringing(office, "t2", key="another")
    assert busy.value.transfer_id == T1


async def test_others_are_opened_beside_it(office, path):
    def rings_bob(row, _):
        return Transition(transfer_id=row.id, entries=entries(row), legs=(p.rung("leg-2", p.BOB),))

    await ringing(office)
    await ringing(office, "t2", key="another", channel="lead-2", first=rings_bob)
    assert tables(path) == (2, 0)
    assert [row.id for row in await office.transfers(10)] == ["t1", "t2"]


@pytest.mark.parametrize(
    ("first", "subscriptions"),
    [(p.only_asked, ()), (rings, (Subscription(endpoint="crm", events=frozenset({"transfer.requested"})),))],
    ids=["nobody rings", "an outside system is told"],
)
async def test_where_no_phone_waits_or_more_is_written_it_is_written_whole(url, path, first, subscriptions):
    store = SqlStore(url, subscriptions=subscriptions)
    await store.apply(p.DIRECTORY)
    await ringing(store, first=first)
    assert tables(path) == (0, 1)
    await store.close()


async def test_the_store_writes_it_out_before_it_closes(office, path):
    await ringing(office)
    await office.close()
    assert tables(path) == (0, 1)


async def test_the_next_process_takes_up_what_a_dead_one_kept_in_brief(office, other_store, path):
    row = await ringing(office)
    assert await other_store.unclosed() == ((row, entries(row)),)
    assert tables(path) == (0, 1)
    assert await ringing(other_store, "t2") == row


async def test_two_processes_may_write_the_same_one_out(office, other_store):
    row = await ringing(office)
    await other_store.unclosed()
    await office.record(Transition(transfer_id=T1, entries=(p.entry(3),), legs=()))
    assert await office.journal(T1) == (*entries(row), p.entry(3))


async def test_one_that_another_process_opened_too_blocks_nobody_and_is_told(office, other_store, path):
    """Two daemons on one database, which nobody should run."""
    await ringing(office)
    with structlog.testing.capture_logs() as logs:
        row = await ringing(other_store, "t2", first=p.only_asked)
        assert [found.id for found, _ in await other_store.unclosed()] == [row.id]
    assert [entry["transfer"] for entry in logs if entry["log_level"] == "error"] == [T1]
    assert tables(path) == (0, 1)


async def test_a_database_that_is_locked_meanwhile_is_written_when_it_is_free(office, path):
    row = await ringing(office)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        asked = asyncio.create_task(office.transfer(T1))
        await asyncio.sleep(0.05)
        assert not asked.done()
        other.execute("ROLLBACK")
    assert await asked == row
