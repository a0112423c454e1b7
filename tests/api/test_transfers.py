"""Asking for transfers over HTTP, following them, calling them off."""

import asyncio
import json
from dataclasses import replace

import httpx
import pytest

from callcontrol.api.factory import create_api
from callcontrol.api.gate import Token
from callcontrol.app.web import WebServer, listen
from tests.api.conftest import FULL, Office, eventually, running


async def until(office: Office, transfer: str, status: str) -> dict:
    async with asyncio.timeout(10):
        while True:
            answer = (await office.http.get(f"/v1/transfers/{transfer}")).json()
            if answer["status"] == status:
                return answer
            await asyncio.sleep(0.02)


async def until_joined(office: Office, transfer: str) -> dict:
    async with asyncio.timeout(10):
        while True:
            answer = (await office.http.get(f"/v1/transfers/{transfer}")).json()
            if any(leg["joined_at"] for leg in answer["legs"]):
                return answer
            await asyncio.sleep(0.02)


async def stream(office: Office, transfer: str, last: int | None = None) -> list[dict[str, str]]:
    """Every event of the stream, to its end."""
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    answer = await office.http.get(f"/v1/transfers/{transfer}/events", headers=headers, timeout=15)
    assert answer.headers["content-type"].startswith("text/event-stream")
    blocks = [block for block in answer.text.split("\n\n") if block.startswith("id: ")]
    return [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]


async def test_a_request_is_taken_with_202_and_says_where_to_look(office):
    answer = await office.asks()
    assert answer.status_code == 202
    body = answer.json()
    assert body["status"] == "open"
    assert answer.headers["location"] == body["links"]["self"] == f"/v1/transfers/{body['id']}"
    assert (await office.http.get(body["links"]["self"])).json()["lead"]["name"] == "Lena"


async def test_a_repeat_of_the_key_is_the_same_transfer(office):
    channel = office.pbx.call().lead
    first = await office.asks(channel=channel, key="k1")
    again = await office.asks(channel=channel, key="k1")
    headers = {"Idempotency-Key": "k1"}
    body = {"bot": "sami", "lead_id": "lena", "channel": channel, "summary": "Wants to sell."}
    by_header = await office.http.post("/v1/transfers", json=body, headers=headers)
    assert {first.status_code, again.status_code, by_header.status_code} == {202}
    assert first.json()["id"] == again.json()["id"] == by_header.json()["id"]
    assert await office.count() == 1


async def test_repeats_at_the_same_instant_are_one_transfer(office):
    channel = office.pbx.call().lead
    answers = await asyncio.gather(*(office.asks(channel=channel, key="k1") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await office.count() == 1


async def test_a_key_used_for_something_else_is_409(office):
    await office.asks(key="k1")
    answer = await office.asks(key="k1")  # another call
    assert answer.status_code == 409
    assert "key" in answer.json()["detail"]
    assert await office.count() == 1


async def test_two_different_keys_are_422(office):
    body = {"bot": "sami", "lead_id": "lena", "channel": "x", "summary": "", "key": "a"}
    answer = await office.http.post("/v1/transfers", json=body, headers={"Idempotency-Key": "b"})
    assert answer.status_code == 422
    assert "differ" in answer.json()["detail"]


async def test_a_channel_in_a_transfer_is_409_with_which(office):
    channel = office.pbx.call().lead
    first = await office.asks(channel=channel)
    answer = await office.asks(channel=channel)
    assert answer.status_code == 409
    assert answer.json()["transfer"] == first.json()["id"]
    assert await office.count() == 1


@pytest.mark.parametrize(
    ("change", "unknown"),
    [({"lead_id": "nobody"}, "lead"), ({"bot": "nobody"}, "bot"), ({"channel": "gone-1"}, "channel")],
)
async def test_what_is_unknown_is_404_with_which_and_nothing_happens(office, change, unknown):
    answer = await office.asks(**change)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["unknown"] == unknown
    assert await office.count() == 0
    assert [order for order in office.pbx.orders if order.verb == "ring"] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lead_id": None}, "give either lead_id or lead"),
        ({"lead": {"name": "X"}}, "give either lead_id or lead"),
        ({"lead_id": None, "lead": {}}, "lead: give the lead's name"),
        ({"lead_id": None, "lead": {"phone": "none", "name": "\n"}}, "lead: give the lead's name"),
        ({"lead_id": None, "lead": {"name": "X", "age": 3}}, "lead.age: is no field of this request"),
        ({"bott": "x"}, "bott: is no field of this request"),
        ({"bot": None}, "bot: is missing"),
        ({"bot": 3}, "bot: "),
        ({"summary": "x" * 2001}, "summary: "),
        ({"channel": "/SIP.*/"}, "channel: a channel is named by its unique id"),
        ({"channel": "a\r\nAction: Logoff"}, "channel: "),
        ({"channel": "x" * 129}, "channel: "),
        ({"key": "with space"}, "key: "),
        ({"bot": "a\x00b"}, "bot: "),
    ],
)
async def test_what_is_not_understood_is_422_with_the_field_and_nothing_happens(office, change, said):
    answer = await office.asks(**change)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert await office.count() == 0


async def test_a_body_that_is_no_json_is_422(office):
    headers = {"Content-Type": "application/json"}
    answer = await office.http.post("/v1/transfers", content=b'{"bot": ', headers=headers)
    assert answer.status_code == 422
    assert "not JSON" in answer.json()["detail"]
    answer = await office.http.post("/v1/transfers", content=b'{"bot": "\\ud800"}', headers=headers)
    assert answer.status_code == 422


async def test_what_was_sent_is_not_sent_back_with_the_reason(office):
    answer = await office.asks(summary="secret " * 400)
    assert "secret" not in answer.text


async def test_hostile_lead_text_goes_through_cleaned(office):
    lead = {
        "name": 'Eve\r\nAction: Hangup\x00 ${SHELL(id)}, "x" 😀 ' + "N" * 10_000,
        "phone": "+1 (303) 555-0142",
        "email": "eve@example.com\nBcc: x",
        "source": "http://evil.example/ web",
        "fields": {"intent\n": "sell\x00"},
    }
    answer = await office.asks(lead_id=None, lead=lead, summary="One.\nTwo.\x1b[31m")
    assert answer.status_code == 202
    found = answer.json()
    assert found["lead"]["phone"] == "+13035550142"
    assert len(found["lead"]["name"]) <= 200
    assert found["lead"]["source"] == "web"
    assert found["summary"] == "One. Two. [31m"
    text = json.dumps(found, ensure_ascii=False)
    assert not any(ord(character) < 32 for character in text)


async def test_a_phone_that_is_none_is_left_out_rather_than_refused(office):
    answer = await office.asks(lead_id=None, lead={"name": "Eve", "phone": "+1; DROP TABLE"})
    assert answer.status_code == 202
    assert answer.json()["lead"]["phone"] == ""


async def test_without_the_switch_a_request_is_503_with_when_to_ask_again(office):
    channel = office.pbx.call().lead
    office.pbx.loses_link()
    answer = await office.asks(channel=channel)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert await office.count() == 0


class Broken:
    """Transfers with a bug."""

    ready, live = True, 0

    async def request(self, request):
        raise ZeroDivisionError(f"asked with {request}")


async def test_an_error_of_our_own_is_500_counted_and_says_nothing_of_itself(office):
    api = create_api(replace(office.service, transfers=Broken()), [Token.of("bot", FULL)])
    stop = asyncio.Event()
    with listen("127.0.0.1", 0) as listening:
        serving = asyncio.create_task(WebServer(api, listening).run_until(stop))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1/transfers"
        body = {"bot": "sami", "lead_id": "lena", "channel": "c", "summary": ""}
        answer = await office.http.post(url, json=body)
        stop.set()
        await serving
    assert answer.status_code == 500
    assert "own" in answer.json()["detail"]
    assert "lena" not in answer.text
    scraped = (await office.http.get("/metrics")).text
    assert 'http_requests_total{method="POST",route="/v1/transfers",status="500"} 1.0' in scraped


async def test_the_events_tell_every_phase_and_end(office):
    transfer = (await office.asks(lead_id=None, lead={"name": "Eve"})).json()["id"]  # bob answers
    task = asyncio.create_task(stream(office, transfer))
    legs = (await until_joined(office, transfer))["legs"]
    assert [leg["agent"] for leg in legs if leg["joined_at"]] == ["bob"]
    assert (await office.http.post(f"/v1/transfers/{transfer}/handoff-finished")).status_code == 202
    await until(office, transfer, "connected")
    row = await office.store.transfer(transfer)
    office.pbx.hangs_up(row.call.lead)
    events = await task
    phases = [event["event"] for event in events]
    assert phases[0] == "looking"
    assert phases[-1] == "ended"
    assert [p for p in phases if p in ("ringing", "joined", "connected")] == [
        "ringing",
        "joined",
        "connected",
    ]
    assert [int(event["id"]) for event in events] == list(range(1, len(events) + 1))
    assert json.loads(events[-1]["data"])["phase"] == "ended"


async def test_the_events_resume_after_the_last_one_seen(office):
    transfer = (await office.asks()).json()["id"]
    await office.http.post(f"/v1/transfers/{transfer}/cancel")
    await until(office, transfer, "missed")
    whole = await stream(office, transfer)
    assert await stream(office, transfer, last=1) == whole[1:]


async def test_events_of_a_transfer_that_is_over_and_was_seen_to_its_end_are_204(office):
    transfer = (await office.asks()).json()["id"]
    await office.http.post(f"/v1/transfers/{transfer}/cancel")
    async with asyncio.timeout(5):
        while not (await office.http.get(f"/v1/transfers/{transfer}")).json()["closed"]:
            await asyncio.sleep(0.02)
    last = (await stream(office, transfer))[-1]["id"]
    for seen in (last, "999"):
        headers = {"Last-Event-ID": seen}
        answer = await office.http.get(f"/v1/transfers/{transfer}/events", headers=headers)
        assert answer.status_code == 204


async def test_events_of_no_transfer_are_404_and_a_bad_event_id_is_422(office):
    assert (await office.http.get("/v1/transfers/none/events")).status_code == 404
    transfer = (await office.asks()).json()["id"]
    headers = {"Last-Event-ID": "first"}
    assert (await office.http.get(f"/v1/transfers/{transfer}/events", headers=headers)).status_code == 422


async def test_a_quiet_stream_is_kept_alive(tmp_path):
    async with running(tmp_path, keep_alive_s=0.05) as office:
        transfer = (await office.asks()).json()["id"]
        async with office.http.stream("GET", f"/v1/transfers/{transfer}/events") as answer:
            async for line in answer.aiter_lines():
                if line.startswith(":"):
                    break
            assert line == ": still here"


async def test_a_client_that_goes_away_leaves_no_task_behind(office):
    transfer = (await office.asks()).json()["id"]
    before = len(asyncio.all_tasks())
    for _ in range(5):
        async with office.http.stream("GET", f"/v1/transfers/{transfer}/events") as answer:
            async for line in answer.aiter_lines():
                if line.startswith("event"):
                    break
    await eventually(lambda: len(asyncio.all_tasks()) <= before)


async def test_streams_end_when_the_daemon_stops(tmp_path):
    async with running(tmp_path) as office:
        transfer = (await office.asks()).json()["id"]
        reading = asyncio.create_task(stream(office, transfer))
        await asyncio.sleep(0.2)
        office.service.closing.set()
        async with asyncio.timeout(2):
            await reading


async def test_a_cancel_is_202_then_409_and_takes_the_wish_for_no_call_back(office):
    transfer = (await office.asks()).json()["id"]
    first = await office.http.post(f"/v1/transfers/{transfer}/cancel", json={"follow_up": False})
    assert first.status_code == 202
    found = await until(office, transfer, "missed")
    assert found["outcome"]["follow_up"] is False
    again = await office.http.post(f"/v1/transfers/{transfer}/cancel")
    assert again.status_code == 409
    assert "too late" in again.json()["detail"]
    assert (await office.http.get("/v1/tasks")).json() == {"tasks": []}


async def test_a_cancel_with_a_wrong_body_is_422_and_cancels_nothing(office):
    transfer = (await office.asks()).json()["id"]
    for body in ({"follow_up": "yes"}, {"followup": True}, []):
        answer = await office.http.post(f"/v1/transfers/{transfer}/cancel", json=body)
        assert answer.status_code == 422
    assert (await office.http.get(f"/v1/transfers/{transfer}")).json()["status"] == "open"


async def test_a_handoff_that_is_not_going_on_can_not_be_finished(office):
    transfer = (await office.asks()).json()["id"]
    answer = await office.http.post(f"/v1/transfers/{transfer}/handoff-finished")
    assert answer.status_code == 409


@pytest.mark.parametrize("way", ["", "/events", "/cancel", "/handoff-finished"])
@pytest.mark.parametrize("name", ["none", "%00", "a" * 300, "..%2F..%2Fetc"])
async def test_an_unknown_transfer_is_404_everywhere(office, way, name):
    method = "GET" if way in ("", "/events") else "POST"
    answer = await office.http.request(method, f"/v1/transfers/{name}{way}")
    assert answer.status_code == 404


async def test_a_missed_transfer_has_its_task_and_its_legs(office):
    transfer = (await office.asks()).json()["id"]
    await asyncio.sleep(0.1)
    await office.http.post(f"/v1/transfers/{transfer}/cancel")
    await until(office, transfer, "missed")
    [task] = (await office.http.get("/v1/tasks")).json()["tasks"]
    assert task["transfer"] == transfer
    legs = (await office.http.get(f"/v1/transfers/{transfer}")).json()["legs"]
    assert [leg["agent"] for leg in legs] == ["alice"]
    listed = (await office.http.get("/v1/transfers", params={"limit": 1})).json()["transfers"]
    assert [row["id"] for row in listed] == [transfer]


async def test_a_limit_out_of_range_is_422(office):
    for limit in (0, 501, "many"):
        assert (await office.http.get("/v1/transfers", params={"limit": limit})).status_code == 422


async def test_an_agent_is_switched_off_and_on(office):
    answer = await office.http.put("/v1/agents/alice/availability", json={"available": False})
    assert answer.json() == {"available": False}
    agents = (await office.http.get("/v1/agents")).json()["agents"]
    assert {agent["id"]: agent["available"] for agent in agents} == {"alice": False, "bob": True}
    assert (await office.http.put("/v1/agents/zoe/availability", json={"available": True})).status_code == 404
    assert (await office.http.put("/v1/agents/%00/availability", json={"available": True})).status_code == 404
    assert (await office.http.put("/v1/agents/bob/availability", json={"available": 1})).status_code == 422


async def test_readiness_says_which_part_is_not(office):
    assert (await office.http.get("/readyz")).json() == {
        "ok": True,
        "parts": {"pbx": "ok", "database": "ok", "recovery": "ok"},
    }
    office.pbx.loses_link()
    answer = await office.http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"]["pbx"] == "no link to the switch"
    assert answer.json()["parts"]["database"] == "ok"
    assert (await office.http.get("/healthz")).status_code == httpx.codes.OK
