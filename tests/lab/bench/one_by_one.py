"""One transfer at a time on a quiet PBX, the contenders taking turns."""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.lab import Lab, parties
from tests.lab.bench.sightings import Sightings
from tests.lab.bench.ways import Way
from tests.lab.sip import ReceivedCall, received_calls

ANSWER_AFTER_S = 0.1  # the phones': what asking set in motion has come to rest by then
WARM_UP = 3  # turns that don't count
REST_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One transfer. Seconds."""

    way: str
    ask_to_invite: float  # the phone has been told to ring
    ask_to_ringing: float  # it says it does
    mark_to_ringing: float | None  # from the lead's arrival at the application, where there is one
    answer_to_joined: float | None


class Turns:
    def __init__(self, lab: Lab, sightings: Sightings) -> None:
        self._lab = lab
        self._sightings = sightings
        self._phones: Iterator[int] = itertools.cycle(range(1, len(parties.BULK_PHONES) + 1))

    async def take(self, ways: Sequence[Way], count: int) -> list[Trial]:
        """`count` trials of each."""
        await self._lab.bulk_phones_answer(ANSWER_AFTER_S)
        trials = []
        for turn in range(-WARM_UP, count):
            for way in ways[turn % len(ways) :] + ways[: turn % len(ways)]:
                trial = await self._trial(way, next(self._phones))
                if turn >= 0:
                    trials.append(trial)
        return trials

    async def _trial(self, way: Way, n: int) -> Trial:
        lab, seen, phone = self._lab, self._sightings, parties.BULK_PHONES[n - 1]
        (lead,) = await lab.bulk_calls(1)
        await asyncio.sleep(REST_S)
        asked_at = (await way.ask(lead, n)).at
        joined_at = await lab.wait_until(lambda: seen.joined(phone, lead), what=f"{way.name} to join {phone}")
        call = await lab.wait_until(lambda: self._call(phone), what=f"{phone} on the wire")
        mark = seen.mark(lead)
        await self._clear(lead)
        assert call.ringing_at is not None
        assert call.answered_at is not None
        return Trial(
            way=way.name,
            ask_to_invite=call.started_at - asked_at,
            ask_to_ringing=call.ringing_at - asked_at,
            mark_to_ringing=None if mark is None else call.ringing_at - mark,
            answer_to_joined=joined_at - call.answered_at,
        )

    def _call(self, phone: str) -> ReceivedCall | None:
        calls = self._lab.calls_received(phone)
        return calls[-1] if calls and calls[-1].answered_at is not None else None

    async def take_ringing(self, ways: Sequence[Way], count: int) -> list[Trial]:
        """The same for several phones at once, as far as the first of them rings."""
        await self._lab.bulk_phones_answer(None)
        trials = []
        for turn in range(-WARM_UP, count):
            for way in ways[turn % len(ways) :] + ways[: turn % len(ways)]:
                trial = await self._ringing(way)
                if turn >= 0:
                    trials.append(trial)
        return trials

    async def _ringing(self, way: Way) -> Trial:
        (lead,) = await self._lab.bulk_calls(1)
        await asyncio.sleep(REST_S)
        asked_at = (await way.ask(lead, 1)).at
        calls = await self._lab.wait_until(self._ringing_calls, what=f"{way.name} to ring three phones")
        mark = self._sightings.mark(lead)
        await self._clear(lead)
        ringing_at = min(call.ringing_at or 0.0 for call in calls)
        return Trial(
            way=way.name,
            ask_to_invite=min(call.started_at for call in calls) - asked_at,
            ask_to_ringing=ringing_at - asked_at,
            mark_to_ringing=None if mark is None else ringing_at - mark,
            answer_to_joined=None,
        )

    def _ringing_calls(self) -> list[ReceivedCall] | None:
        wire = self._lab.wire
        calls = [call for call in received_calls(wire.sip, wire.sip_port) if call.who in parties.BULK_PHONES]
        return calls if len(calls) == 3 and all(call.ringing_at is not None for call in calls) else None

    async def _clear(self, lead: str) -> None:
        """The lead hangs up; the next begins when nobody is left and the machine is at rest."""
        await self._lab.switch.hang_up(lead)
        await self._lab.quiet()
        await asyncio.sleep(REST_S)
        self._sightings.forget()
