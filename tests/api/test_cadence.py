"""A site without a CRM of its own carries out its cadences over HTTP."""

import pytest

STEPS = {
    "name": "seven days",
    "steps": [{"name": "text"}, {"name": "call", "due_at": "2036-06-01T10:00:00Z"}],
}
UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def claim(office, **more):
    answer = await office.http.post("/v1/cadence/claim", json={"worker": "dialler"} | more)
    assert answer.status_code == 200
    return answer.json()["steps"]


async def test_a_lead_is_enrolled_its_step_claimed_renewed_and_completed(office):
    made = await office.http.post("/v1/leads/lena/cadence", json=STEPS)
    assert made.status_code == 201
    (step,) = await claim(office, lease_s=30)
    assert (step["enrolment"], step["position"], step["name"]) == (made.json()["id"], 1, "text")
    assert (step["cadence"], step["lead"]["phone"]) == ("seven days", "+13035550199")
    assert await claim(office) == []
    here = f"/v1/cadence/claims/{step['claim']}"
    assert (await office.http.post(f"{here}/renew", json={"lease_s": 60})).json()["until"] > step["until"]
    assert (await office.http.post(f"{here}/complete")).json() == {"too_late": ""}
    (enrolment,) = (await office.http.get("/v1/leads/lena/cadence")).json()["enrolments"]
    assert [one["state"] for one in enrolment["steps"]] == ["done", "pending"]
    assert enrolment["steps"][1]["due_at"] == "2036-06-01T10:00:00Z"


async def test_a_cancelled_claim_is_a_conflict_with_who_and_why(office):
    await office.http.post("/v1/leads/lena/cadence", json=STEPS)
    (step,) = await claim(office)
    wish = {"by": "Olga", "why": "asked not to be called"}
    found = await office.http.post("/v1/leads/lena/cadence/cancel", json=wish)
    assert office.outbox_woken.is_set(), "webhooks tell of it"
    assert found.json() == {"enrolments": [1], "steps": ["call"], "in_hand": ["text"]}
    again = await office.http.post("/v1/leads/lena/cadence/cancel")
    assert again.json() == {"enrolments": [], "steps": [], "in_hand": []}
    here = f"/v1/cadence/claims/{step['claim']}"
    lost = await office.http.post(f"{here}/renew")
    assert lost.status_code == 409
    assert lost.json()["detail"] == "cancelled by Olga: asked not to be called"
    done = await office.http.post(f"{here}/complete")
    assert done.json() == {"too_late": "cancelled by Olga: asked not to be called"}


async def test_a_step_is_given_back_for_later(office):
    await office.http.post("/v1/leads/lena/cadence", json=STEPS)
    (step,) = await claim(office)
    here = f"/v1/cadence/claims/{step['claim']}/release"
    assert (await office.http.post(here, json={"retry_in_s": 600})).status_code == 204
    assert await claim(office) == []
    assert (await office.http.post(here)).status_code == 409


async def test_a_repeated_key_is_the_same_enrolment(office):
    path = "/v1/leads/lena/cadence"
    first = await office.http.post(path, json=STEPS | {"key": "k"})
    again = await office.http.post(path, json=STEPS, headers={"Idempotency-Key": "k"})
    assert first.json() == again.json()
    both = await office.http.post(path, json=STEPS | {"key": "k"}, headers={"Idempotency-Key": "other"})
    assert both.status_code == 422


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x", "steps": []}, "steps"),
        ({"name": "", "steps": [{"name": "text"}]}, "name"),
        ({"name": "x", "steps": [{"name": "text", "due_at": "2036-06-01T10:00:00"}]}, "steps.0.due_at"),
        ({"name": "x", "steps": [{"name": "text", "due_at": "soon"}]}, "steps.0.due_at"),
        ({"name": "x", "steps": [{"name": "text", "extra": 1}]}, "steps.0.extra"),
    ],
)
async def test_what_is_not_understood_names_the_field(office, body, field):
    answer = await office.http.post("/v1/leads/lena/cadence", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_an_unknown_lead_is_not_found_and_an_unknown_claim_is_lost(office):
    assert (await office.http.post("/v1/leads/nobody/cadence", json=STEPS)).status_code == 404
    assert (await office.http.get("/v1/leads/nobody/cadence")).json() == {"enrolments": []}
    assert (await office.http.post(f"/v1/cadence/claims/{UNKNOWN}/complete")).status_code == 409
    assert (await office.http.post("/v1/cadence/claims/nonsense/complete")).status_code == 422


async def test_a_lead_on_a_live_transfer_is_left_alone_and_its_outcome_cancels(office):
    await office.http.post("/v1/leads/lena/cadence", json=STEPS)
    asked = await office.asks()
    assert await claim(office) == []
    await office.http.post(asked.json()["links"]["cancel"])
    for _ in range(500):
        (enrolment,) = (await office.http.get("/v1/leads/lena/cadence")).json()["enrolments"]
        if enrolment["state"] == "cancelled":
            break
    assert enrolment["cancelled_by"] == asked.json()["id"]
    assert enrolment["why"] == "missed: cancelled"
    assert {step["state"] for step in enrolment["steps"]} == {"cancelled"}


async def test_a_token_that_may_only_read_claims_nothing(office):
    reader = {"Authorization": "Bearer read-" + "r" * 30}
    assert (await office.http.get("/v1/leads/lena/cadence", headers=reader)).status_code == 200
    for path, body in (("/v1/cadence/claim", {"worker": "w"}), ("/v1/leads/lena/cadence", STEPS)):
        assert (await office.http.post(path, json=body, headers=reader)).status_code == 403
