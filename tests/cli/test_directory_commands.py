"""The directory as code, and edited live: `apply`, `export`, `agents`, `pools`, `rules`, `schedule`."""

import asyncio
import contextlib
import os
import pty
import sqlite3

import pytest

from tests.cli.conftest import Site


def edit(site: Site, old: str, new: str) -> None:
    file = site.folder / "config" / "directory.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


async def test_apply_shows_a_plan_and_writes_nothing_where_nobody_can_be_asked(site):
    edit(site, "agents: [alice, bob]", "agents: [alice]")
    edit(
        site,
        "  - name: people who want to sell\n    when: { intent: sell }",
        "  - name: sellers\n    when: always",
    )
    plan = await site.run("apply", "config/directory.yaml")
    assert plan.code == 1
    assert plan.out.splitlines() == [
        "~ pool buyers: members alice, bob -> alice",
        "+ rule sellers: added",
        "- rule people who want to sell: removed",
        "1 added, 1 changed, 1 removed",
    ]
    assert plan.err == "nothing is written: there is nobody to ask; say --yes to write it\n"
    dry = await site.run("apply", "config/directory.yaml", "--dry-run", "--yes")
    assert (dry.code, dry.out) == (0, plan.out)
    written = await site.run("apply", "config/directory.yaml", "--yes", "--json")
    assert written.code == 0
    assert written.json["written"]
    assert len(written.json["changes"]) == 3
    assert (await site.run("apply", "config/directory.yaml")).out == "nothing to change\n"


@pytest.mark.parametrize(("answer", "written", "code"), [("y\n", True, 0), ("n\n", False, 1)])
async def test_on_a_terminal_apply_asks_and_does_as_told(site, answer, written, code):
    edit(site, "agents: [alice, bob]", "agents: [alice]")
    controller, terminal = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *site.argv("apply", "config/directory.yaml"),
        stdin=terminal,
        stdout=asyncio.subprocess.PIPE,
        cwd=site.folder,
        env=site.environment,
    )
    os.write(controller, answer.encode())
    async with asyncio.timeout(30):
        out, _ = await process.communicate()
    os.close(terminal)
    os.close(controller)
    assert process.returncode == code
    assert b"Write this?" in out
    assert (b"written" in out) == written
    left = await site.run("apply", "config/directory.yaml", "--dry-run")
    assert (left.out == "nothing to change\n") == written


async def test_what_is_exported_is_applied_without_a_change(site):
    exported = await site.run("export")
    assert exported.code == 0
    assert "Lena" not in exported.out  # leads are personal data, and only given on demand
    assert "Lena Lead" in (await site.run("export", "--leads")).out
    assert (await site.run("export", "again.yaml")).code == 0
    assert (site.folder / "again.yaml").read_text() == exported.out
    assert (await site.run("apply", "again.yaml")).out == "nothing to change\n"


async def test_an_empty_database_has_nothing_to_export(site):
    (site.folder / "var" / "callcontrol.db").unlink()
    ran = await site.run("export")
    assert ran.code == 4
    assert "the database has no directory yet" in ran.err


async def test_a_directory_that_strands_a_bot_is_refused_with_its_line(site):
    edit(site, "tags: [senior]", "tags: [junior]")
    edit(site, "    agents: [alice, bob]", "    tags: [senior]")
    told = await site.run("apply", "config/directory.yaml", "--dry-run")
    assert told.code == 0  # the bot has fallbacks
    assert "pools[0]: nobody can be in pool 'buyers' as it stands" in told.err
    text = (site.folder / "config" / "directory.yaml").read_text()
    start, end = text.index("    fallbacks:"), text.index("    # fallback_all_at_once")
    (site.folder / "config" / "directory.yaml").write_text(text[:start] + text[end:])
    ran = await site.run("apply", "config/directory.yaml", "--yes")
    assert ran.code == 2
    line = text[: text.index("  - id: buyers")].count("\n") + 1
    said = f"config/directory.yaml:{line}: pools[0]: nobody can be in pool 'buyers', so rule"
    assert ran.err.startswith(said)
    assert "strands bot qualifier; give an active agent with hours the tags senior" in ran.err


async def test_agents_rest_and_return_with_every_term_shown(site):
    resting = (await site.run("agents", "alice", "--rest", "30", "--why", "lunch", "--json")).json[0]
    assert (resting["rings"], resting["state"]) == (False, "resting")
    [against] = [term for term in resting["terms"] if not term["holds"]]
    assert against["term"] == "not resting"
    assert against["value"].startswith("lunch until ")
    shown = await site.run("agents", "alice")
    assert "not resting: lunch until" in shown.out
    assert "line states unknown: no daemon answers" in shown.out
    back = (await site.run("agents", "alice", "--return", "--json")).json[0]
    assert (back["rings"], back["state"], back["standing"]["strikes"]) == (True, "available", 0)
    assert (await site.run("agents", "--rest", "30")).code == 2
    assert (await site.run("agents", "alice", "--rest", "30", "--return")).code == 2
    assert (await site.run("agents", "zoe", "--rest", "5")).code == 4


async def test_pools_are_listed_and_changed_by_name(site):
    assert "tags lang:es" in (await site.run("pools")).out
    changed = await site.run("pools", "buyers", "--add", "carol", "--remove", "bob", "--json")
    assert changed.json[0]["agents"] == ["alice", "carol"]
    again = await site.run("pools", "buyers", "--add", "carol")
    assert again.code == 0
    for arguments, code, said in (
        (("buyers", "--add", "zoe"), 4, "no agent 'zoe'"),
        (("byers", "--add", "bob"), 4, "no pool 'byers'"),
        (("buyers", "--remove", "alice", "--remove", "carol"), 4, "would be left empty"),
        (("spanish", "--add", "bob"), 4, "is whoever has the tags lang:es"),
        (("--add", "bob"), 2, "name the pool"),
    ):
        ran = await site.run("pools", *arguments)
        assert (ran.code, said in ran.err) == (code, True), ran.err
    assert (await site.run("pools", "buyers", "--json")).json[0]["agents"] == ["alice", "carol"]


async def test_rules_are_listed_in_order_and_tried_on_a_lead_and_on_facts(site):
    assert [rule["pool"] for rule in (await site.run("rules", "--json")).json] == [
        "spanish",
        "buyers",
        "sellers",
    ]
    assert "{source: [zillow, trulia]}" in (await site.run("rules")).out
    of_lead = (await site.run("rules", "test", "--lead", "lead-1", "--json")).json
    assert [(verdict["chosen"], verdict["why"]) for verdict in of_lead] == [
        (False, "language is absent, not: prefix es"),
        (True, "fits"),
        (False, "intent is buy, not: is sell"),
    ]
    facts = ("--fact", "language=es-MX", "--fact", "source=Zillow", "--at")
    day = (await site.run("rules", "test", *facts, "2026-06-01T12:00-06:00", "--json")).json
    assert [verdict["why"] for verdict in day][:2] == ["fits", "fits too, but comes later"]
    night = (await site.run("rules", "test", *facts, "2026-06-01T23:00-06:00")).out
    assert "not at Mon 23:00 America/Denver" in night
    assert "no rule fits" in (await site.run("rules", "test", "--fact", "intent=rent")).out
    for wrong, code in (
        (("--fact", "x"), 2),
        (("--lead", "nobody"), 4),
        (("--bot", "nobody"), 4),
        (("--at", "noon"), 2),
    ):
        assert (await site.run("rules", "test", *wrong)).code == code, wrong


async def test_rules_are_added_moved_and_removed_by_name(site):
    added = await site.run(
        "rules", "add", "rich", "--when", "{fact: budget, at_least: 500000}", "--pool", "sellers",
        "--before", "portals go to the buyers' team",
    )  # fmt: skip
    assert added.code == 0, added.err
    assert "rule rich: added" in added.out
    names = [rule["name"] for rule in (await site.run("rules", "--json")).json]
    assert names.index("rich") == 1
    moved = await site.run("rules", "move", "rich")
    assert moved.out.startswith("rules: order ")
    assert (await site.run("rules", "--json")).json[-1]["name"] == "rich"
    assert "rule rich: removed" in (await site.run("rules", "remove", "rich")).out
    for arguments, code, said in (
        (("add", "x", "--when", "{budget: {at_least: 5}}", "--pool", "sellers"), 2, "--when:1: when"),
        (("add", "x", "--when", "{during: {mon: '08:00-10:00'}}", "--pool", "sellers"), 2, "has no zone"),
        (("add", "x", "--when", "always", "--pool", "nobody"), 4, "no pool 'nobody'"),
        (("add", "people who want to sell", "--when", "always", "--pool", "sellers"), 4, "already"),
        (("add", "x", "--when", "always", "--pool", "sellers", "--before", "y"), 4, "no rule 'y'"),
        (("move", "y"), 4, "no rule 'y'"),
        (("remove", "y"), 4, "no rule 'y'"),
    ):
        ran = await site.run("rules", *arguments)
        assert (ran.code, said in ran.err) == (code, True), (arguments, ran.err)
    assert (await site.run("apply", "config/directory.yaml")).out == "nothing to change\n"


async def test_an_agent_joins_a_pool_by_a_tag_given_by_command(site):
    changed = await site.run("agents", "bob", "--tag", "lang:es", "--untag", "lang:en", "--json")
    assert changed.json[0]["tags"] == ["lang:es"]
    assert "bob" in (await site.run("pools", "spanish", "--json")).json[0]["agents"]
    assert (await site.run("agents", "bob", "--tag", "no tag")).code == 2
    assert (await site.run("agents", "zoe", "--tag", "new")).code == 4


async def test_a_week_of_an_agents_hours_is_shown_with_exceptions(site):
    shown = await site.run("schedule", "show", "bob", "--week", "--from", "2026-12-21", "--json")
    hours = {day["on"]: (day["open"], day["why"]) for day in shown.json}
    usual = ["08:00-12:00", "13:00-17:30"]
    assert hours == {
        "2026-12-21": (usual, ""),
        "2026-12-22": (usual, ""),
        "2026-12-23": (usual, ""),
        "2026-12-24": (["10:00-14:00"], "Christmas Eve"),
        "2026-12-25": ([], "Christmas Day"),
        "2026-12-26": (["22:00-24:00"], ""),
        "2026-12-27": (["00:00-02:00"], ""),
    }
    grid = (await site.run("schedule", "show", "bob", "--from", "2026-12-24")).out
    assert "Bob Brown, America/New_York" in grid
    assert "····████████····" in grid
    assert (await site.run("schedule", "show", "zoe")).code == 4
    assert (await site.run("schedule", "show", "bob", "--from", "soon")).code == 2


async def test_the_sites_own_tables_say_who_is_available_and_which_lead_it_is(site):
    crm = site.folder / "config" / "crm.db"
    with contextlib.closing(sqlite3.connect(crm)) as database, database:
        database.execute(
            "CREATE TABLE contact (no TEXT, who TEXT, tel TEXT, mail TEXT, origin TEXT, budget INT)"
        )
        database.execute("INSERT INTO contact VALUES ('c-7', 'Cora', '+13035550177', '', 'Trulia', 250000)")
        database.execute("CREATE TABLE staff (login TEXT, duty TEXT)")
        database.execute("INSERT INTO staff VALUES ('alice', 'no'), ('carol', 'yes')")
    lead = (
        "SELECT no AS lead_id, who AS name, tel AS phone, mail AS email, origin AS source,"
        " NULL AS assigned_agent_id, budget FROM contact WHERE no = :lead_id"
    )
    duty = "SELECT login AS agent_id, duty AS available FROM staff WHERE login IN (:agent_ids)"
    own = f"own_tables:\n  url: sqlite:///crm.db\n  lead: {lead}\n  availability: {duty}\n"
    site.config.write_text(site.config.read_text() + own)
    tried = (await site.run("rules", "test", "--lead", "c-7", "--json")).json
    assert [verdict["rule"] for verdict in tried if verdict["chosen"]] == ["portals go to the buyers' team"]
    told = await site.run("explain", "--lead", "c-7", "--bot", "qualifier", "--json")
    assert told.code == 0, told.err
    group = told.json["attempts"][1]
    terms = {one["agent"]: {t["term"]: t["value"] for t in one["terms"]} for one in group["considered"]}
    assert terms["alice"]["available"] == "off"
    listed = {agent["id"]: agent["available"] for agent in (await site.run("agents", "--json")).json}
    assert (listed["alice"], listed["carol"]) == (False, True)
    broken = site.config.read_text().replace("WHERE no = :lead_id", "WHERE no = :contact")
    site.config.write_text(broken)
    ran = await site.run("agents")
    assert ran.code == 2
    assert "own_tables: own tables, query 'lead': its parameters are :contact; write :lead_id" in ran.err
