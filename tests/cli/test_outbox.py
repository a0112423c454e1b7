"""`callcontrol outbox`, as a process on a database with messages in it."""

import re
import signal
from datetime import UTC, datetime

import httpx
import pytest

from callcontrol.adapters.sql import SqlStore
from callcontrol.ports import NewMessage, Setback
from tests.adapters.sms.provider import Says, provider
from tests.adapters.store import people as p
from tests.cli.conftest import Site, start

NOW = datetime.now(UTC)


@pytest.fixture
async def parked(site: Site) -> Site:
    """Three parked texts, the last of them in doubt, and one that waits."""
    store = SqlStore(f"sqlite:///{site.folder}/var/callcontrol.db")
    for number, doubtful in ((1, False), (2, False), (3, True), (4, None)):
        text = NewMessage(
            dedupe_key=str(number), to=f"+1303555010{number}", body=f"text {number}", recipient="owner"
        )
        await p.enqueue(store, [text], NOW)
        if doubtful is not None:
            [message] = await p.claim(store, 10, NOW, 60, via="twilio")
            setback = Setback(why="refused", retry_in_s=None, doubtful=doubtful)
            await store.message_failed(message, NOW, setback)
    await store.close()
    return site


async def states(site: Site) -> dict[str, str]:
    found = await site.run("outbox", "list", "--json")
    return {message["body"]: message["state"] for message in reversed(found.json)}


async def test_it_lists_what_was_parked_and_why(parked: Site):
    shown = await parked.run("outbox", "list", "--state", "parked")
    assert shown.code == 0
    assert "may have been sent" in shown.out
    assert "refused" in shown.out
    assert "text 4" not in shown.out
    sure = await parked.run("outbox", "list", "--gateway", "twilio", "--certain", "--json")
    assert [message["body"] for message in sure.json] == ["text 2", "text 1"]


async def test_it_sends_again_what_is_named_or_fits(parked: Site):
    done = await parked.run("outbox", "retry", "1", "--yes")
    assert (done.code, done.out.strip()) == (0, "1 message sent again")
    many = await parked.run("outbox", "retry", "--state", "parked", "--gateway", "twilio", "-y")
    assert many.out.strip() == "2 messages sent again"
    assert set((await states(parked)).values()) == {"queued"}


async def test_it_discards_what_is_named_or_fits(parked: Site):
    done = await parked.run("outbox", "discard", "--doubtful", "--yes")
    assert done.out.strip() == "1 message discarded"
    assert await states(parked) == {
        "text 1": "parked",
        "text 2": "parked",
        "text 3": "discarded",
        "text 4": "queued",
    }
    again = await parked.run("outbox", "retry", "3", "--yes")
    assert (again.code, "none of these messages" in again.err) == (4, True)


async def test_check_tells_that_a_person_is_waited_for(parked: Site):
    found = (await parked.run("check", "--json")).json
    [outbox] = [one for one in found if one["subject"] == "outbox"]
    assert (outbox["ok"], outbox["detail"]) == (False, "parked for a person: 3")
    assert "callcontrol outbox list --state parked" in outbox["remedy"]


async def test_it_asks_first_and_wants_to_know_what(parked: Site):
    unasked = await parked.run("outbox", "retry", "--state", "parked")  # nobody answers
    assert unasked.code != 0
    assert "1 may have been sent before" in unasked.out
    assert "3 messages to be sent again?" in unasked.out
    assert (await states(parked))["text 1"] == "parked"
    all_of_them = await parked.run("outbox", "discard", "--yes")
    assert (all_of_them.code, "a filter" in all_of_them.err) == (2, True)


GATEWAY = """sms:
  report_url: http://127.0.0.1:{port}
  gateways:
    - name: web
      type: http
      report_secret_file: secrets/web-reports
      values: {{token_file: secrets/api-token}}
      request:
        url: {url}/send
        headers: {{Authorization: "Bearer {{token}}"}}
        json: {{to: "{{to}}", text: "{{body}}", report: "{{report_url}}"}}
      id: id
      reports: {{state: status, delivered: ok, undelivered: failed, id: id}}
"""


async def test_a_daemon_sends_what_waits_and_takes_the_report_of_it(site: Site):
    store = SqlStore(f"sqlite:///{site.folder}/var/callcontrol.db")
    await p.enqueue(store, [NewMessage(dedupe_key="k", to="+1303", body="Hi", recipient="owner")], NOW)
    await store.close()
    async with provider() as server:
        server.will(Says(202, {"id": "m1"}))
        port = re.search(r"port: (\d+)\n  tokens", site.config.read_text())[1]
        site.change(r"sms:\n  gateway: file.*\n  path: .*\n", GATEWAY.format(url=server.url, port=port))
        assert f"made {site.folder}/config/secrets/web-reports" in (await site.run("init")).out
        daemon = await start(site)
        await daemon.until("message sent")
        [asked] = server.asked
        assert (asked.json["to"], asked.json["text"]) == ("+1303", "Hi")
        async with httpx.AsyncClient() as http:
            told = await http.post(asked.json["report"], json={"id": "m1", "status": "ok"})
        assert told.status_code == 204
        shown = (await site.run("outbox", "list", "--json")).json
        assert [(one["state"], one["gateway"], one["provider_id"], one["delivery"]) for one in shown] == [
            ("sent", "web", "m1", "delivered")
        ]
        assert "sent, delivered" in " ".join((await site.run("outbox", "list")).out.split())
        log = daemon.log.read_text()
        assert "+1303" not in log
        assert asked.json["report"].partition("secret=")[2].partition("&")[0] not in log
        assert await daemon.ends(signal.SIGTERM) == 0
