"""Who is let in, and what is too much."""

import asyncio
import json
import re

import httpx
import pytest

from tests.api.conftest import READ, Office

ROUTES = [
    ("POST", "/v1/transfers"),
    ("GET", "/v1/transfers"),
    ("GET", "/v1/transfers/x"),
    ("GET", "/v1/transfers/x/events"),
    ("POST", "/v1/transfers/x/cancel"),
    ("POST", "/v1/transfers/x/handoff-finished"),
    ("GET", "/v1/agents"),
    ("PUT", "/v1/agents/alice/availability"),
    ("PUT", "/v1/agents/alice/rest"),
    ("DELETE", "/v1/agents/alice/rest"),
    ("GET", "/v1/explain"),
    ("GET", "/v1/reachable"),
    ("GET", "/v1/analytics"),
    ("GET", "/metrics"),
    ("GET", "/v1/tasks"),
    ("GET", "/v1/tasks/7"),
    ("POST", "/v1/tasks/7/claim"),
    ("POST", "/v1/tasks/7/note"),
    ("POST", "/v1/tasks/7/done"),
    ("GET", "/v1/outbox"),
    ("POST", "/v1/outbox/7/retry"),
    ("POST", "/v1/outbox/7/discard"),
    ("POST", "/v1/leads/l/cadence"),
    ("GET", "/v1/leads/l/cadence"),
    ("POST", "/v1/leads/l/cadence/cancel"),
    ("POST", "/v1/cadence/claim"),
    ("POST", "/v1/cadence/claims/c/renew"),
    ("POST", "/v1/cadence/claims/c/complete"),
    ("POST", "/v1/cadence/claims/c/release"),
]
NAMED = {
    "transfer_id": "x",
    "agent_id": "alice",
    "lead_id": "l",
    "claim": "c",
    "message_id": "7",
    "task_id": "7",
}
WITH_SECRETS_OF_THEIR_OWN = "/v1/delivery-reports/"


async def test_the_routes_tested_here_are_all_there_are(office):
    paths = (await office.http.get("/openapi.json")).json()["paths"]
    guarded = {
        (method.upper(), re.sub(r"{(\w+)}", lambda found: NAMED[found[1]], path))
        for path, methods in paths.items()
        for method in methods
        if path.startswith(("/v1", "/metrics")) and not path.startswith(WITH_SECRETS_OF_THEIR_OWN)
    }
    assert guarded == set(ROUTES)


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer wrong", "Basic eDp5", "wrong", "Bearer é"])
async def test_without_a_right_token_every_route_is_401_whatever_the_body(office, authorization):
    headers = {} if authorization is None else {"Authorization": authorization.encode()}
    async with httpx.AsyncClient(base_url=office.http.base_url) as http:
        for method, path in ROUTES:
            for body in (b"", b"not json", b"x" * 100_000):
                answer = await http.request(method, path, headers=headers, content=body)
                assert answer.status_code == 401, (method, path)
                assert answer.headers["www-authenticate"] == "Bearer"
                assert answer.headers["content-type"] == "application/problem+json"
    assert not [agent for agent in await office.store.agents() if not agent.available]
    assert await office.count() == 0


async def test_a_reading_token_reads_but_changes_nothing(office):
    headers = {"Authorization": f"Bearer {READ}"}
    for method, path in ROUTES:
        answer = await office.http.request(method, path, headers=headers, json={"available": False})
        assert (answer.status_code == 403) == (method != "GET"), (method, path)
    assert not [agent for agent in await office.store.agents() if not agent.available]


async def test_health_and_the_manual_need_no_token(office):
    async with httpx.AsyncClient(base_url=office.http.base_url) as http:
        for path in ("/healthz", "/readyz", "/docs", "/openapi.json"):
            assert (await http.get(path)).status_code == 200


async def test_the_manual_names_every_route_and_loads_nothing(office):
    page = (await office.http.get("/docs")).text
    for path in (await office.http.get("/openapi.json")).json()["paths"]:
        assert path in page
    assert "<script" not in page
    assert "src=" not in page


async def test_a_body_over_64_kb_is_413(office):
    answer = await office.asks(summary="x" * 70_000)
    assert answer.status_code == 413
    assert await office.count() == 0


async def test_a_chunked_body_over_64_kb_is_413(office):
    async def chunks():
        for _ in range(100):
            yield b"x" * 1000

    answer = await office.http.post("/v1/transfers", content=chunks())
    assert answer.status_code == 413


async def test_a_chunked_body_that_is_small_enough_goes_through(office):
    body = {"bot": "sami", "lead_id": "lena", "channel": office.pbx.call().lead, "summary": "Hi."}

    async def chunks():
        for byte in json.dumps(body):
            yield byte.encode()

    headers = {"Content-Type": "application/json"}
    assert (await office.http.post("/v1/transfers", content=chunks(), headers=headers)).status_code == 202


@pytest.mark.parametrize("length", ["-1", "1e9", "abc"])
async def test_a_content_length_that_is_none_is_refused(office: Office, length):
    answer = await raw(office, f"POST /v1/transfers HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 4")


async def test_an_unknown_path_and_a_wrong_method_are_problems_too(office):
    assert (await office.http.get("/v1/nothing")).json()["status"] == 404
    answer = await office.http.delete("/v1/transfers")
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"


async def raw(office: Office, request: str) -> bytes:
    reader, writer = await asyncio.open_connection(office.host, office.port)
    writer.write(request.encode())
    try:
        async with asyncio.timeout(5):
            return await reader.readline()
    finally:
        writer.close()
