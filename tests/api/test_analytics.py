"""GET /v1/analytics."""

from tests.adapters.store import past
from tests.adapters.store import people as p


async def test_it_tells_what_the_report_tells(office):
    await office.store.apply(p.DIRECTORY)
    await past.write(office.store, 40)
    answer = await office.http.get("/v1/analytics", params={"by": ["bot", "hour"], "zone": "Asia/Kathmandu"})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["transfers"] == 40
    assert set(told["groups"]) == {"bot", "hour"}
    assert told["connect_rate"]["calls"] == 40
    narrowed = (await office.http.get("/v1/analytics", params={"bot": "sami"})).json()
    assert 0 < narrowed["transfers"] < 40


async def test_a_zone_or_time_that_is_none_is_refused_by_name(office):
    for query, named in (
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"since": "soon"}, "since"),
        ({"by": "moon"}, "by"),
    ):
        answer = await office.http.get("/v1/analytics", params=query)
        assert answer.status_code == 422
        assert named in answer.text
