"""What a site's own history says of its ring timeout: answer curves, and what another timeout would do.

A ring ends in one of three ways, and only one of them is an answer:

- ANSWERED: a person took it, whatever came of it then.
- REFUSED: it can no more be answered: declined, busy, unreachable, forwarded, or taken by something
  that did not accept, such as a voicemail.
- CUT: it was ended from outside while it could still have been answered: by the ring timeout, by a
  colleague who was quicker, by the lead's hangup, by a cancelled transfer or a lost link.

A ring that was cut says that it was not answered *until then*, and nothing of later: it is censored, as
statistics has it, and never counted as a refusal. So losing a race never counts against an agent.
A refusal is no censoring, for the phone would not have been answered later either: it is a competing
end. The share answered within t seconds of being dialled is therefore the cumulative incidence of
answers by Aalen and Johansen; where nothing was refused it is one less the Kaplan-Meier curve.

Sources: Klein and Moeschberger, Survival Analysis, 2nd ed., Springer 2003: sections 4.2 (Kaplan-Meier,
Greenwood's variance), 4.3 (log-log intervals), 4.5 (the mean up to a limit) and 4.7 (competing risks);
the incidence's variance is Dinse and Larson's (Biometrika 73, 1986, 379-386, eq. 6), which is
Greenwood's where nothing was refused. The intervals are log-log, and Wilson's where nobody, or
everybody, answered; for a mean they are the normal distribution's.

Seconds are whole and count from dialling, as the ring timeout does; second 3 is from 3.0 to 4.0.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import pairwise
from math import exp, log, sqrt

from callcontrol.core.estimate import ENOUGH_CALLS, Estimate, Z, unknown, wilson
from callcontrol.core.model import LegFate, LegRecord

TIMEOUTS_S = (20, 25, 30, 35, 40, 45)
ENOUGH_RINGING = 10  # phones that rang as long as the figure is about
_SECOND = timedelta(seconds=1)
_TINY = 1e-9  # what adding up may be wrong by
_WIDEST = 50.0  # past this the interval is all there is, and exp would overflow
NEGLIGIBLE = 0.02  # a share still ringing that can't change a figure much


class End(StrEnum):
    ANSWERED = "answered"
    REFUSED = "refused"
    CUT = "cut"


REFUSALS = frozenset(
    {
        LegFate.DECLINED,
        LegFate.BUSY,
        LegFate.UNREACHABLE,
        LegFate.FORWARDED,
        LegFate.NOT_ACCEPTED,
    }
)


def end_of(fate: LegFate, *, accepted: bool) -> End:
    """How a ring ended, as far as answering goes."""
    if accepted:
        return End.ANSWERED
    return End.REFUSED if fate in REFUSALS else End.CUT


@dataclass(frozen=True, kw_only=True, slots=True)
class Rings:
    """So many rings that ended alike, in the same second."""

    second: int
    end: End
    count: int = 1


def rings_of(leg: LegRecord) -> Rings | None:
    """None while it rings."""
    until = leg.answered_at or leg.ended_at
    if until is None or leg.fate is None:
        return None
    second = (until - leg.dialled_at) // _SECOND
    return Rings(second=second, end=end_of(leg.fate, accepted=leg.accepted_at is not None))


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A second in which rings ended, and what is known after it."""

    second: int
    at_risk: int  # rings that had lasted until it
    answers: int
    ends: int  # answers and refusals
    answered: float  # share answered by its end
    ringing: float  # share that would still ring: Kaplan-Meier


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """The share answered, second by second."""

    rings: int
    answered: int
    refused: int
    points: tuple[Point, ...]

    @property
    def cut(self) -> int:
        return self.rings - self.answered - self.refused

    def within(self, seconds: int) -> Estimate:
        """The share answered before `seconds` are over, if it rings so long."""
        past = self._past(seconds)
        if not self._known(past, seconds):
            return unknown(self.rings)
        value = past[-1].answered if past else 0.0
        if not _TINY < value < 1 - _TINY:
            low, high = wilson(round(value * self.rings), self.rings)
        else:
            low, high = _log_log(value, sqrt(_variance(past)))
        return Estimate(value=value, low=low, high=high, calls=self.rings)

    def mean_s(self, seconds: int) -> Estimate:
        """How long it rings on average, if it may ring `seconds` long. Within a second, ends are spread evenly."""
        past = self._past(seconds)
        if not self._known(past, seconds):
            return unknown(self.rings)
        by_second = {point.second: point.ringing for point in past}
        shares = [1.0]
        for second in range(seconds):
            shares.append(by_second.get(second, shares[-1]))
        still = [(before + after) / 2 for before, after in pairwise(shares)]
        variance = 0.0
        for point in past:
            if point.at_risk > point.ends:
                after = sum(still[point.second + 1 :])
                variance += after**2 * point.ends / (point.at_risk * (point.at_risk - point.ends))
        value, reach = sum(still), Z * sqrt(variance)
        return Estimate(
            value=value, low=max(0.0, value - reach), high=min(seconds, value + reach), calls=self.rings
        )

    def _past(self, seconds: int) -> Sequence[Point]:
        return [point for point in self.points if point.second < seconds]

    def _known(self, past: Sequence[Point], seconds: int) -> bool:
        """Enough rings, and enough of them long enough: what none has lasted, none can tell."""
        if self.rings < ENOUGH_CALLS:
            return False
        lasting = next((point.at_risk for point in self.points if point.second >= seconds), 0)
        return lasting >= ENOUGH_RINGING or (bool(past) and past[-1].ringing <= NEGLIGIBLE)


def curve(rings: Iterable[Rings]) -> Curve:
    by_end: dict[End, Counter[int]] = {end: Counter() for end in End}
    for one in rings:
        by_end[one.end][one.second] += one.count
    answers, refusals, cuts = (by_end[end] for end in (End.ANSWERED, End.REFUSED, End.CUT))
    at_risk = total = sum(sum(counts.values()) for counts in by_end.values())
    points, answered, ringing = [], 0.0, 1.0
    for second in sorted({*answers, *refusals, *cuts}):
        ends = answers[second] + refusals[second]
        answered += ringing * answers[second] / at_risk
        ringing *= 1 - ends / at_risk
        points.append(
            Point(
                second=second,
                at_risk=at_risk,
                answers=answers[second],
                ends=ends,
                answered=min(answered, 1.0),
                ringing=ringing,
            )
        )
        at_risk -= ends + cuts[second]
    return Curve(
        rings=total,
        answered=sum(answers.values()),
        refused=sum(refusals.values()),
        points=tuple(points),
    )


def _variance(past: Sequence[Point]) -> float:
    """Dinse and Larson's, of the share answered after the last of the points."""
    last, before, total = past[-1].answered, 1.0, 0.0
    for point in past:
        n, d, a = point.at_risk, point.ends, point.answers
        rest = last - point.answered
        if n > d:
            total += rest**2 * d / (n * (n - d))
        total += before**2 * (n - a) * a / n**3 - 2 * rest * before * a / n**2
        before = point.ringing
    return max(total, 0.0)


def _log_log(value: float, error: float) -> tuple[float, float]:
    unanswered = 1 - value
    reach = exp(min(Z * error / (unanswered * abs(log(unanswered))), _WIDEST))
    return 1 - unanswered ** (1 / reach), 1 - unanswered**reach


@dataclass(frozen=True, kw_only=True, slots=True)
class WhatIf:
    """What a ring timeout would have done in one attempt, if the lead had stayed."""

    timeout_s: int
    connected: Estimate  # share of the attempts
    mean_wait_s: Estimate  # until somebody answered, all had refused, or the timeout came


def what_if(attempts: Curve, timeouts: Iterable[int] = TIMEOUTS_S) -> tuple[WhatIf, ...]:
    return tuple(
        WhatIf(
            timeout_s=seconds,
            connected=attempts.within(seconds),
            mean_wait_s=attempts.mean_s(seconds),
        )
        for seconds in timeouts
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Catch:
    """What of the misses another step could have caught, if it had fared as those did that were rung."""

    misses: int  # all that nobody answered
    open_to_it: int  # those of them it could have helped
    success: Estimate  # of the step, as rung elsewhere
    caught: Estimate  # of `open_to_it`


def catch(misses: int, open_to_it: int, success: Estimate) -> Catch:
    return Catch(misses=misses, open_to_it=open_to_it, success=success, caught=success.times(open_to_it))
