"""What a phone waits for: written in the event loop where nothing is in its way, else in its turn in a thread."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading

import pytest
import structlog
from sqlalchemy import select, update

from callcontrol.adapters.sql import schema
from callcontrol.adapters.sql.engine import make_engine
from callcontrol.adapters.sql.errors import NotHereError
from callcontrol.adapters.sql.here import SYNC_AFTER_S
from callcontrol.adapters.sql.runner import _TIDY_AFTER, Runner


@pytest.fixture
def url(tmp_path):
    engine = make_engine(url := f"sqlite:///{tmp_path}/here.db", 1)
    schema.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(schema.directory.insert().values(id=1, version=1, toggle_seq=0))
    engine.dispose()
    return url


def count_up(connection):
    """The version it wrote, and the thread it was in."""
    version = connection.scalars(
        update(schema.directory)
        .values(version=schema.directory.c.version + 1)
        .returning(schema.directory.c.version)
    ).one()
    return version, threading.current_thread()


async def version_of(runner):
    return await runner.read(lambda connection: connection.scalar(select(schema.directory.c.version)))


async def test_nothing_in_its_way_it_is_written_in_the_event_loop(url):
    runner = Runner(url)
    assert await runner.write_first(count_up) == (2, threading.current_thread())
    assert await version_of(runner) == 2
    await runner.close()


async def test_while_a_thread_writes_it_takes_its_turn_there(url):
    runner = Runner(url)
    held = threading.Event()
    holding = asyncio.create_task(runner.write(lambda _: held.wait(5)))
    await asyncio.sleep(0)
    first = asyncio.create_task(runner.write_first(count_up))
    await asyncio.sleep(0)
    assert not first.done()
    held.set()
    version, thread = await first
    assert version == 2
    assert thread is not threading.current_thread()
    await holding
    assert (await runner.write_first(count_up))[1] is threading.current_thread()
    await runner.close()


async def test_while_another_program_writes_it_waits_in_a_thread_and_not_in_the_loop(url):
    runner = Runner(url)
    engine = make_engine(url, 1)
    with engine.connect() as connection, connection.begin():
        first = asyncio.create_task(runner.write_first(count_up))
        await asyncio.sleep(0.05)  # the loop goes on
        assert not first.done()
    version, thread = await first
    assert version == 2
    assert thread is not threading.current_thread()
    engine.dispose()
    await runner.close()


async def test_much_to_read_first_is_read_in_a_thread(url):
    runner = Runner(url)
    here = threading.current_thread()

    def only_elsewhere(connection):
        if threading.current_thread() is here:
            count_up(connection)
            raise NotHereError
        return count_up(connection)

    version, thread = await runner.write_first(only_elsewhere)
    assert (version, thread is here) == (2, False), "what was written here before is undone"
    await runner.close()


async def test_what_the_question_itself_objects_to_is_told_and_undone(url):
    runner = Runner(url)

    def object_to(connection):
        count_up(connection)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await runner.write_first(object_to)
    assert await version_of(runner) == 1
    assert await runner.write_first(count_up) == (2, threading.current_thread())
    await runner.close()


WRITES = """
import asyncio, os, signal, sys
from callcontrol.adapters.sql.here import SYNC_AFTER_S
from callcontrol.adapters.sql.runner import _TIDY_AFTER, Runner
from tests.adapters.store.test_here import count_up

async def write():
    runner = Runner(sys.argv[1])
    for _ in range(10):
        await runner.write_first(count_up)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(write())
"""


async def test_what_was_written_outlives_a_process_that_is_killed_at_once(url):
    killed = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", WRITES, url], check=False, timeout=60
    )
    assert killed.returncode == -9
    with sqlite3.connect(url.removeprefix("sqlite:///")) as database:
        assert database.execute("SELECT version FROM directory").fetchall() == [(11,)]
    database.close()


async def test_the_log_does_not_grow_for_ever(url, tmp_path):
    runner = Runner(url)
    for _ in range(3 * _TIDY_AFTER):
        await runner.write_first(count_up)
    async with asyncio.timeout(5):
        while runner._writing:
            await asyncio.sleep(0.001)
    for _ in range(3):
        await runner.write_first(count_up)  # the log is begun again
    size = (tmp_path / "here.db-wal").stat().st_size
    for _ in range(2 * _TIDY_AFTER):
        await runner.write_first(count_up)
        await asyncio.sleep(0)
    assert (tmp_path / "here.db-wal").stat().st_size <= size
    await runner.close()


@pytest.fixture
def synchronised(monkeypatch):
    """One for each time the log was synchronised."""
    found = []
    really = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda file: (really(file), found.append(file)))
    return found


async def test_it_is_synchronised_a_moment_later_with_what_came_meanwhile(url, synchronised):
    runner = Runner(url)
    await runner.write_first(count_up)
    await runner.write_first(count_up)
    assert synchronised == []
    async with asyncio.timeout(5):
        while not synchronised:
            await asyncio.sleep(0.001)
    await asyncio.sleep(2 * SYNC_AFTER_S)
    assert len(synchronised) == 1
    await runner.close()
    assert len(synchronised) == 1


async def test_it_is_synchronised_before_the_store_is_closed(url, synchronised):
    runner = Runner(url)
    await runner.write_first(count_up)
    await runner.close()
    assert len(synchronised) == 1


async def test_a_log_that_cannot_be_synchronised_is_told(url, tmp_path):
    runner = Runner(url)
    await runner.write_first(count_up)
    runner._here._log = str(tmp_path)  # no file to write to
    with structlog.testing.capture_logs() as logs:
        await runner.close()
    assert [line["event"] for line in logs] == ["the database's log could not be synchronised"]
