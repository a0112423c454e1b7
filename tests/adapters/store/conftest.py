"""The store on both databases. No test sees what another one wrote."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from callcontrol.adapters.sql import SqlStore, upgrade
from callcontrol.adapters.sql.schema import metadata
from tests.adapters.store import people
from tests.adapters.store.crowd import crowd
from tests.adapters.store.server import Server, running


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_database(server: Server) -> str:
    name = server.new_database()
    upgrade(server.url(name))
    return name


@pytest.fixture(scope="session")
def shared_database(server: Server, migrated_database: str) -> str:
    """Emptied for each test: that is ten times faster than a new one."""
    return server.new_database(migrated_database)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("migrated") / "store.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without a table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    server: Server = request.getfixturevalue("server")
    return server.url(server.new_database())


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with the schema and nothing else."""
    if request.param == "sqlite":
        path = tmp_path / "store.db"
        shutil.copy(request.getfixturevalue("migrated_file"), path)
        return f"sqlite:///{path}"
    server: Server = request.getfixturevalue("server")
    shared: str = request.getfixturevalue("shared_database")
    tables = ", ".join(f'"{name}"' for name in metadata.tables)
    server.execute(f"TRUNCATE {tables} RESTART IDENTITY; INSERT INTO directory VALUES (1, 1)", shared)
    return server.url(shared)


@pytest.fixture
async def store(url: str) -> AsyncIterator[SqlStore]:
    store = SqlStore(url)
    yield store
    await store.close()


@pytest.fixture
async def other_store(url: str) -> AsyncIterator[SqlStore]:
    """Another daemon's, on the same database."""
    store = SqlStore(url)
    yield store
    await store.close()


@pytest.fixture
async def office(store: SqlStore) -> SqlStore:
    """The store with the usual directory in it."""
    await store.apply(people.DIRECTORY)
    return store


@pytest.fixture
async def house(store: SqlStore) -> SqlStore:
    """Three agents, rung one at a time as they are listed."""
    await store.apply(crowd(3))
    return store
