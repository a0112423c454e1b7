"""The outbox on a real SQLite, with a gateway that does as it is told, on a clock that jumps."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from callcontrol.adapters.simulated import VirtualClock
from callcontrol.adapters.sql import SqlStore
from callcontrol.core.followup import FollowUp, TextOut
from callcontrol.outbox import Lane, Limits, Outbox, Pace, Route, Routes
from callcontrol.outbox.outbox import masked
from callcontrol.ports import (
    BusyError,
    DoubtError,
    Message,
    NewMessage,
    PortError,
    StoreError,
    UnreachableError,
)
from tests.adapters.store import people as p

SENT = None
REFUSED = PortError("no such number", retryable=False)
HOUR = timedelta(hours=1)
NAMES = ("one", "two", "three")
NEW = NewMessage(dedupe_key="new", to="+999", body="new", recipient="owner")
BUSY = PortError("try later", retryable=True)


class Gateway:
    """Answers in turn with what is given, the last one for ever."""

    keyed = False

    def __init__(self, *answers: Exception | float | None) -> None:
        self.answers = list(answers) or [SENT]
        self.asked: list[str] = []

    async def send(self, message: Message) -> str:
        self.asked.append(message.body)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        match answer:
            case Exception():
                raise answer
            case float():
                await asyncio.sleep(answer)
        return ""


class Database(SqlStore):
    """A store that says when it is at work, and that can be away."""

    working = 0
    away = False

    async def claim_messages(self, *given, **more):
        return await self._done(super().claim_messages(*given, **more))

    async def message_sent(self, *given):
        await self._done(super().message_sent(*given))

    async def message_failed(self, *given):
        await self._done(super().message_failed(*given))

    async def reroute(self, *given):
        await self._done(super().reroute(*given))

    async def park_orphans(self, *given):
        return await self._done(super().park_orphans(*given))

    async def _done(self, work: Coroutine[Any, Any, Any]) -> Any:
        if self.away:
            work.close()
            raise StoreError("the database is away", retryable=True)
        self.working += 1
        try:
            return await work
        finally:
            self.working -= 1


class Desk:
    """A store, an outbox and the clock between them."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "cc.db"
        self.store = Database(f"sqlite:///{self.file}")
        self.clock = VirtualClock(p.LATER + timedelta(seconds=1))
        self.deciding = False  # a transfer is under way

    async def queue(self, *numbers: str, name: str = "t1") -> None:
        await p.opened(self.store, name)
        texts = tuple(TextOut(recipient=f"r{n}", to=to, body=f"{name} {n}") for n, to in enumerate(numbers))
        await self.store.record(p.missed(name, follow_up=FollowUp(texts=texts)))

    @asynccontextmanager
    async def outbox(
        self, *gateways: Gateway, routes: tuple[Route, ...] = (), most_attempts: int = 30, **limits: Any
    ) -> AsyncIterator[Outbox]:
        """Gateways `one`, `two`, ... in that order, unless there are routes."""
        lanes = [
            Lane(name, gateway, Limits(**limits), jitter=lambda: 1.0)
            for name, gateway in zip(NAMES, gateways, strict=False)
        ]
        outbox = Outbox(
            store=self.store,
            lanes=lanes,
            routes=Routes(routes=routes or (Route(gateways=tuple(lane.name for lane in lanes)),)),
            clock=self.clock,
            deciding=lambda: self.deciding,
            pace=Pace(gather_s=0, most_attempts=most_attempts, drain_s=0.5),
            jitter=lambda: 1.0,
        )
        running = asyncio.create_task(outbox.run())
        try:
            yield outbox
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def restarts(self) -> None:
        """What an earlier process had begun to write is written."""
        await self.store.close()
        self.store = Database(f"sqlite:///{self.file}")

    async def passes(self, seconds: float) -> None:
        await self.clock.advance(seconds, busy=lambda: self.store.working > 0)

    async def until(self, holds: Callable[[], bool], limit_s: float = 5.0) -> None:
        async with asyncio.timeout(limit_s):
            while not holds():
                await asyncio.sleep(0.005)

    def rows(self) -> list[tuple[str, int, str | None]]:
        """State, attempts and last error of each text, read past the store."""
        engine = create_engine(f"sqlite:///{self.file}")
        with engine.connect() as connection:
            found = connection.execute(
                text("SELECT state, attempts, last_error FROM outbox ORDER BY id")
            ).all()
        engine.dispose()
        return [tuple(row) for row in found]

    def states(self) -> list[str]:
        return [row[0] for row in self.rows()]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    await desk.store.ensure_schema()
    await desk.store.apply(p.DIRECTORY)
    yield desk
    await desk.store.close()


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


# --- more than one gateway


TRY_LATER = BusyError("overloaded", retry_after_s=20)
UNSURE = DoubtError("it said nothing")
AWAY = UnreachableError("the phone is off")


async def test_what_one_gateway_refuses_goes_through_the_next_at_once(desk):
    await desk.queue("+1", "+2")
    first, second = Gateway(REFUSED), Gateway()
    async with desk.outbox(first, second):
        await desk.until(lambda: desk.states() == ["sent", "sent"])
    assert (len(first.asked), len(second.asked)) == (2, 2)


async def test_what_every_gateway_refuses_is_parked(desk):
    await desk.queue("+1")
    async with desk.outbox(Gateway(REFUSED), Gateway(PortError("no such country", retryable=False))):
        await desk.until(lambda: desk.states() == ["parked"])
    assert desk.rows() == [("parked", 2, "no such country")]


async def test_a_gateway_that_refused_for_good_is_not_asked_again(desk):
    await desk.queue("+1")
    first, second = Gateway(REFUSED), Gateway(BUSY, BUSY, SENT)
    async with desk.outbox(first, second):
        for _ in range(30):
            await desk.passes(1)
        await desk.until(lambda: desk.states() == ["sent"])
    assert (len(first.asked), len(second.asked)) == (1, 3)


async def test_what_may_have_been_sent_goes_through_no_other_gateway(desk):
    await desk.queue("+1")
    second = Gateway()
    async with desk.outbox(Gateway(UNSURE), second):
        await desk.until(lambda: desk.states() == ["parked"])
        await desk.passes(1000)
    assert desk.rows()[0][2] == "may have been sent: it said nothing"
    assert second.asked == []


@pytest.mark.parametrize("way", [{"keyed": True}, {"resends": True}])
async def test_what_may_have_been_sent_is_sent_again_where_that_does_no_harm(desk, way):
    await desk.queue("+1")
    first, second = Gateway(UNSURE, BUSY, SENT), Gateway()
    first.keyed = way.pop("keyed", False)
    async with desk.outbox(first, second, **way):
        for _ in range(30):
            await desk.passes(1)
        await desk.until(lambda: desk.states() == ["sent"])
    assert (len(first.asked), second.asked) == (3, []), "and only by the same gateway"


async def test_what_may_have_been_sent_before_and_is_refused_now_is_still_in_doubt(desk):
    await desk.queue("+1")
    first, second = Gateway(UNSURE, REFUSED), Gateway()
    first.keyed = True
    async with desk.outbox(first, second):
        for _ in range(5):
            await desk.passes(1)
        await desk.until(lambda: desk.states() == ["parked"])
    assert desk.rows()[0][2] == "may have been sent before; now: no such number"
    assert second.asked == []


async def test_a_gateway_that_hangs_holds_up_no_other(desk):
    """Every place of the first is taken; more wait for it than the database is asked for at one go."""
    await desk.queue(*(f"+1{n:03d}" for n in range(600)), name="t1")
    await desk.queue(*(f"+2{n:03d}" for n in range(20)), name="t2")
    hangs, works = Gateway(60.0), Gateway()
    routes = (Route(gateways=("one",), prefixes=("+1",)), Route(gateways=("two",)))
    async with desk.outbox(hangs, works, routes=routes):
        await desk.passes(1)
        await desk.until(lambda: desk.states().count("sent") == 20)
        assert len(hangs.asked) == 8


async def test_a_message_that_no_gateway_is_for_is_parked(desk):
    await desk.queue("+1")
    async with desk.outbox(Gateway(), routes=(Route(gateways=("one",), prefixes=("+2",)),)):
        await desk.until(lambda: desk.states() == ["parked"])
    assert desk.rows() == [("parked", 0, "no gateway of the configuration is for it")]


async def test_a_route_fits_by_prefix_and_recipient():
    routes = Routes(
        routes=(
            Route(gateways=("german",), prefixes=("+49", "+43"), recipients=("owner",)),
            Route(gateways=("desk", "other"), recipients=("agent",)),
            Route(gateways=("other",)),
        )
    )

    def of(to: str, recipient: str, gateway: str | None = None) -> tuple[str, ...]:
        return routes.of(Message(id=1, dedupe_key="", to=to, body="", recipient=recipient, gateway=gateway))

    assert of("+4930", "owner") == ("german",)
    assert of("+4930", "agent") == ("desk", "other")
    assert of("+1303", "owner") == ("other",)
    assert of("+4930", "owner", gateway="crm") == ("crm",), "a message may name its own"
    assert [routes.stand_in(name) for name in ("german", "desk", "other")] == [False, True, True]
    assert Routes().of(Message(id=1, dedupe_key="", to="", body="", recipient="")) == ()


# --- how fast


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
