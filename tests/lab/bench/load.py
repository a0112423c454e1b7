"""Transfers at a steady rate, with many calls up."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.lab import Lab, parties
from tests.lab.bench.sightings import Sightings
from tests.lab.bench.ways import Way
from tests.lab.sip import received_calls

CALLS_PER_S = 80.0
ANSWER_AFTER_S = 0.5
REST_S = 1.0
LOST_AFTER_S = 15.0


@dataclass
class Round:
    """What became of one round of one contender. Seconds."""

    way: str
    asked: int = 0
    ask_to_ringing: list[float] = field(default_factory=list)
    answer_to_joined: list[float] = field(default_factory=list)
    behind: float = 0.0  # the longest that a trigger was late, the machine being too busy
    gaps: list[str] = field(default_factory=list)  # what was not seen that should have been

    @property
    def lost(self) -> int:
        """Transfers whose lead and agent never came together."""
        return self.asked - len(self.answer_to_joined)


async def run(
    lab: Lab,
    seen: Sightings,
    way: Way,
    calls: int,
    *,
    per_s: float,
    at: dict[int, Callable[[], None]] | None = None,
) -> Round:
    """Put up `calls` calls, transfer every one of them; `at` so many asked for, do something."""
    await lab.bulk_phones_answer(ANSWER_AFTER_S)
    leads = await lab.bulk_calls(calls, per_s=CALLS_PER_S)
    await asyncio.sleep(REST_S)
    result = Round(way.name)
    asked_at: dict[str, float] = {}

    async def transfer(lead: str, n: int) -> None:
        asked = await way.ask(lead, n)
        asked_at[lead] = asked.at
        if way.finish is not None:
            await way.finish(asked)

    async with asyncio.TaskGroup() as asking:
        began = time.monotonic()
        for n, lead in enumerate(leads, 1):
            wait = began + n / per_s - time.monotonic()
            result.behind = max(result.behind, -wait)
            await asyncio.sleep(max(0.0, wait))
            asking.create_task(transfer(lead, n))
            result.asked += 1
            if at is not None and n in at:
                at[n]()
    pairs = dict(zip(parties.BULK_PHONES, leads, strict=False))
    with contextlib.suppress(TimeoutError):  # who is missing then is counted as lost
        await lab.wait_until(
            lambda: all(seen.joined(phone, lead) for phone, lead in pairs.items()), LOST_AFTER_S, what="all"
        )
    _measure(lab, seen, pairs, asked_at, result)
    return result


def _measure(
    lab: Lab, seen: Sightings, pairs: dict[str, str], asked_at: dict[str, float], result: Round
) -> None:
    calls = {call.who: call for call in received_calls(lab.wire.sip, lab.wire.sip_port)}
    for phone, lead in pairs.items():
        call, joined_at = calls.get(phone), seen.joined(phone, lead)
        if joined_at is None:
            result.gaps.append(f"{phone} and its lead {lead} never came together")
        if call is None or call.ringing_at is None:
            result.gaps.append(f"{phone} was not seen to ring, on the wire")
            continue
        result.ask_to_ringing.append(call.ringing_at - asked_at[lead])
        if joined_at is not None and call.answered_at is not None:
            result.answer_to_joined.append(joined_at - call.answered_at)


async def clear(lab: Lab, seen: Sightings, settled: Callable[[], Awaitable[bool]]) -> None:
    """Everybody hangs up; return when the PBX is empty and the daemon has nothing left to do."""
    await lab.world.instance.cli("channel request hangup all")
    await lab.quiet(30.0)
    await lab.wait_until(settled, 30.0, what="every transfer to be closed")
    seen.forget()
    lab.world.forget()
    lab.switch.callers.clear()
    await asyncio.sleep(REST_S)
