"""The commands as processes, with a daemon on the simulated switch."""

import asyncio
import json
import re
import signal

import pytest

from tests.cli.conftest import free_port, start


async def test_init_makes_what_is_missing_for_nobody_else_to_read_and_leaves_what_is_there(site):
    modes = {
        "config/callcontrol.yaml": 0o644,
        "config/directory.yaml": 0o644,
        "config/secrets": 0o700,
        "config/secrets/ami": 0o600,
        "config/secrets/api-token": 0o600,
        "var": 0o755,
        "var/callcontrol.db": 0o600,
    }
    assert {name: (site.folder / name).stat().st_mode & 0o777 for name in modes} == modes
    before = (site.folder / "config" / "secrets" / "ami").read_text()
    (site.folder / "config" / "secrets" / "api-token").unlink()
    again = await site.run("init")
    assert again.code == 0
    assert [line for line in again.out.splitlines() if line.startswith("made")] == [
        f"made {site.folder}/config/secrets/api-token"
    ]
    assert (site.folder / "config" / "secrets" / "ami").read_text() == before


async def test_a_directory_applied_again_has_nothing_to_change(site):
    assert (await site.run("apply", "config/directory.yaml")).out == "nothing to change\n"
    assert (await site.run("apply", "config/directory.yaml", "--json")).json == {
        "changes": [],
        "written": False,
    }


async def test_a_directory_that_is_wrong_is_exit_2_with_its_line_and_changes_nothing(site):
    file = site.folder / "config" / "directory.yaml"
    file.write_text(file.read_text().replace("agents: [alice, bob]", "agents: [alice, bobb]"))
    ran = await site.run("apply", "config/directory.yaml")
    assert ran.code == 2
    assert re.fullmatch(
        r"config/directory.yaml:\d+: pools\[0\]\.agents\[1\]: there is no agent 'bobb' in this file;"
        r" did you mean 'bob'\?\n",
        ran.err,
    )


async def test_check_is_exit_1_where_something_is_missing(site):
    full = await site.run("check")
    assert full.code == 0
    assert "database writable" in full.out
    (site.folder / "var" / "callcontrol.db").unlink()
    await site.run("db", "upgrade")
    empty = await site.run("check", "--json")
    assert empty.code == 1
    assert [found["subject"] for found in empty.json if not found["ok"]] == ["directory"]


async def test_check_says_that_the_pbx_is_away_and_what_to_do(site):
    site.change("pbx: simulated", "pbx: asterisk")
    site.change("port: 5038", f"port: {free_port()}")
    ran = await site.run("check", "--json")
    assert ran.code == 1
    wrong = [found for found in ran.json if not found["ok"]]
    assert wrong
    assert all(found["remedy"] for found in wrong)


async def test_agents_are_listed_and_switched(site):
    ran = await site.run("agents", "bob", "--off", "--json")
    assert [(agent["id"], agent["available"]) for agent in ran.json] == [("bob", False)]
    assert "Carol Clark" in (await site.run("agents")).out
    assert (await site.run("agents", "zoe", "--off")).code == 4
    assert (await site.run("agents", "zoe")).code == 4


async def test_without_a_daemon_a_transfer_is_exit_3_in_one_line(site):
    ran = await site.run("transfer", "lead-1", "--bot", "qualifier", "--lead", "lead-1")
    assert ran.code == 3
    assert ran.err.count("\n") == 1
    assert "callcontrol serve" in ran.err


async def test_a_transfer_is_asked_for_watched_listed_and_told(daemon):
    site = daemon.site
    asked = await site.run("transfer", daemon.lead, "--bot", "qualifier", "--lead", "lead-1", "--key", "k")
    assert asked.code == 0, asked.err
    transfer = asked.out.strip()
    again = await site.run("transfer", daemon.lead, "--bot", "qualifier", "--lead", "lead-1", "--key", "k")
    assert again.out.strip() == transfer
    assert transfer in (await site.run("transfers")).out
    for name in ("last", transfer, transfer[:8]):
        shown = await site.run("show", name)
        assert shown.code == 0
        assert "Alice Adams" in shown.out
    told = (await site.run("show", "last", "--json")).json
    assert told["id"] == transfer
    assert told["timeline"][0]["what"] == "asks for an agent for Lena Lead"
    assert told["legs"][0]["agent"] == "alice"


async def test_a_watched_transfer_that_is_missed_is_exit_1_also_over_a_restart(daemon):
    site = daemon.site
    watching = asyncio.create_task(
        site.run("transfer", daemon.lead, "--bot", "qualifier", "--name", "Eve", "--watch", "--json")
    )
    await daemon.until("transfer started")
    assert await daemon.ends(signal.SIGTERM) == 0
    next_one = await start(site)  # another simulated switch: the lead's call is gone
    ran = await watching
    await next_one.ends(signal.SIGTERM)
    phases = [json.loads(line)["phase"] for line in ran.out.splitlines()]
    assert phases[0] == "looking"
    assert phases[-1] == "missed"
    assert ran.code == 1
    tasks = (await site.run("tasks", "--json")).json
    assert [task["state"] for task in tasks] == ["open"]


async def test_what_the_daemon_refuses_is_exit_4_with_its_reason(daemon):
    ran = await daemon.site.run("transfer", "gone", "--bot", "qualifier", "--lead", "lead-1")
    assert ran.code == 4
    assert "no live channel 'gone'" in ran.err
    ran = await daemon.site.run("transfer", "gone", "--bot", "q", "--lead", "x", "--token", "wrong")
    assert ran.code == 4
    assert "401" in ran.err


async def test_an_unknown_transfer_is_exit_4(site):
    assert (await site.run("show", "nothing")).code == 4
    assert (await site.run("show", "last")).code == 4


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_the_daemon_ends_on_a_signal_with_exit_0_and_says_what_it_leaves(daemon, how):
    await daemon.site.run("transfer", daemon.lead, "--bot", "qualifier", "--lead", "lead-1")
    assert await daemon.ends(how) == 0
    assert '"transfers_left_to_the_next_start": 1' in daemon.log.read_text()
    assert "Traceback" not in daemon.log.read_text()


async def test_a_second_daemon_on_the_same_port_says_so_with_exit_2(daemon):
    ran = await daemon.site.run("serve")
    assert ran.code == 2
    assert "is callcontrol running already?" in ran.err


async def test_a_wrong_configuration_is_exit_2_without_a_traceback_but_for_debug(site):
    site.change("level: info", "level: loud")
    ran = await site.run("transfers")
    assert ran.code == 2
    assert "logging.level: 'loud' is none of debug, info, warning, error" in ran.err
    assert "Traceback" not in ran.err
    assert "Traceback" in (await site.run("--debug", "transfers")).err


async def test_a_missing_configuration_is_exit_2_and_the_option_goes_before_the_environment(site):
    ran = await site.run("--config", "absent.yaml", "transfers")
    assert ran.code == 2
    assert "absent.yaml: there is no such file" in ran.err
    assert (await site.run("transfers", "--config", str(site.config))).code == 0


async def test_the_databases_schema_is_looked_at_and_upgraded(site):
    (site.folder / "var" / "callcontrol.db").unlink()
    empty = await site.run("db", "status", "--json")
    assert empty.code == 1
    assert empty.json["state"] == "empty"
    assert (await site.run("db", "upgrade")).code == 0
    assert (await site.run("db", "status")).code == 0


async def test_a_database_that_is_away_is_exit_3(site):
    site.change("url: sqlite:///callcontrol.db", f"url: postgresql://nobody@127.0.0.1:{free_port()}/x")
    for command in (("transfers",), ("db", "status"), ("serve",)):
        ran = await site.run(*command)
        assert ran.code == 3, (command, ran.err)
        assert "Traceback" not in ran.err


async def test_no_personal_data_and_no_secret_is_in_the_log(daemon):
    site = daemon.site
    secret = (site.folder / "config" / "secrets" / "api-token").read_text().strip()
    asked = ("--name", "Evangeline", "--phone", "+13035550142", "--summary", "Hates raccoons.")
    await site.run("transfer", daemon.lead, "--bot", "qualifier", *asked)
    await site.run("transfer", daemon.lead, "--bot", "qualifier", *asked)
    await daemon.ends(signal.SIGTERM)
    log = daemon.log.read_text()
    assert "transfer started" in log
    for canary in ("Evangeline", "5550142", "raccoons", secret):
        assert canary not in log


async def test_help_tells_the_exit_codes(site):
    ran = await site.run("--help")
    assert "Exit codes: 0 done" in ran.out
