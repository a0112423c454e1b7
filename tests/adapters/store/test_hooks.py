"""Webhooks are rows of the outbox, written with the fact that they tell."""

import json
from dataclasses import replace

import pytest
from sqlalchemy import select

from callcontrol.adapters.sql import SqlStore, schema
from callcontrol.core.hooks import Hook, HookEvent
from callcontrol.core.model import TransferId
from callcontrol.ports import StoreError, Subscription
from tests.adapters.store import people as p

EVERYTHING = Subscription(endpoint="crm", events=frozenset(HookEvent))
MISSES = Subscription(endpoint="alarm", events=frozenset({HookEvent.TRANSFER_MISSED}), pii=False)
MISSED = Hook(
    event=HookEvent.TRANSFER_MISSED,
    key="t1",
    at=p.LATER,
    data={"transfer": "t1", "because": "no_answer"},
    transfer_id=TransferId("t1"),
    lead=p.LEA,
)


@pytest.fixture
async def told(url):
    """A store with two outside systems that listen, and the usual directory."""
    store = SqlStore(url, subscriptions=(EVERYTHING, MISSES))
    await store.apply(p.DIRECTORY)
    yield store
    await store.close()


async def rows(store):
    return await store._runner.read(
        lambda connection: connection.execute(
            select(schema.outbox).where(schema.outbox.c.recipient == "webhook").order_by(schema.outbox.c.id)
        ).all()
    )


async def test_a_request_is_told_to_whoever_wants_to_know(told):
    await p.opened(told)
    (row,) = await rows(told)
    assert (row.to, row.kind, row.gateway, row.state) == ("crm", "webhook", "webhook:crm", "queued")
    assert (row.queue, row.transfer_id) == ("webhook:crm:lea", "t1")
    assert json.loads(row.body) == {
        "type": "transfer.requested",
        "timestamp": p.NOW.isoformat(),
        "data": {
            "transfer": "t1",
            "bot": "sami",
            "lead": {
                "id": "lea",
                "name": "Lea Lead",
                "phone": "+15550142",
                "email": "lea@example.com",
                "source": "Zillow",
            },
        },
    }


async def test_an_endpoint_may_be_spared_personal_data(told):
    await p.opened(told)
    await told.record(replace(p.missed(), hooks=(MISSED,)))
    (alarm,) = [row for row in await rows(told) if row.to == "alarm"]
    assert json.loads(alarm.body)["data"] == {
        "transfer": "t1",
        "because": "no_answer",
        "lead": {"id": "lea"},
    }


async def test_a_turn_that_is_written_again_tells_nothing_twice(told, url):
    await p.opened(told)
    turn = replace(p.missed(), hooks=(MISSED,))
    other = SqlStore(url, subscriptions=(EVERYTHING, MISSES))
    for store in (told, other, told):
        await store.record(turn)
    await other.close()
    assert [row.dedupe_key for row in await rows(told) if "missed" in row.dedupe_key] == [
        "hook:crm:transfer.missed:t1",
        "hook:alarm:transfer.missed:t1",
    ]


async def test_what_is_not_written_is_not_told(told):
    await p.opened(told)
    await told.record(p.missed())
    with pytest.raises(StoreError):
        await told.record(replace(p.missed(seq=3), outcome=p.CONNECTED, hooks=(MISSED,)))
    assert [row.dedupe_key for row in await rows(told) if ":transfer." in row.dedupe_key] == [
        "hook:crm:transfer.requested:t1"
    ]


async def test_with_nobody_listening_nothing_is_written(office):
    await p.opened(office)
    await office.record(replace(p.missed(), hooks=(MISSED,)))
    assert await rows(office) == []
