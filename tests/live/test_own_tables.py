"""Agents and toggles from a CRM, on a real PBX: rung, told by phone that the CRM decides, shown by the lamp."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest_asyncio

from callcontrol.core.model import Missed, MissedBecause
from tests.lab import Lab
from tests.lab.rendering import SOUNDS
from tests.lab.site import Site, directory, site

SCHEMA = """
    CREATE TABLE staff (login, display_name, employed, timezone, desk_phone, presence);
    INSERT INTO staff VALUES ('alice', 'Alice', 1, 'Europe/Berlin', 'alice', 'ready');
"""
AGENTS = """
    SELECT login AS id, display_name AS name, employed AS active, timezone AS zone, NULL AS phone,
           desk_phone AS extension
    FROM staff
"""
AVAILABILITY = "SELECT login AS agent_id, presence = 'ready' AS available FROM staff"


@dataclass
class Crm:
    file: Path

    def run(self, statements: str) -> None:
        with closing(sqlite3.connect(self.file)) as database:
            database.executescript(statements)


@pytest_asyncio.fixture(loop_scope="session")
async def crm(tmp_path: Path) -> Crm:
    made = Crm(tmp_path / "crm.db")
    made.run(SCHEMA)
    return made


@pytest_asyncio.fixture(loop_scope="session")
async def own(lab: Lab, running_company: Site, tmp_path: Path, crm: Crm) -> AsyncIterator[Site]:
    """Alice is in the CRM only; the other tests' daemon rests meanwhile."""
    people = directory(solo={"pattern": "assigned", "fallbacks": [], "ring_timeout_s": 5})
    people["agents"] = [agent for agent in people["agents"] if agent["id"] != "alice"]
    tables = {"url": f"sqlite:///{crm.file}", "agents": AGENTS, "availability": AVAILABILITY}
    more = {"own_tables": tables | {"agents_every_s": 1}}
    await running_company.stop()
    try:
        async with site(lab, tmp_path / "own", people, more=more) as company:
            yield company
    finally:
        await running_company.start()


async def test_an_agent_of_the_crm_takes_the_lead_until_the_crm_says_otherwise(own: Site, lab: Lab, crm: Crm):
    call = await lab.call("lead")
    transfer = await own.asks(call, bot="solo")
    await own.phase(transfer, "joined")
    assert await own.winner(transfer) == "Alice"
    await call.bot.hang_up()
    await own.outcome(transfer)
    await call.lead.hang_up()
    await lab.phone("alice").is_idle(15)
    crm.run("UPDATE staff SET presence = 'away'")
    lamp = await lab.lamp("alice")
    await lamp.until("on")
    second = await lab.call("lead")
    missed = await own.asks(second, bot="solo")
    row = await own.outcome(missed)
    assert row.outcome == Missed(because=MissedBecause.NO_ONE_AVAILABLE)


async def test_the_phone_says_that_the_crm_decides_and_the_lamp_stays_true(own: Site, lab: Lab):
    lamp = await lab.lamp("alice")
    await lamp.until("off")
    await lab.phone("alice").dials("*51")
    await lab.phone("alice").is_idle(15)
    assert lab.heard_prompt("alice", SOUNDS / "agent-elsewhere.ulaw")
    assert lamp.shows == "off"
    await lab.phone("alice").dials("*5330")
    await lamp.until("held")
    await lab.phone("alice").is_idle(15)
    await lab.phone("alice").dials("*50")
    await lamp.until("off")
    await lab.phone("alice").is_idle(15)
    assert lab.heard_prompt("alice", SOUNDS / "agent-available.ulaw")
