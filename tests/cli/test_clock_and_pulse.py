"""The system's clock, and what the watchdog goes by."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from callcontrol.app import health
from callcontrol.app.clock import SystemClock
from callcontrol.app.health import Pulse
from callcontrol.ports import StoreError


async def test_the_clock_goes_with_the_monotonic_one_and_agrees_with_the_systems():
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=0.1)
    before, began = clock.now(), time.monotonic()
    await clock.sleep(0.05)
    passed = time.monotonic() - began
    assert abs((clock.now() - before).total_seconds() - passed) < 0.02
    assert abs(clock.behind_s) < 0.1


async def test_a_timer_rings_once_and_not_when_cancelled():
    clock = SystemClock()
    rung: list[str] = []
    clock.call_later(0.01, lambda: rung.append("one"))
    clock.call_later(-5, lambda: rung.append("late"))
    clock.call_later(0.01, lambda: rung.append("never")).cancel()
    await clock.sleep(0.05)
    assert rung == ["late", "one"]


class Database:
    """As much of a store as the pulse asks."""

    fails = False

    async def ping(self) -> None:
        if self.fails:
            raise StoreError("away", retryable=True)


async def test_the_pulse_is_lost_only_after_a_while_without_an_answer():
    linked, database = True, Database()
    pulse = Pulse(database, lambda: linked, now=lambda: at)
    at = 0.0
    await pulse.beat()
    assert pulse.healthy()
    database.fails = True
    at = health.DATABASE_PATIENCE_S - 0.1
    await pulse.beat()
    assert pulse.healthy()
    at = health.DATABASE_PATIENCE_S + 0.1
    await pulse.beat()
    assert not pulse.healthy()
    database.fails, linked = False, False
    await pulse.beat()
    assert pulse.healthy()
    at += health.LINK_PATIENCE_S + 0.1
    await pulse.beat()
    assert not pulse.healthy()


async def test_the_pulse_goes_on_while_the_database_hangs():
    class Hangs(Database):
        async def ping(self) -> None:
            await asyncio.sleep(60)

    pulse = Pulse(Hangs(), lambda: True, ask_within_s=0.02)
    began = time.monotonic()
    await pulse.beat()
    assert time.monotonic() - began < 1
