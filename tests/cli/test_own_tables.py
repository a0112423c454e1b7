"""A site whose agents and toggles are in its CRM, by the commands and a running daemon."""

import sqlite3
from contextlib import closing

import pytest
import yaml

from tests.cli.conftest import ROOT, Daemon, Site

SCHEMA = """
    CREATE TABLE contacts (contact_no, full_name, mobile, mail, campaign, owner_login, region, deal_size);
    CREATE TABLE staff (login, display_name, employed, timezone, mobile, desk_phone, team, speaks, presence);
    INSERT INTO contacts VALUES ('c1', 'Carl', '+13035550142', '', 'zillow', 'zoe', 'CO', 5);
    INSERT INTO staff VALUES ('zoe', 'Zoe Z', 1, 'UTC', '+13035550143', 'zoe', 'senior', 'es', 'ready');
"""


def run(site: Site, statements: str) -> None:
    with closing(sqlite3.connect(site.folder / "crm.db")) as crm:
        crm.executescript(statements)


@pytest.fixture
def crm(site: Site) -> Site:
    """The shipped example, on a database of its own."""
    example = yaml.safe_load((ROOT / "config" / "own-tables-example.yaml").read_text())
    run(site, SCHEMA)
    example["own_tables"] |= {"url": f"sqlite:///{site.folder / 'crm.db'}", "agents_every_s": 1}
    site.config.write_text(f"{site.config.read_text()}\n{yaml.safe_dump(example)}")
    return site


async def test_agents_of_the_crm_are_listed_routed_to_and_named_in_the_directory(crm):
    listed = (await crm.run("agents", "--json")).json
    assert [agent["id"] for agent in listed] == ["alice", "bob", "carol", "zoe"]
    told = await crm.run("explain", "--lead", "c1", "--bot", "qualifier")
    assert "1. assigned: Zoe Z (extension zoe)" in told.out
    spanish = (await crm.run("pools", "spanish", "--json")).json[0]
    assert spanish["agents"] == ["alice", "carol", "zoe"]
    added = await crm.run("pools", "buyers", "--add", "zoe")
    assert "pool buyers: members alice, bob -> alice, bob, zoe" in added.out
    shown = await crm.run("schedule", "show", "zoe", "--week", "--json")
    assert [day["open"] for day in shown.json] == [["00:00-24:00"]] * 7
    exported = await crm.run("export", "again.yaml")
    assert exported.code == 0
    assert "Zoe" not in (crm.folder / "again.yaml").read_text()
    assert (await crm.run("apply", "again.yaml")).out == "nothing to change\n"
    assert "agents taken over: 1" in (await crm.run("check", "--json")).out
    run(
        crm,
        "DELETE FROM staff WHERE login = 'zoe'; INSERT INTO staff SELECT 'yan', 'Yan', 1, 'UTC', '', 'yan', '', '', ''",
    )
    gone = await crm.run("apply", "again.yaml")
    assert gone.code == 2
    assert "there is no agent 'zoe' in this file, nor in the site's own table" in gone.err


async def test_a_toggle_that_the_crm_has_is_refused_in_words(crm):
    ran = await crm.run("agents", "zoe", "--off")
    assert (ran.code, ran.err) == (4, "who is available is in the site's own tables: change it there\n")
    tagged = await crm.run("agents", "zoe", "--tag", "new")
    assert (tagged.code, "change the tags there" in tagged.err) == (4, True)
    assert (await crm.run("agents", "zoe", "--rest", "5", "--json")).json[0]["state"] == "resting"


async def test_a_running_daemon_takes_over_who_comes_and_says_what_is_wrong(crm: Site, daemon: Daemon):
    run(crm, "INSERT INTO staff VALUES ('xia', 'Xia', 1, 'Mars/Base', '', 'xia', '', '', 'ready')")
    await daemon.until("agent 'xia' is left as it was: 'Mars/Base' is no IANA time zone")
    run(crm, "UPDATE staff SET timezone = 'UTC'")
    await daemon.until("the site's own tables are well again")
    run(crm, "ALTER TABLE staff RENAME TO crew")
    await daemon.until("own tables, query 'agents'")
    listed = (await crm.run("agents", "--json")).json
    assert [agent["id"] for agent in listed] == ["alice", "bob", "carol", "xia", "zoe"]
