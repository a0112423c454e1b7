import asyncio
from datetime import timedelta

from callcontrol.core.followup import FollowUp, TextOut
from callcontrol.ports import Setback
from tests.adapters.store import people as p

LEASE_S = 30.0
SOON = p.LATER + timedelta(seconds=1)
EXPIRED = SOON + timedelta(seconds=LEASE_S)


async def queue(store, *numbers, name="t1"):
    """Texts in a transfer of their own, one for each number."""
    await p.opened(store, name)
    texts = tuple(
        TextOut(recipient=f"r{n}", to=number, body=f"{name} {n}") for n, number in enumerate(numbers)
    )
    await store.record(p.missed(name, follow_up=FollowUp(texts=texts)))


async def claimed(store, now=SOON, limit=100):
    return [text.body for text in await p.claim(store, limit, now, LEASE_S)]


async def test_a_text_is_claimed_once(office, other_store):
    await queue(office, "+1", "+2")
    assert await claimed(office) == ["t1 0", "t1 1"]
    assert await claimed(other_store) == []


async def test_no_more_than_asked_for_are_claimed(office):
    await queue(office, "+1", "+2", "+3")
    assert await claimed(office, limit=2) == ["t1 0", "t1 1"]
    assert await claimed(office, limit=2) == ["t1 2"]


async def test_many_claimers_share_without_a_text_going_twice(office, other_store):
    await queue(office, *(f"+{n}" for n in range(60)))
    shares = await asyncio.gather(
        *(p.claim((office, other_store)[n % 2], 5, SOON, LEASE_S) for n in range(30))
    )
    ids = [text.id for share in shares for text in share]
    assert len(ids) == len(set(ids))
    rest = await p.claim(office, 100, SOON, LEASE_S)
    assert len(ids) + len(rest) == 60


async def test_a_text_that_was_sent_never_comes_back(office):
    await queue(office, "+1")
    (text,) = await p.claim(office, 1, SOON, LEASE_S)
    assert (text.attempts, text.transfer_id, text.to) == (1, "t1", "+1")
    await office.message_sent(text, SOON, "")
    await office.message_sent(text, SOON, "")
    assert await claimed(office, EXPIRED + timedelta(days=1)) == []


async def test_a_claimer_who_dies_loses_the_text_when_the_lease_runs_out(office, other_store):
    await queue(office, "+1")
    await p.claim(office, 1, SOON, LEASE_S)
    assert await claimed(other_store, EXPIRED - timedelta(microseconds=1)) == []
    (again,) = await p.claim(other_store, 1, EXPIRED, LEASE_S)
    assert again.attempts == 2


async def test_a_failed_text_waits_its_time(office):
    await queue(office, "+1")
    (text,) = await p.claim(office, 1, SOON, LEASE_S)
    await office.message_failed(text, SOON, Setback(why="gateway said 500", retry_in_s=7.5))
    assert await claimed(office, SOON + timedelta(seconds=7.4)) == []
    (again,) = await p.claim(office, 1, SOON + timedelta(seconds=7.5), LEASE_S)
    assert again.attempts == 2


async def test_a_parked_text_waits_for_a_person(office):
    await queue(office, "+1")
    (text,) = await p.claim(office, 1, SOON, LEASE_S)
    await office.message_failed(text, SOON, Setback(why="no such number", retry_in_s=None))
    assert await claimed(office, EXPIRED + timedelta(days=365)) == []


async def test_a_failure_told_after_the_lease_does_not_take_the_text_from_its_new_owner(office, other_store):
    await queue(office, "+1")
    (old,) = await p.claim(office, 1, SOON, LEASE_S)
    (new,) = await p.claim(other_store, 1, EXPIRED, LEASE_S)
    await office.message_failed(old, EXPIRED, Setback(why="too late", retry_in_s=0))
    assert await claimed(office, EXPIRED) == []
    await other_store.message_sent(new, EXPIRED, "")


async def test_a_text_that_went_out_after_its_lease_is_still_sent(office, other_store):
    await queue(office, "+1")
    (old,) = await p.claim(office, 1, SOON, LEASE_S)
    (new,) = await p.claim(other_store, 1, EXPIRED, LEASE_S)
    await office.message_sent(old, EXPIRED, "")
    await other_store.message_failed(new, EXPIRED, Setback(why="refused", retry_in_s=0))
    assert await claimed(office, EXPIRED + timedelta(days=1)) == []


async def test_one_number_gets_its_texts_in_order(office):
    await queue(office, "+1", name="t1")
    await queue(office, "+1", "+2", name="t2")
    (first, other) = await p.claim(office, 10, SOON, LEASE_S)
    assert (first.body, other.body) == ("t1 0", "t2 1")
    await office.message_sent(other, SOON, "")
    assert await claimed(office) == []
    await office.message_failed(first, SOON, Setback(why="busy", retry_in_s=60))
    assert await claimed(office) == []  # the second waits for the first, also while that one waits
    (first,) = await p.claim(office, 10, SOON + timedelta(seconds=60), LEASE_S)
    await office.message_sent(first, SOON, "")
    assert await claimed(office) == ["t2 0"]


async def test_a_parked_text_does_not_hold_up_the_next(office):
    await queue(office, "+1", name="t1")
    await queue(office, "+1", name="t2")
    (first,) = await p.claim(office, 10, SOON, LEASE_S)
    await office.message_failed(first, SOON, Setback(why="refused", retry_in_s=None))
    assert await claimed(office) == ["t2 0"]
