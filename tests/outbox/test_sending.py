"""Texts are sent once, tried again or parked."""

import asyncio

import pytest

from callcontrol.outbox import Route
from callcontrol.outbox.outbox import masked
from callcontrol.ports import BusyError, NewMessage
from tests.adapters.store import people as p
from tests.outbox.desk import BUSY, HOUR, REFUSED, SENT, TRY_LATER, UNSURE, Gateway


async def test_a_text_is_sent_once_and_marked(desk):
    await desk.queue("+1", "+2")
    gateway = Gateway()
    async with desk.outbox(gateway):
        await desk.until(lambda: desk.states() == ["sent", "sent"])
        await desk.passes(10)
    assert sorted(gateway.asked) == ["t1 0", "t1 1"]


async def test_it_sends_at_once_when_woken_and_otherwise_at_the_next_poll(desk):
    gateway = Gateway()
    async with desk.outbox(gateway) as outbox:
        await desk.passes(0)
        await desk.queue("+1")
        await desk.passes(0.5)
        assert gateway.asked == []
        outbox.wake()
        await desk.until(lambda: gateway.asked == ["t1 0"])
        await desk.queue("+1", name="t2")
        await desk.passes(1.0)
        await desk.until(lambda: gateway.asked == ["t1 0", "t2 0"])


async def test_a_retryable_refusal_is_tried_again_ever_more_slowly(desk):
    await desk.queue("+1")
    gateway = Gateway(BUSY, BUSY, BUSY, SENT)
    asked_at = {}
    async with desk.outbox(gateway):
        for second in range(20):
            await desk.passes(0 if second == 0 else 1)
            asked_at.setdefault(len(gateway.asked), second)
    assert asked_at == {1: 0, 2: 2, 3: 6, 4: 14}
    assert desk.states() == ["sent"]


async def test_it_gives_up_after_the_last_attempt_and_says_why(desk):
    await desk.queue("+1")
    gateway = Gateway(BUSY)
    async with desk.outbox(gateway, most_attempts=2):
        await desk.until(lambda: desk.states() == ["queued"])
        await desk.passes(2.5)
        await desk.until(lambda: desk.states() == ["parked"])
    assert desk.rows() == [("parked", 2, "try later")]


async def test_a_final_refusal_is_parked_at_once(desk):
    await desk.queue("+1")
    async with desk.outbox(Gateway(REFUSED)):
        await desk.until(lambda: desk.states() == ["parked"])
    assert desk.rows() == [("parked", 1, "no such number")]


async def test_a_gateway_that_says_nothing_may_have_sent_so_the_text_is_parked(desk):
    await desk.queue("+1")
    gateway = Gateway(60.0)
    async with desk.outbox(gateway, timeout_s=0.05):
        await desk.until(lambda: desk.states() == ["parked"])
        await desk.passes(1000)
    assert desk.rows()[0][2] == "may have been sent: the gateway said nothing for 0.05 s"
    assert len(gateway.asked) == 1


async def test_a_gateway_that_breaks_stops_no_other_text(desk):
    await desk.queue("+1", "+2")
    async with desk.outbox(Gateway(ZeroDivisionError(), SENT)):
        await desk.until(lambda: sorted(desk.states()) == ["parked", "sent"])


async def test_a_gateway_that_hangs_for_one_holds_no_other_number_up(desk):
    await desk.queue("+1", "+2", "+3")
    gateway = Gateway(0.5, SENT)
    async with desk.outbox(gateway):
        await desk.until(lambda: desk.states().count("sent") == 2, limit_s=0.4)


@pytest.mark.parametrize("way", [{"keyed": True}, {"resends": True}])
async def test_a_text_of_a_process_that_died_is_sent_by_the_next_when_its_lease_is_over(desk, way):
    await desk.queue("+1")
    await p.claim(desk.store, 8, desk.clock.now(), 120.0, via="one")
    gateway, other = Gateway(), Gateway()
    gateway.keyed = way.pop("keyed", False)
    async with desk.outbox(gateway, other, **way):
        await desk.passes(119)
        assert gateway.asked == []
        await desk.passes(2)
        await desk.until(lambda: desk.states() == ["sent"])
    assert other.asked == []


async def test_a_text_of_a_process_that_died_is_parked_where_the_gateway_knows_no_repeats(desk):
    await desk.queue("+1")
    await p.claim(desk.store, 8, desk.clock.now(), 120.0, via="one")
    gateway = Gateway()
    async with desk.outbox(gateway):
        await desk.passes(121)
        await desk.until(lambda: desk.states() == ["parked"])
    assert desk.rows()[0][2] == "may have been sent: callcontrol ended while it was being sent"
    assert gateway.asked == []


async def test_a_database_that_is_away_for_a_while_ends_nothing(desk):
    await desk.queue("+1")
    desk.store.away = True
    gateway = Gateway()
    async with desk.outbox(gateway):
        await desk.passes(30)
        assert gateway.asked == []
        desk.store.away = False
        await desk.passes(1)
        await desk.until(lambda: desk.states() == ["sent"])


async def test_a_text_that_was_sent_while_the_database_went_away_is_not_sent_again(desk):
    await desk.queue("+1")
    gateway = Gateway(0.1)
    async with desk.outbox(gateway):
        await desk.until(lambda: len(gateway.asked) == 1)
        desk.store.away = True
        await asyncio.sleep(0.15)
        await desk.passes(60)
        desk.store.away = False
        await desk.passes(1)
        await desk.until(lambda: desk.states() == ["sent"])
        await desk.passes(300)
    assert gateway.asked == ["t1 0"]


# --- later, and across restarts


async def test_one_that_is_put_off_holds_up_no_other_and_goes_in_its_time(desk):
    texts = [
        NewMessage(
            dedupe_key="a", to="+1", body="later", recipient="owner", not_before=desk.clock.now() + HOUR
        ),
        NewMessage(dedupe_key="b", to="+1", body="now", recipient="owner"),
    ]
    await p.enqueue(desk.store, texts, desk.clock.now())
    gateway = Gateway()
    async with desk.outbox(gateway):
        await desk.until(lambda: gateway.asked == ["now"])
        await desk.passes(3599)
        assert gateway.asked == ["now"]
        await desk.passes(2)
        await desk.until(lambda: gateway.asked == ["now", "later"])


async def test_what_is_on_its_way_when_the_daemon_stops_may_end(desk):
    await desk.queue("+1", "+2")
    gateway = Gateway(0.2)
    async with desk.outbox(gateway):
        await desk.until(lambda: len(gateway.asked) == 2)
    assert desk.states() == ["sent", "sent"]


async def test_what_waits_goes_by_the_routes_of_the_configuration_it_is_sent_under(desk):
    await desk.queue("+1", "+2")
    old = Gateway(TRY_LATER)
    async with desk.outbox(old, at_once=1):
        await desk.until(lambda: len(old.asked) == 1)
    await desk.restarts()
    new = Gateway()
    async with desk.outbox(Gateway(), new, routes=(Route(gateways=("two",)),)):
        await desk.passes(21)
        await desk.until(lambda: set(desk.states()) == {"sent"})
    assert len(new.asked) == 2


async def test_what_is_in_doubt_is_told_to_people_when_its_gateway_is_gone(desk):
    await desk.queue("+1")
    old = Gateway(UNSURE)
    old.keyed = True
    async with desk.outbox(old):
        await desk.until(lambda: desk.rows()[0][:2] == ("queued", 1))
    async with desk.outbox():
        await desk.until(lambda: desk.states() == ["parked"])
    assert desk.rows()[0][2] == "may have been sent: its gateway is not in the configuration any more"


@pytest.mark.parametrize(
    ("said", "logged"),
    [
        ("400 21211 The 'To' number +13035550142 is invalid", "400 21211 The 'To' number ...42 is invalid"),
        ("call (303) 555-0142 first", "call ...42 first"),
        ("550 <lena@example.com>: no such user", "550 <...@...>: no such user"),
        ("503 busy", "503 busy"),
    ],
)
def test_the_log_has_no_numbers_and_no_addresses(said, logged):
    assert masked(said) == logged


async def test_a_gateway_that_asks_for_a_year_is_asked_again_in_a_quarter_of_an_hour(desk):
    await desk.queue("+1")
    gateway = Gateway(BusyError("closed", retry_after_s=365 * 86400), SENT)
    async with desk.outbox(gateway):
        await desk.until(lambda: desk.states() == ["queued"] and len(gateway.asked) == 1)
        await desk.passes(905)
        await desk.until(lambda: desk.states() == ["sent"])
