"""Tasks over HTTP: read, claimed, noted, done, and every refusal without a trace."""

import pytest

from tests.api.conftest import Office


async def missed(office: Office) -> int:
    """A task, by a miss: nobody of the office may ring."""
    for name in ("alice", "bob"):
        await office.http.put(f"/v1/agents/{name}/availability", json={"available": False})
    transfer = (await office.asks()).json()["id"]
    (task,) = (await office.http.get("/v1/tasks", params={"transfer": transfer})).json()["tasks"]
    number: int = task["id"]
    return number


async def test_a_task_tells_how_it_stands(office):
    task = await missed(office)
    told = (await office.http.get(f"/v1/tasks/{task}")).json()
    assert (told["state"], told["owner"], told["owner_pool"]) == ("open", "alice", None)
    assert (told["claimed_by"], told["done"], told["notes"], told["calls"]) == (None, None, [], [])
    assert told["first_attempt_s"] is told["first_answered_s"] is None
    assert told["escalates_at"] == told["due_at"]


async def test_it_is_claimed_noted_and_done_and_each_may_be_repeated(office):
    task = await missed(office)
    for path, body in (
        ("claim", {"by": "alice"}),
        ("note", {"by": "alice", "text": "Mailbox."}),
        ("done", {"by": "alice", "how": "Met her."}),
    ):
        office.outbox_woken.clear()
        first, again = [await office.http.post(f"/v1/tasks/{task}/{path}", json=body) for _ in range(2)]
        assert office.outbox_woken.is_set() is (path != "note"), "webhooks tell of it"
        assert first.status_code == again.status_code == 200
        assert first.json() == again.json()
    told = (await office.http.get(f"/v1/tasks/{task}")).json()
    assert told["claimed_by"] == "alice"
    assert [(note["by"], note["text"]) for note in told["notes"]] == [("alice", "Mailbox.")]
    assert (told["done"]["by"], told["done"]["how"], told["done"]["words"]) == (
        "alice",
        "by_hand",
        "Met her.",
    )


async def test_the_list_is_narrowed_down(office):
    task = await missed(office)
    await office.http.post(f"/v1/tasks/{task}/claim", json={"by": "bob"})

    async def found(**wanted) -> list[int]:
        answer = await office.http.get("/v1/tasks", params=wanted)
        return [one["id"] for one in answer.json()["tasks"]]

    assert await found() == await found(state="claimed") == await found(state=["open", "claimed"]) == [task]
    assert await found(owner="alice") == await found(lead="lena") == [task]
    assert await found(state="open") == await found(owner="bob") == await found(lead="x") == []
    assert await found(overdue=True) == []


async def test_what_is_anothers_or_done_is_409_with_the_reason(office):
    task = await missed(office)
    await office.http.post(f"/v1/tasks/{task}/claim", json={"by": "alice"})
    other = await office.http.post(f"/v1/tasks/{task}/claim", json={"by": "bob"})
    assert (other.status_code, other.json()["detail"]) == (409, f"task {task} is claimed by alice")
    await office.http.post(f"/v1/tasks/{task}/done", json={"by": "alice"})
    before = (await office.http.get(f"/v1/tasks/{task}")).json()
    late = await office.http.post(f"/v1/tasks/{task}/done", json={"by": "bob"})
    assert (late.status_code, late.json()["detail"]) == (409, f"task {task} is done already: by alice")
    assert (await office.http.get(f"/v1/tasks/{task}")).json() == before


@pytest.mark.parametrize("task", ["99", "0", "-1", "x", "1e3", "9" * 18, "9" * 40, "٣"])
async def test_an_unknown_task_is_404(office, task):
    assert (await office.http.get(f"/v1/tasks/{task}")).status_code == 404
    answer = await office.http.post(f"/v1/tasks/{task}/claim", json={"by": "alice"})
    assert (answer.status_code, answer.json()["unknown"]) == (404, "task")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("claim", {}, "by"),
        ("claim", {"by": " \x01 "}, "by"),
        ("claim", {"by": "x" * 200}, "by"),
        ("claim", {"by": "alice", "force": True}, "force"),
        ("note", {"by": "alice"}, "text"),
        ("note", {"by": "alice", "text": "\n"}, "text"),
        ("note", {"by": "alice", "text": "x" * 1001}, "text"),
        ("done", {"by": 7}, "by"),
        ("done", {"by": "alice", "how": None}, "how"),
    ],
)
async def test_what_is_not_understood_is_422_and_names_the_field(office, path, body, field):
    task = await missed(office)
    before = (await office.http.get(f"/v1/tasks/{task}")).json()
    answer = await office.http.post(f"/v1/tasks/{task}/{path}", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert (await office.http.get(f"/v1/tasks/{task}")).json() == before


@pytest.mark.parametrize("query", [{"state": "late"}, {"limit": 0}, {"owner": "a\x00"}, {"lead": "x" * 200}])
async def test_a_list_of_what_there_is_not_is_422(office, query):
    assert (await office.http.get("/v1/tasks", params=query)).status_code == 422


async def test_what_people_write_is_cleaned(office):
    task = await missed(office)
    body = {"by": "alice\n", "text": "See https://evil.example/x\u202e now\x07"}
    answer = await office.http.post(f"/v1/tasks/{task}/note", json=body)
    assert answer.json()["notes"][0]["text"] == "See now"
