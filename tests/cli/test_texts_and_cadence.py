"""Texts before anybody gets them, cadences by command, and a daemon that tells a CRM what happens."""

import asyncio
import json
import re

import pytest

from tests.adapters.sms.provider import HANGS, Says, provider
from tests.adapters.webhook.test_gateway import verify  # noqa: F401 - a fixture
from tests.cli.conftest import start

PREVIEW = ("texts", "preview", "--bot", "qualifier", "--outcome")


def configure(site, text):
    site.config.write_text(site.config.read_text() + text)


async def test_a_text_is_shown_with_its_size_before_anybody_gets_it(site):
    told = (await site.run(*PREVIEW, "missed", "--lead", "lead-1", "--json")).json
    assert told["warnings"] == []
    assert [(one["recipient"], one["to"]) for one in told["texts"]] == [
        ("agent", "+13035550101"),
        ("owner", "+13035550100"),
    ]
    text = told["texts"][0]
    assert text["text"] == (
        "Missed live transfer (nobody answered): Lena Lead, +13035550199, lena@example.com, zillow."
        " Please call them back ASAP."
    )
    assert (text["encoding"], text["units"], text["segments"]) == ("GSM-7", len(text["text"]), 1)
    shown = await site.run(*PREVIEW, "connected")
    assert "Live transfer answered: " in shown.out
    assert "GSM-7" in shown.out
    overdue = (await site.run(*PREVIEW, "overdue", "--json")).json["texts"]
    assert [(one["recipient"], one["text"][:35]) for one in overdue] == [
        ("owner", "Nobody has called back for 20 min: ")
    ]
    gone = (await site.run(*PREVIEW, "missed", "--because", "lead_hung_up", "--json")).json
    assert "the lead hung up" in gone["texts"][0]["text"]


async def test_the_text_to_who_rests_is_shown_too(site):
    configure(site, "texts:\n  resting: '{{ misses }} missed, {{ recipient }}: dial {{ code }}'\n")
    told = (await site.run(*PREVIEW, "resting", "--lead", "lead-1", "--json")).json
    [text] = told["texts"]
    assert (text["recipient"], text["to"]) == ("agent", "+13035550101")
    assert text["text"].endswith(": dial *50")


async def test_a_preview_has_the_sites_own_words_pool_and_lists(site):
    configure(
        site, "texts:\n  missed: {pool: '😀 {{ lead.fields.intent }}', list: '{{ lead.fields.zip }}'}\n"
    )
    file = site.folder / "config" / "directory.yaml"
    directory = file.read_text().replace(
        "    # What an outcome", "    on_missed: {notify_pool: yes, notify_lists: desk}\n    # on_missed: {"
    )
    file.write_text(directory + "contacts: {desk: [{name: Desk, phone: '+13035550177'}]}\n")
    applied = await site.run("apply", "config/directory.yaml", "--yes")
    assert "notify_lists desk (Desk +13035550177)" in applied.out
    assert "notify_lists: [desk]" in (await site.run("export")).out
    told = (await site.run(*PREVIEW, "missed", "--lead", "lead-1", "--json")).json
    pool = told["texts"][-1]
    assert (pool["recipient"], pool["to"]) == ("pool", "+13035550101, +13035550102")
    assert (pool["text"], pool["encoding"]) == ("😀 buy", "UCS-2")
    (desk,) = [one for one in told["texts"] if one["to"] == "+13035550177"]
    assert desk["text"].startswith("Missed live transfer")
    (warning,) = told["warnings"]
    assert "the template for missed, list broke (UndefinedError)" in warning


async def test_an_unknown_bot_or_lead_is_exit_4(site):
    assert (await site.run("texts", "preview", "--bot", "zoe", "--outcome", "missed")).code == 4
    assert (await site.run(*PREVIEW, "missed", "--lead", "nobody")).code == 4


async def test_a_template_that_can_not_work_is_exit_2_with_file_line_and_key(site):
    configure(site, 'texts:\n  missed:\n    owner: "{{ lead.nmae }}"\n')
    line = site.config.read_text().count("\n")
    ran = await site.run("check")
    assert ran.code == 2
    assert f"callcontrol.yaml:{line}: texts.missed.owner: there is no lead.nmae" in ran.err


async def test_check_tries_the_texts_with_leads_that_mean_no_good(site):
    fine = await site.run("check", "--json")
    assert [found["ok"] for found in fine.json if found["subject"] == "texts"] == [True]
    configure(site, "texts:\n  missed: '{{ lead.fields.zip }}'\n  bots: {zoe: {missed: x}}\n")
    ran = await site.run("check", "--json")
    assert ran.code == 1
    wrong = {found["subject"]: found for found in ran.json if not found["ok"]}
    assert set(wrong) == {"texts", "texts of bot zoe"}
    assert "missed of bot qualifier, agent: the template for missed, agent broke" in wrong["texts"]["detail"]
    assert "preview" in wrong["texts"]["remedy"]


async def test_check_warns_where_a_missed_lead_would_go_unheard(site):
    file = site.folder / "config" / "directory.yaml"
    quiet = "    on_missed: {notify_agent: no, notify_owner: no, create_task: no}\n"
    file.write_text(file.read_text().replace("    # What an outcome", f"{quiet}    # What an outcome"))
    applied = await site.run("apply", "config/directory.yaml", "--yes")
    assert "bots[0].on_missed: bot 'qualifier': a missed lead is told to nobody" in applied.err
    ran = await site.run("check", "--json")
    assert ran.code == 1
    (wrong,) = [found for found in ran.json if not found["ok"]]
    assert wrong["subject"] == "bot qualifier: a missed lead is told to someone"


async def test_check_warns_of_a_webhook_that_anybody_can_read(site):
    configure(
        site,
        "webhooks:\n  - {name: crm, url: 'http://crm.example.com/x?key=hidden', secret_file: secrets/crm}\n",
    )
    assert "made " in (await site.run("init")).out
    ran = await site.run("check", "--json")
    (wrong,) = [found for found in ran.json if not found["ok"]]
    assert (wrong["subject"], "https" in wrong["remedy"]) == ("webhook crm", True)
    assert "hidden" not in ran.out


async def test_a_cadence_is_enrolled_claimed_completed_and_cancelled_by_command(site):
    enrol = ("cadence", "enrol", "lead-1", "seven days", "--key", "k")
    made = await site.run(
        *enrol, "--step", "text", "--step", "+1d=call", "--step", "2036-06-01T10:00=mail", "--json"
    )
    assert (await site.run(*enrol, "--step", "text", "--json")).json == made.json
    (step,) = (await site.run("cadence", "claim", "--worker", "me", "--json")).json
    assert (step["name"], step["lead"]["name"]) == ("text", "Lena Lead")
    assert "yours until" in (await site.run("cadence", "renew", step["claim"])).out
    assert (await site.run("cadence", "complete", step["claim"])).out == "done\n"
    (one,) = (await site.run("cadence", "list", "lead-1", "--json")).json
    assert [(s["name"], s["state"]) for s in one["steps"]] == [
        ("text", "done"),
        ("call", "pending"),
        ("mail", "pending"),
    ]
    assert "nothing" not in (await site.run("cadence", "claim", "--worker", "me")).out
    cancelled = await site.run("cadence", "cancel", "lead-1", "--by", "Olga", "--why", "asked not to")
    assert cancelled.out == "cancelled 2 steps\n"
    listed = (await site.run("cadence", "list", "lead-1")).out
    assert "Olga" in listed
    assert "asked not to" in listed
    assert (await site.run("cadence", "enrol", "nobody", "x", "--step", "text")).code == 4


async def test_a_step_that_was_cancelled_in_hand_is_exit_4_with_who_and_why(site):
    await site.run("cadence", "enrol", "lead-1", "x", "--step", "text")
    (step,) = (await site.run("cadence", "claim", "--worker", "me", "--json")).json
    cancelled = await site.run("cadence", "cancel", "lead-1", "--by", "Olga")
    assert cancelled.out == "cancelled 1 steps; a worker has in hand: text\n"
    for command in ("renew", "release", "complete"):
        ran = await site.run("cadence", command, step["claim"])
        assert ran.code == 4
        assert "cancelled by Olga" in ran.err
    assert "carried out all the same" in (await site.run("cadence", "list", "lead-1")).out


async def until(holds):
    async with asyncio.timeout(40):
        while not holds():
            await asyncio.sleep(0.05)


@pytest.fixture
async def crm():
    async with provider() as found:
        yield found


async def test_a_daemon_tells_the_crm_what_happens_signed_and_in_order(site, crm, verify):  # noqa: F811
    hook = f"{{name: crm, url: '{crm.url}/hooks', secret_file: secrets/crm, timeout_s: 1}}"
    configure(site, f"webhooks:\n  - {hook}\n")
    await site.run("init")
    secret = (site.folder / "config" / "secrets" / "crm").read_text().strip()
    await site.run("cadence", "enrol", "lead-1", "seven days", "--step", "text")
    crm.will(Says(503), HANGS, Says(200))  # the first is sent again, and the others wait for it
    daemon = await start(site)
    asked = await site.run("transfer", daemon.lead, "--bot", "qualifier", "--lead", "lead-1")
    await until(lambda: any(b'"transfer.ringing"' in one.body for one in crm.asked))
    token = (site.folder / "config" / "secrets" / "api-token").read_text().strip()
    await cancel(port_of(site), token, asked.out.strip())
    await until(lambda: any(b'"cadence.cancelled"' in one.body for one in crm.asked))
    await until(lambda: any(b'"transfer.missed"' in one.body for one in crm.asked))
    assert await daemon.ends(2) == 0
    seen: set = set()
    told = [json.loads(one.body) for one in crm.asked if verify(secret, one.headers, one.body, seen)]
    assert [one["type"] for one in told if not one["type"].startswith("task.")] == [
        "transfer.requested",
        "transfer.ringing",
        "transfer.missed",
        "cadence.cancelled",
    ]
    assert {one["data"]["lead"]["phone"] for one in told} == {"+13035550199"}
    assert len(crm.asked) == len(told) + 2  # the first came three times, with the same id
    log = daemon.log.read_text()
    assert secret not in log
    assert "5550199" not in log


def port_of(site):
    found = re.search(r"port: (\d+)\n  tokens", site.config.read_text())
    assert found
    return int(found[1])


async def cancel(port, token, transfer):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"POST /v1/transfers/{transfer}/cancel HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        "Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
    )
    assert b"202" in await reader.readline()
    writer.close()


async def test_a_daemon_writes_the_sites_own_words_and_the_usual_ones_where_they_break(site):
    configure(
        site,
        "texts:\n  pii: short\n  missed:\n    agent: 'Call {{ lead.who }} {{ lead.phone }}, {{ recipient }}'\n"
        "    owner: '{{ lead.fields.zip }}'\n",
    )
    daemon = await start(site)
    asked = await site.run("transfer", daemon.lead, "--bot", "qualifier", "--lead", "lead-1")
    token = (site.folder / "config" / "secrets" / "api-token").read_text().strip()
    await cancel(port_of(site), token, asked.out.strip())
    file = site.folder / "var" / "texts.jsonl"
    await until(lambda: file.exists() and file.read_text().count("\n") == 2)
    assert await daemon.ends(2) == 0
    told = {one["to"]: one["body"] for one in map(json.loads, file.read_text().splitlines())}
    assert told == {
        "+13035550101": "Call Lena ...0199, Alice Adams",
        "+13035550100": "Missed live transfer (the transfer was called off): Lena, ...0199."
        " Please call them back ASAP.",
    }
    log = daemon.log.read_text()
    assert "the template for missed, owner broke (UndefinedError)" in log
    assert "Lena" not in log
