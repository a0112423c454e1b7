"""An outbox with the usual directory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.adapters.store import people as p
from tests.outbox.desk import Desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    await desk.store.ensure_schema()
    await desk.store.apply(p.DIRECTORY)
    yield desk
    await desk.store.close()
