"""How fast a gateway is given texts, and when it is left alone."""

from itertools import pairwise

from tests.adapters.store import people as p
from tests.outbox.desk import AWAY, BUSY, NEW, SENT, TRY_LATER, Gateway


async def test_a_gateway_gets_no_more_a_second_than_it_takes(desk):
    await desk.queue(*(f"+{n}" for n in range(12)))
    gateway = Gateway()
    sent_after = []
    async with desk.outbox(gateway, per_s=2.0, burst=3):
        for _ in range(20):
            await desk.passes(0.25)
            await desk.until(lambda: "claimed" not in desk.states())
            sent_after.append(len(gateway.asked))
    assert sent_after[0] in {3, 4}
    assert all(later - earlier <= 1 for earlier, later in pairwise(sent_after))
    assert sent_after[-1] == 12
    assert sent_after[8] <= 3 + 2.0 * 9 * 0.25 + 1


async def test_a_backlog_goes_gently_while_a_transfer_is_under_way_and_then_at_once(desk):
    await desk.queue(*(f"+{n}" for n in range(60)))
    await desk.passes(10)
    desk.deciding = True
    gateway = Gateway()
    async with desk.outbox(gateway, backlog_per_s=4.0):
        for _ in range(40):
            await desk.passes(0.125)
            assert desk.states().count("claimed") <= 4
        assert 18 <= len(gateway.asked) <= 22, "four a second, for five seconds"
        assert gateway.asked == [f"t1 {n}" for n in range(len(gateway.asked))], "the oldest first"
        desk.deciding = False
        await desk.passes(2)
        await desk.until(lambda: set(desk.states()) == {"sent"})


async def test_what_went_gently_and_was_sent_is_marked_when_the_daemon_stops(desk):
    await desk.queue(*(f"+{n}" for n in range(8)))
    await desk.passes(10)
    desk.deciding = True
    gateway = Gateway(SENT, SENT, 60.0)
    async with desk.outbox(gateway, backlog_per_s=4.0, timeout_s=0.2):
        for _ in range(5):
            await desk.passes(0.125)
        await desk.until(lambda: len(gateway.asked) == 3)
        assert desk.states().count("claimed") == 4, "their marks wait for each other"
    assert desk.states().count("sent") >= 2


async def test_a_new_text_finds_a_place_beside_a_backlog_that_goes_slowly(desk):
    await desk.queue(*(f"+{n}" for n in range(60)))
    await desk.passes(10)
    desk.deciding = True
    gateway = Gateway(60.0)
    async with desk.outbox(gateway, backlog_per_s=100.0, at_once=6) as outbox:
        for _ in range(20):
            await desk.passes(0.125)
        assert len(gateway.asked) == 3
        await p.enqueue(desk.store, [NEW], desk.clock.now())
        outbox.wake()
        await desk.until(lambda: gateway.asked[-1] == "new")


async def test_a_new_text_waits_for_no_backlog(desk):
    await desk.queue(*(f"+{n}" for n in range(60)))
    await desk.passes(10)
    desk.deciding = True
    gateway = Gateway()
    async with desk.outbox(gateway, backlog_per_s=0.1) as outbox:
        await desk.passes(0)
        await desk.until(lambda: desk.states().count("sent") == 1)
        await p.enqueue(desk.store, [NEW], desk.clock.now())
        outbox.wake()
        await desk.until(lambda: gateway.asked == ["t1 0", "new"])


async def test_a_backlog_that_was_sent_at_full_speed_owes_nothing_when_a_transfer_begins(desk):
    await desk.queue(*(f"+{n}" for n in range(40)))
    gateway = Gateway()
    await desk.passes(10)
    async with desk.outbox(gateway, backlog_per_s=1.0):
        await desk.until(lambda: set(desk.states()) == {"sent"})
        desk.deciding = True
        await desk.queue("+1", name="t2")
        await desk.passes(10)
        await desk.passes(1)
        await desk.until(lambda: gateway.asked[-1] == "t2 0")


async def test_a_gateway_that_fails_rests_and_what_waits_keeps_its_attempts(desk):
    await desk.queue(*(f"+{n}" for n in range(40)))
    gateway = Gateway(*[BUSY] * 7, SENT)
    async with desk.outbox(gateway, at_once=2):
        await desk.passes(0.5)
        assert len(gateway.asked) <= 4, "two at once, and none after the third failure"
        untried = sum(attempts == 0 for _, attempts, _ in desk.rows())
        assert untried >= 36
        for _ in range(120):
            await desk.passes(1)
        await desk.until(lambda: set(desk.states()) == {"sent"})
    assert len(gateway.asked) == 47


async def test_while_a_gateway_rests_the_next_one_carries_its_messages(desk):
    await desk.queue(*(f"+{n}" for n in range(40)))
    down, up = Gateway(BUSY), Gateway()
    async with desk.outbox(down, up):
        await desk.until(lambda: set(desk.states()) == {"sent"})
    assert len(down.asked) < 20
    assert len(up.asked) == 40


async def test_a_gateway_that_says_how_long_is_left_alone_so_long(desk):
    await desk.queue("+1", "+2")
    gateway = Gateway(TRY_LATER, SENT)
    async with desk.outbox(gateway, at_once=1):
        await desk.until(lambda: len(gateway.asked) == 1)
        await desk.passes(19.5)
        assert len(gateway.asked) == 1
        await desk.passes(2)
        await desk.until(lambda: set(desk.states()) == {"sent"})


async def test_a_recipient_who_is_away_is_no_fault_of_the_gateway(desk):
    await desk.queue("+1", "+2", "+3", "+4", "+5", "+6")
    gateway = Gateway(AWAY, AWAY, AWAY, AWAY, SENT)
    async with desk.outbox(gateway, at_once=1):
        await desk.until(lambda: desk.states().count("sent") == 2)
    assert desk.states().count("queued") == 4
