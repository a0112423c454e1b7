import asyncio
from dataclasses import replace
from datetime import timedelta

from callcontrol.core.followup import FollowUp, TextOut
from callcontrol.ports import (
    Delivery,
    DeliveryReport,
    Late,
    Message,
    MessageKind,
    MessageState,
    NewMessage,
    Setback,
    Which,
)
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


# --- which gateway


def by_prefix(message: Message) -> str | None:
    return {"+1": "one", "+2": "two"}.get(message.to[:2])


def new(key: str, to: str = "+1", **more) -> NewMessage:
    return NewMessage(dedupe_key=key, to=to, body=key, recipient="owner", **more)


async def bodies(store, which: Which | None = None) -> list[str]:
    return [one.body for one in await store.messages(which or Which(), 100)]


async def test_each_gateway_gets_what_is_for_it_and_has_room(office):
    keys = [f"{n}{to}" for to in ("+1", "+2") for n in range(5)]
    await p.enqueue(office, [new(key, key[1:] + key) for key in keys])
    claim = await office.claim_messages(by_prefix, {"one": 2, "two": 4}, SOON, LEASE_S)
    assert [(m.via, m.body) for m in claim.messages] == [
        *(("one", f"{n}+1") for n in range(2)),
        *(("two", f"{n}+2") for n in range(4)),
    ]


async def test_a_gateway_without_room_keeps_nothing_from_another(office):
    await p.enqueue(office, [new(str(n), f"+1{n}") for n in range(700)])
    await p.enqueue(office, [new("last", "+2")])
    for _ in range(2):  # so many are routed in one transaction
        claim = await office.claim_messages(by_prefix, {"two": 8}, SOON, LEASE_S)
    assert [m.body for m in claim.messages] == ["last"]


async def test_what_has_waited_comes_after_what_is_new_and_no_more_of_it_than_there_is_room_for(office):
    await p.enqueue(office, [new(f"old {n}", f"+1{n}") for n in range(5)], p.LATER)
    await p.enqueue(office, [new(f"new {n}", f"+15{n}") for n in range(2)], SOON)
    late = Late(due_before=p.LATER, room={"one": 3})
    claim = await office.claim_messages(by_prefix, {"one": 4}, SOON, LEASE_S, late=late)
    assert [(m.body, m.late) for m in claim.messages] == [
        ("new 0", False),
        ("new 1", False),
        ("old 0", True),
        ("old 1", True),
    ]
    late = replace(late, room={"one": 1})
    claim = await office.claim_messages(by_prefix, {"one": 4}, SOON, LEASE_S, late=late)
    assert [m.body for m in claim.messages] == ["old 2"]
    late = replace(late, room={})
    claim = await office.claim_messages(by_prefix, {"one": 4}, SOON, LEASE_S, late=late)
    assert claim.messages == ()


async def test_what_no_gateway_is_for_is_parked_and_told(office):
    await p.enqueue(office, [new("nowhere", "+3")])
    claim = await office.claim_messages(by_prefix, {"one": 8}, SOON, LEASE_S)
    assert [(m.body, why) for m, why in claim.parked] == [
        ("nowhere", "no gateway of the configuration is for it")
    ]
    (one,) = await office.messages(Which(), 10)
    assert (one.state, one.doubtful) == (MessageState.PARKED, False)


async def test_a_failure_may_send_it_another_way_and_remembers_who_refused(office):
    await p.enqueue(office, [new("one")])
    (first,) = (await office.claim_messages(by_prefix, {"one": 8}, SOON, LEASE_S)).messages
    setback = Setback(why="refused", retry_in_s=0, via="two", refused_by=("one", "other"))
    await office.message_failed(first, SOON, setback)
    (second,) = (await office.claim_messages(by_prefix, {"two": 8}, SOON, LEASE_S)).messages
    assert (second.via, second.refused_by, second.attempts) == ("two", ("one", "other"), 2)


async def test_what_waits_for_a_gateway_may_be_routed_anew_but_not_what_is_in_doubt(office):
    await p.enqueue(office, [new("a", "+11"), new("b", "+12"), new("c", "+2")])
    claim = await office.claim_messages(by_prefix, {"one": 1}, SOON, LEASE_S)
    doubt = Setback(why="may have been sent", retry_in_s=0, via="one", doubtful=True)
    await office.message_failed(claim.messages[0], SOON, doubt)
    await office.reroute("one")
    moved = await office.claim_messages(lambda _: "new", {"new": 8, "one": 8, "two": 8}, SOON, LEASE_S)
    assert {(m.body, m.via, m.doubtful) for m in moved.messages} == {
        ("a", "one", True),
        ("b", "new", False),
        ("c", "two", False),
    }


# --- what was left by a process that died


async def test_what_was_left_is_sent_again_only_by_a_gateway_that_may(office):
    await p.enqueue(office, [new("a", "+1"), new("b", "+2")])
    room = {"one": 8, "two": 8}
    await office.claim_messages(by_prefix, room, SOON, LEASE_S)
    claim = await office.claim_messages(by_prefix, room, EXPIRED, LEASE_S, resends=("two",))
    assert [(m.body, m.via, m.doubtful) for m in claim.messages] == [("b", "two", True)]
    assert [(m.body, why) for m, why in claim.parked] == [
        ("a", "may have been sent: callcontrol ended while it was being sent")
    ]
    found = {one.body: (one.state, one.doubtful) for one in await office.messages(Which(), 10)}
    assert found == {"a": (MessageState.PARKED, True), "b": (MessageState.CLAIMED, True)}


async def test_what_the_claimer_still_holds_is_left_to_it(office):
    await p.enqueue(office, [new("a")])
    (message,) = (await office.claim_messages(by_prefix, {"one": 8}, SOON, LEASE_S)).messages
    claim = await office.claim_messages(by_prefix, {"one": 8}, EXPIRED, LEASE_S, holding=(message.id,))
    assert claim.messages == claim.parked == ()


async def test_what_is_in_doubt_is_parked_when_its_gateway_is_gone(office):
    await p.enqueue(office, [new("a", "+1"), new("b", "+2"), new("c", "+12")])
    room = {"one": 8, "two": 8}
    for message in (await office.claim_messages(by_prefix, room, SOON, LEASE_S)).messages:
        setback = Setback(why="?", retry_in_s=60, via=message.via, doubtful=message.body != "c")
        await office.message_failed(message, SOON, setback)
    assert await office.park_orphans(("two",)) == 1
    found = {one.body: (one.state, one.doubtful) for one in await office.messages(Which(), 10)}
    assert found == {
        "a": (MessageState.PARKED, True),
        "b": (MessageState.QUEUED, True),
        "c": (MessageState.QUEUED, False),
    }


# --- order, and later


async def test_one_put_off_holds_up_no_other_of_its_queue_until_its_time_has_come(office):
    later = SOON + timedelta(hours=8)
    await p.enqueue(office, [new("later", not_before=later), new("now"), new("next")])
    (first,) = await p.claim(office, 10, SOON, LEASE_S)
    assert first.body == "now"
    await office.message_sent(first, SOON, "")
    (second,) = await p.claim(office, 10, later, LEASE_S)
    assert second.body == "later", "in its time it has its place"
    assert await claimed(office, later) == []


async def test_a_queue_may_be_narrower_than_an_address(office):
    await p.enqueue(office, [new("t1 a", queue="t1"), new("t1 b", queue="t1"), new("t2 a", queue="t2")])
    assert await claimed(office) == ["t1 a", "t2 a"]


async def test_a_message_needs_no_transfer_and_its_key_counts_once(office):
    webhook = new("event-1", "crm", kind=MessageKind.WEBHOOK, gateway="webhook:crm")
    await p.enqueue(office, [webhook])
    await p.enqueue(office, [replace(webhook, body="another")])
    (message,) = await p.claim(office, 10, SOON, LEASE_S)
    assert (message.kind, message.gateway, message.transfer_id, message.body) == (
        "webhook",
        "webhook:crm",
        None,
        "event-1",
    )


# --- people, and reports


async def park(store, *keys: str, doubtful: bool = False) -> None:
    await p.enqueue(store, [new(key, f"+1{key}") for key in keys])
    for message in await p.claim(store, 100, SOON, LEASE_S, via="one"):
        await store.message_failed(message, SOON, Setback(why="no", retry_in_s=None, doubtful=doubtful))


async def test_people_find_messages_by_what_they_are(office):
    await park(office, "1", "2")
    await park(office, "3", doubtful=True)
    await p.enqueue(office, [new("4", "+14", kind=MessageKind.WEBHOOK)])
    assert await bodies(office) == ["4", "3", "2", "1"]
    assert await bodies(office, Which(states=(MessageState.PARKED,))) == ["3", "2", "1"]
    assert await bodies(office, Which(states=(MessageState.PARKED,), doubtful=False)) == ["2", "1"]
    assert await bodies(office, Which(gateway="one", doubtful=True)) == ["3"]
    assert await bodies(office, Which(kind=MessageKind.WEBHOOK)) == ["4"]
    assert await bodies(office, Which(to="+12")) == ["2"]
    assert await bodies(office, Which(ids=(1, 3))) == ["3", "1"]


async def test_people_have_parked_messages_sent_again_or_never(office):
    await park(office, "1", "2", "3", doubtful=True)
    assert await office.retry_messages(Which(ids=(1,)), SOON) == 1
    assert await office.discard_messages(Which(ids=(2,))) == 1
    (again,) = await p.claim(office, 10, SOON, LEASE_S)
    assert (again.body, again.attempts, again.doubtful) == ("1", 1, False)
    assert await office.retry_messages(Which(ids=(1,)), SOON) == 0, "it is on its way"
    assert await office.discard_messages(Which(ids=(1,))) == 0
    assert await office.retry_messages(Which(ids=(2,)), SOON) == 0, "a person has decided"
    assert await office.retry_messages(Which(states=(MessageState.PARKED,)), SOON) == 1


async def test_many_are_decided_upon_in_short_transactions(office):
    await park(office, *(str(n) for n in range(100)))
    await p.enqueue(office, [new(f"more {n}", f"+2{n}") for n in range(1100)])
    assert await office.discard_messages(Which()) == 1200


async def test_a_report_changes_what_is_known_and_never_takes_an_end_back(office):
    await p.enqueue(office, [new("a")])
    (message,) = await p.claim(office, 10, SOON, LEASE_S, via="one")
    await office.message_sent(message, SOON, "SM1")
    told = DeliveryReport(gateway="one", delivery=Delivery.ON_ITS_WAY, provider_id="SM1")
    for delivery, known in (
        (Delivery.ON_ITS_WAY, Delivery.ON_ITS_WAY),
        (Delivery.UNDELIVERED, Delivery.UNDELIVERED),
        (Delivery.ON_ITS_WAY, Delivery.UNDELIVERED),
        (Delivery.DELIVERED, Delivery.UNDELIVERED),
    ):
        assert await office.report_delivery(replace(told, delivery=delivery, detail="30003"), SOON)
        (one,) = await office.messages(Which(), 1)
        assert (one.delivery, one.delivery_at, one.delivery_detail) == (known, SOON, "30003")
    assert not await office.report_delivery(replace(told, gateway="two"), SOON), "it was never theirs"
    assert not await office.report_delivery(replace(told, provider_id="SM2"), SOON)


async def test_a_report_proves_that_what_may_have_been_sent_was(office):
    await park(office, "1", doubtful=True)
    await park(office, "2")
    for number in (1, 2):
        report = DeliveryReport(gateway="one", delivery=Delivery.DELIVERED, message_id=number)
        assert await office.report_delivery(report, SOON)
    found = {one.body: (one.state, one.doubtful) for one in await office.messages(Which(), 10)}
    assert found == {"1": (MessageState.SENT, False), "2": (MessageState.PARKED, False)}
