"""What Prometheus fetches, over a real socket, and the dashboard made for it."""

import json
import re
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from callcontrol.core.model import LegFate, MissedBecause
from tests.api.conftest import READ, eventually, running

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana-callcontrol.json"


async def scraped(office) -> dict:
    """Samples by name and labels."""
    answer = await office.http.get("/metrics", headers={"Authorization": f"Bearer {READ}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: dict, name: str, **labels: str) -> float:
    return samples["callcontrol_" + name, *sorted(labels.items())]


async def connected(office) -> None:
    """A transfer that bob takes and that is then over."""
    await office.store.set_available("alice", available=False)
    call = office.pbx.call()
    asked = (await office.asks(channel=call.lead)).json()
    async with office.http.stream("GET", asked["links"]["events"]) as events:
        async for line in events.aiter_lines():
            if '"joined"' in line:
                await office.http.post(f"/v1/transfers/{asked['id']}/handoff-finished")
            if '"connected"' in line:
                break
    office.pbx.hangs_up(call.lead)
    await eventually(lambda: office.switchboard.live == 0)


async def test_a_connected_transfer_is_counted_with_its_attempt_leg_and_decisions(office):
    before = await scraped(office)
    await connected(office)
    after = await scraped(office)
    assert value(before, "attempts_total", step="group") == 0
    assert value(after, "attempts_total", step="group") == 1
    assert value(after, "legs_total", fate=LegFate.ANSWERED.value) == 1
    assert value(after, "transfers_total", outcome="connected", reason="pool_agent") == 1
    for event in ("TransferRequested", "LegRinging", "Joined"):
        assert value(after, "decision_seconds_count", event=event) == 1
        assert 0 < value(after, "decision_seconds_sum", event=event) < 5


async def test_a_missed_transfer_leaves_messages_whose_number_and_age_are_told(office):
    await office.store.set_available("alice", available=False)
    await office.store.set_available("bob", available=False)
    await office.asks()
    await eventually(lambda: office.switchboard.live == 0)
    samples = await scraped(office)
    assert (
        value(samples, "transfers_total", outcome="missed", reason=MissedBecause.NO_ONE_AVAILABLE.value) == 1
    )
    assert value(samples, "outbox_messages", state="queued") > 0  # nobody sends here
    assert 0 <= value(samples, "outbox_oldest_seconds") < 60


async def test_what_is_in_flight_and_the_links_are_as_of_the_scrape(office):
    await office.asks()
    samples = await scraped(office)
    assert value(samples, "transfers_in_flight") == 1
    assert (value(samples, "pbx_linked"), value(samples, "database_up")) == (1, 1)
    await office.store.close()
    assert value(await scraped(office), "database_up") == 0


async def test_requests_are_counted_by_the_route_and_never_by_what_was_asked_for(office):
    for path in ("/v1/transfers/Lena-Lead", "/v1/transfers/+13035550199", "/nowhere/Lena-Lead"):
        await office.http.get(path)
    await office.http.request("LENA", "/healthz")
    refused = await office.http.get("/v1/agents", headers={"Authorization": "Bearer wrong"})
    assert refused.status_code == 401
    samples = await scraped(office)
    route = "/v1/transfers/{transfer_id}"
    assert value(samples, "http_requests_total", method="GET", route=route, status="404") == 2
    assert value(samples, "http_requests_total", method="GET", route="other", status="401") == 1
    assert not [labels for labels in samples if "Lena" in str(labels) or "3035550199" in str(labels)]
    assert not [labels for labels in samples if "LENA" in str(labels)]


async def test_the_page_is_for_those_with_a_token(office):
    async with httpx.AsyncClient(base_url=office.http.base_url) as stranger:
        assert (await stranger.get("/metrics")).status_code == 401
    assert "# HELP callcontrol_transfers_in_flight" in (await office.http.get("/metrics")).text


async def test_two_applications_count_each_for_itself(office, tmp_path):
    await connected(office)
    async with running(tmp_path / "other") as other:
        assert value(await scraped(other), "legs_total", fate=LegFate.ANSWERED.value) == 0


async def test_every_metric_of_the_dashboard_is_in_a_scrape(office):
    await connected(office)
    names = {labels[0] for labels in await scraped(office)}
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked = {
        name
        for panel in panels
        for target in panel["targets"]
        for name in re.findall(r"\b(?:callcontrol|process)_\w+", target["expr"])
    }
    assert len(asked) > 9
    assert asked <= names
