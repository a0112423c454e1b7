"""One gateway: how much it may be given now.

A gateway that fails again and again is given a rest: what waits for it keeps its attempts, and goes
through another gateway where the routes know one. After the rest one message tries whether it is back.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from callcontrol.ports import Gateway

LONGEST_ASKED_S = 900.0  # whatever a gateway asks for
_RESTS_AFTER = 3  # failures without a message taken in between
_PORTION = 4  # of what has waited, at most, at one go


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    per_s: float | None = None  # none: as fast as it takes them
    burst: int = 1
    at_once: int = 8
    timeout_s: float = 20.0
    backlog_per_s: float = 10.0  # of what has waited, while a transfer is under way
    resends: bool = False  # what may have been sent: at least once, rather than at most once
    first_rest_s: float = 2.0
    longest_rest_s: float = 30.0


def jitter() -> float:
    return random.uniform(0.75, 1.25)  # noqa: S311 - no secret


class _Tokens:
    """So many come a second, and no more than a burst of them is kept."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = float(burst)
        self._left = self._burst
        self._counted_at: datetime | None = None

    def left(self, now: datetime) -> float:
        passed = 0.0 if self._counted_at is None else max(0.0, (now - self._counted_at).total_seconds())
        self._counted_at = now
        self._left = min(self._burst, self._left + passed * self._per_s)
        return self._left + 1e-9  # a tenth of a second, ten times, is a second

    def next_in_s(self, now: datetime) -> float | None:
        """None where there is one."""
        missing = 1.0 - self.left(now)
        return missing / self._per_s if missing > 0 else None

    def take(self) -> None:
        self._left -= 1.0


class Lane:
    """`now` is an argument throughout. Only `resting` is asked by another thread."""

    def __init__(
        self,
        name: str,
        gateway: Gateway,
        limits: Limits | None = None,
        *,
        jitter: Callable[[], float] = jitter,
    ) -> None:
        self.name = name
        self.gateway = gateway
        self.limits = limits or Limits()
        self._jitter = jitter
        self._in_hand = 0
        self._tokens = _Tokens(per_s, self.limits.burst) if (per_s := self.limits.per_s) else None
        self._gentle_from: datetime | None = None  # when what has waited may go on
        self._failures = 0
        self._rests_until: datetime | None = None

    @property
    def resends(self) -> bool:
        """Whether a message that may have been sent is sent again, through this same gateway."""
        return self.gateway.keyed or self.limits.resends

    @property
    def _places(self) -> int:
        return 1 if self._failures >= _RESTS_AFTER else self.limits.at_once

    def resting(self, now: datetime) -> bool:
        return self._rests_until is not None and now < self._rests_until

    def room(self, now: datetime) -> int:
        """How many messages it may be given now."""
        if self.resting(now):
            return 0
        places = self._places - self._in_hand
        if self._tokens is not None:
            places = min(places, int(self._tokens.left(now)))
        return max(0, places)

    def gentle_room(self, now: datetime) -> int:
        """The same of what has waited, while a transfer is under way: half of the places are for what is new."""
        if self._gentle_from is not None and now < self._gentle_from:
            return 0
        portion = max(1, min(_PORTION, int(self.limits.backlog_per_s), self._places // 2))
        return max(0, min(portion, self.room(now) - self._places // 2))

    def opens_in_s(self, now: datetime, *, gently: bool) -> float | None:
        """When there will be room, or room for what has waited, where time alone makes it."""
        if self.resting(now):
            assert self._rests_until is not None  # noqa: S101 - it is resting
            return (self._rests_until - now).total_seconds()
        if self._tokens is not None and (in_s := self._tokens.next_in_s(now)) is not None:
            return in_s
        if gently and self._gentle_from is not None and now < self._gentle_from:
            return (self._gentle_from - now).total_seconds()
        return None

    def took(self) -> None:
        """A message is on its way to it."""
        self._in_hand += 1
        if self._tokens is not None:
            self._tokens.take()

    def took_gently(self, count: int, now: datetime) -> float:
        """Of those on their way so many have waited. How long after one of them the next may go."""
        gap_s = 1.0 / self.limits.backlog_per_s
        self._gentle_from = now + timedelta(seconds=count * gap_s)
        return gap_s

    def let_go(self) -> None:
        self._in_hand -= 1

    def succeeded(self) -> bool:
        """Whether that is news."""
        back = self._failures >= _RESTS_AFTER
        self._failures, self._rests_until = 0, None
        return back

    def failed(self, now: datetime, retry_after_s: float | None = None) -> float | None:
        """For how long it rests from now on; none where it goes on."""
        if self.resting(now) and retry_after_s is None:
            return None  # it was on its way before
        self._failures += 1
        if self._failures < _RESTS_AFTER and retry_after_s is None:
            return None
        self._failures = max(self._failures, _RESTS_AFTER)
        doubled = self.limits.first_rest_s * 2.0 ** min(self._failures - _RESTS_AFTER, 16)
        asked_s = min(retry_after_s or 0.0, LONGEST_ASKED_S)
        rest_s = max(asked_s, min(doubled, self.limits.longest_rest_s) * self._jitter())
        self._rests_until = now + timedelta(seconds=rest_s)
        return rest_s
