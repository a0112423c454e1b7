"""Explain, the promise gate, and agents with their standing."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from callcontrol.adapters.sql import OwnTables
from callcontrol.core.model import LineState
from tests.api.conftest import READ, Office, running

ASK = {"lead": "lena", "bot": "sami"}


async def get(office: Office, path: str, **query) -> dict:
    answer = await office.http.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_explain_tells_every_attempt_with_every_agent_and_term(office):
    await office.store.set_available("bob", available=False)
    told = await get(office, "/v1/explain", **ASK)
    assert told["line_states"] == "live"
    first, second = told["attempts"]
    assert [leg["agent"] for leg in first["rings"]] == ["alice"]
    assert second["rings"] == []
    alice = first["considered"][0]
    assert [term["term"] for term in alice["terms"]] == [
        "active", "available", "schedule", "endpoint", "line",
        "not wrapping up", "not reserved", "not resting", "not yet rung for this transfer",
    ]  # fmt: skip


async def test_explain_says_why_not_this_agent_and_of_nobody_else(office):
    await office.store.set_available("bob", available=False)
    first, second = (await get(office, "/v1/explain", **ASK, about="bob"))["attempts"]
    assert first["considered"] == []
    [bob] = second["considered"]
    assert [term["value"] for term in bob["terms"] if not term["holds"]] == ["off"]
    assert (await office.http.get("/v1/explain", params=ASK | {"about": "zoe"})).status_code == 404


async def test_explain_takes_a_lead_that_is_not_known_and_another_time(office):
    query = [
        ("bot", "sami"),
        ("source", "zillow"),
        ("agent", "bob"),
        ("fact", "intent=sell"),
        ("fact", "zip=1=2"),
    ]
    answer = await office.http.get("/v1/explain", params=[*query, ("at", "2026-06-01T12:00:00+02:00")])
    told = answer.json()
    assert told["at"] == "2026-06-01T10:00:00Z"
    assert [leg["agent"] for leg in told["attempts"][0]["rings"]] == ["bob"]


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ({"lead": "nobody", "bot": "sami"}, 404, "no lead 'nobody'"),
        ({"lead": "lena", "bot": "nobody"}, 404, "no bot 'nobody'"),
        ({"lead": "lena"}, 422, "bot: is missing"),
        ({"lead": "lena", "bot": "sami", "source": "x"}, 422, "give either lead, or what describes one"),
        ({"bot": "sami", "fact": "x"}, 422, "fact: 'x' is not name=value"),
        ({"lead": "lena", "bot": "sami", "at": "2026-06-01T12:00:00"}, 422, "timezone"),
    ],
)
async def test_what_explain_does_not_understand_is_said(office, query, status, said):
    answer = await office.http.get("/v1/explain", params=query)
    assert answer.status_code == status
    assert said in answer.json()["detail"]


async def test_a_human_is_reachable_with_too_little_data_to_say_how_likely(office):
    told = await get(office, "/v1/reachable", **ASK)
    assert told == {
        "reachable": True,
        "agents": 2,
        "fallbacks": 0,
        "likelihood": None,
        "likely_within_s": None,
        "calls_behind": 0,
        "too_little_data": True,
        "hold_id": None,
        "held_until": None,
        "held": 0,
    }
    for name in ("alice", "bob"):
        await office.store.set_available(name, available=False)
    assert not (await get(office, "/v1/reachable", **ASK))["reachable"]


async def test_agents_held_are_nobody_elses_and_ring_for_the_transfer_that_brings_the_hold(office):
    held = await get(office, "/v1/reachable", **ASK, hold_s=30)
    assert held["held"] == 2
    assert datetime.fromisoformat(held["held_until"]) > datetime.now(UTC) + timedelta(seconds=20)
    assert not (await get(office, "/v1/reachable", **ASK))["reachable"]
    agents = (await get(office, "/v1/agents"))["agents"]
    assert all(held["hold_id"] in agent["standing"]["reserved_for"] for agent in agents)
    answer = await office.asks(hold=held["hold_id"])
    assert answer.status_code == 202
    legs = (await get(office, answer.headers["location"]))["legs"]
    assert [leg["agent"] for leg in legs] == ["alice"]


async def test_a_reading_token_asks_for_a_human_but_reserves_none(office):
    headers = {"Authorization": f"Bearer {READ}"}
    async with httpx.AsyncClient(base_url=office.http.base_url, headers=headers) as http:
        assert (await http.get("/v1/reachable", params=ASK)).status_code == 200
        refused = await http.get("/v1/reachable", params={**ASK, "hold_s": 5})
    assert refused.status_code == 403
    assert "may only read" in refused.json()["detail"]
    assert (await office.http.get("/v1/reachable", params={**ASK, "hold_s": 500})).status_code == 422


async def test_an_agent_rests_and_comes_back(office):
    rest = "/v1/agents/alice/rest"
    assert (await office.http.put(rest, json={"minutes": 30, "why": "lunch"})).status_code == 200
    agents = (await get(office, "/v1/agents"))["agents"]
    alice = agents[0]
    assert (alice["state"], alice["rings"], alice["standing"]["resting_why"]) == ("resting", False, "lunch")
    assert [term["term"] for term in alice["terms"] if not term["holds"]] == ["not resting"]
    assert (await office.http.delete(rest)).status_code == 204
    assert (await get(office, "/v1/agents"))["agents"][0]["rings"]
    for path in ("/v1/agents/zoe/rest", "/v1/agents/%00/rest"):
        assert (await office.http.put(path, json={"minutes": 1})).status_code == 404
        assert (await office.http.delete(path)).status_code == 404
    assert (await office.http.put(rest, json={"minutes": 0})).status_code == 422


async def test_a_toggle_that_the_crm_has_is_refused_as_a_conflict(tmp_path):
    query = "SELECT 'alice' AS agent_id, 1 AS available"
    own = OwnTables(url=f"sqlite:///{tmp_path / 'cc.db'}", availability=query)
    async with running(tmp_path, own=own) as office:
        answer = await office.http.put("/v1/agents/alice/availability", json={"available": False})
        assert answer.status_code == 409
        assert answer.json()["detail"] == "who is available is in the site's own tables: change it there"
        assert (await office.http.put("/v1/agents/alice/rest", json={"minutes": 5})).status_code == 200


async def test_the_lines_are_those_of_the_switch(office):
    office.pbx.lines["alice"] = LineState.IN_USE
    alice, bob = (await get(office, "/v1/agents"))["agents"]
    assert (alice["rings"], bob["rings"]) == (False, True)
    assert [term["value"] for term in alice["terms"] if not term["holds"]] == ["alice in use"]
