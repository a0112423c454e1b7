"""`callcontrol tasks`, beside a daemon whose transfer has just been called off."""

import asyncio
import re

import httpx
import pytest

from tests.cli.conftest import Daemon, Site


@pytest.fixture
async def site(daemon: Daemon, site: Site) -> Site:
    asked = await site.run("transfer", daemon.lead, "--bot", "qualifier", "--lead", "lead-1")
    [port] = re.findall(r"port: (\d+)\n  tokens", site.config.read_text())
    token = (site.config.parent / "secrets" / "api-token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as http:
        answer = await http.post(f"/v1/transfers/{asked.out.strip()}/cancel", json={})
        answer.raise_for_status()
    async with asyncio.timeout(10):
        while not (await site.run("tasks", "--json")).json:
            await asyncio.sleep(0.05)
    return site


async def test_a_task_is_listed_claimed_noted_and_done(site: Site):
    [task] = (await site.run("tasks", "--state", "open", "--json")).json
    number = str(task["id"])
    claimed = await site.run("tasks", "claim", number, "--by", "alice", "--json")
    assert (claimed.json["state"], claimed.json["claimed_by"]) == ("claimed", "alice")
    assert (await site.run("tasks", "--state", "open", "--json")).json == []
    other = await site.run("tasks", "claim", number, "--by", "bob")
    assert (other.code, other.err) == (4, f"task {number} is claimed by alice\n")
    assert (await site.run("tasks", "note", number, "Mailbox.", "--by", "alice")).code == 0
    listed = (await site.run("tasks")).out
    assert "claimed by alice" in listed
    assert "Call back Lena Lead" in listed
    done = await site.run("tasks", "done", number, "--by", "alice", "--how", "Met her.")
    assert "Met her." in done.out
    assert "Mailbox." in done.out
    shown = (await site.run("tasks", "show", number, "--json")).json
    assert (shown["state"], shown["done"]["by"], shown["notes"][0]["text"]) == ("done", "alice", "Mailbox.")
    late = await site.run("tasks", "done", number, "--by", "bob")
    assert (late.code, late.err) == (4, f"task {number} is done already: by alice, Met her.\n")


async def test_what_makes_no_sense_is_said_to_be_so(site: Site):
    assert (await site.run("tasks", "show", "99")).code == 4
    assert (await site.run("tasks", "claim", "x")).code == 2
    assert (await site.run("tasks", "claim", "1", "--by", " ")).code == 2
    assert (await site.run("tasks", "note", "1", "\x07", "--by", "alice")).code == 2
    assert (await site.run("tasks", "--state", "late")).code == 2
    assert (await site.run("tasks", "--owner", "nobody", "--json")).json == []
    assert (await site.run("tasks", "--overdue", "--json")).json == []
