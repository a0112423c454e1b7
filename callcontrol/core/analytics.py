"""How transfers land: the report made of what a database has counted.

Only transfers that are decided count, each in the period in which it was requested. A share is of the
calls it could have been: an agent's leg that lost a race, or whose lead hung up, and an attempt that was
called off, are left out of theirs, and told beside it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum

from callcontrol.core.counted import Attempts, CallBack, Counts, Span, Sums, Transfers
from callcontrol.core.estimate import Estimate, quantile, share
from callcontrol.core.keptout import UNANSWERED
from callcontrol.core.model import LegFate, MissedBecause, StepKind, Term
from callcontrol.core.tuning import Catch, Curve, Rings, WhatIf, catch, curve, what_if

QUARTER_HOUR_S = 900
NO_POOL = "(no pool)"
FALLBACKS = "(fallback numbers)"
_CALLED_OFF = frozenset({LegFate.LOST_RACE, LegFate.CANCELLED, LegFate.LOST})


class By(StrEnum):
    """What the calls are told apart by."""

    BOT = "bot"
    PATTERN = "pattern"
    ATTEMPT = "attempt"
    POOL = "pool"
    AGENT = "agent"
    HOUR = "hour"
    WEEKDAY = "weekday"


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Calls that have one thing in common: transfers, attempts or legs, as the dimension has it."""

    key: str
    calls: int
    left_out: int  # more, of which nobody can say how they would have come out
    connected: int
    connect_rate: Estimate
    answer_s: float | None  # mean, of those that were answered
    talking_s: float | None  # mean from the request, of those connected


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """Seconds that half, and nine of ten, did not exceed."""

    calls: int
    p50_s: float | None
    p90_s: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CallBacks:
    """How fast missed leads were called back."""

    tasks: int
    attempted: Spread  # until the first call to the lead
    talked: Spread  # until the first talk, whoever called
    done: Mapping[str, int]  # how -> tasks


@dataclass(frozen=True, kw_only=True, slots=True)
class Fallbacks:
    rung: Estimate  # share of the transfers that came to fallback numbers
    connected: Estimate  # share of those that a fallback number took


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One attempt's answer curve, phone by phone, and what another timeout would have done to it."""

    attempt: int
    phones: Curve
    what_if: tuple[WhatIf, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    """What else could have caught misses."""

    first_fallback: Catch
    second_fallback: Catch
    wider_schedule: Catch
    kept_out: Mapping[Term, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    span: Span
    zone: str
    transfers: int
    legs: int
    connected: int
    connect_rate: Estimate
    missed: Mapping[MissedBecause, int]
    fallbacks: Fallbacks
    answer: Spread
    talking: Spread
    call_backs: CallBacks
    groups: Mapping[By, tuple[Group, ...]]
    attempts: tuple[Attempt, ...]
    timeouts_s: Mapping[float, int]  # ring timeouts in force -> transfers
    advice: Advice


def report(counts: Counts, span: Span, zone: tzinfo, by: Iterable[By] = By) -> Report:
    connected = sum(one.sums.count for one in counts.transfers if one.missed is None)
    missed: Counter[MissedBecause] = Counter()
    timeouts: Counter[float] = Counter()
    for one in counts.transfers:
        if one.missed is not None:
            missed[one.missed] += one.sums.count
        if one.ring_timeout_s is not None:
            timeouts[one.ring_timeout_s] += one.sums.count
    decided = connected + sum(missed.values())
    return Report(
        span=span,
        zone=str(zone),
        transfers=decided,
        legs=sum(one.sums.count for one in counts.legs),
        connected=connected,
        connect_rate=share(connected, decided),
        missed=dict(missed.most_common()),
        fallbacks=_fallbacks(counts.transfers, decided),
        answer=_spread(counts.answer_tenths),
        talking=_spread(counts.talking_tenths),
        call_backs=_call_backs(counts.call_backs),
        groups={one: _GROUPS[one](counts, zone) for one in by},
        attempts=_attempts(counts),
        timeouts_s=dict(timeouts.most_common()),
        advice=_advice(counts, missed),
    )


def _spread(tenths: Mapping[int, int]) -> Spread:
    p50, p90 = quantile(tenths, 0.5), quantile(tenths, 0.9)
    return Spread(
        calls=sum(tenths.values()),
        p50_s=None if p50 is None else p50 / 10,
        p90_s=None if p90 is None else p90 / 10,
    )


def _call_backs(tasks: Sequence[CallBack]) -> CallBacks:
    return CallBacks(
        tasks=len(tasks),
        attempted=_spread(_tenths(task.first_attempt_s for task in tasks)),
        talked=_spread(_tenths(task.first_answered_s for task in tasks)),
        done=Counter(task.done_how for task in tasks if task.done_how is not None),
    )


def _tenths(values: Iterable[float | None]) -> Mapping[int, int]:
    return Counter(int(value * 10) for value in values if value is not None)


# --- groups


class _Tally:
    """Adds up what a group's figures are made of."""

    def __init__(self) -> None:
        self.calls = self.left_out = self.connected = 0
        self.answered = self.answer_us = self.talking = self.talking_us = 0

    def add(self, sums: Sums, *, connected: bool, left_out: bool = False) -> None:
        if left_out:
            self.left_out += sums.count
            return
        self.calls += sums.count
        self.connected += sums.count if connected else 0
        self.answered += sums.answered
        self.answer_us += sums.answer_us
        self.talking += sums.talking
        self.talking_us += sums.talking_us

    def group(self, key: str) -> Group:
        return Group(
            key=key,
            calls=self.calls,
            left_out=self.left_out,
            connected=self.connected,
            connect_rate=share(self.connected, self.calls),
            answer_s=_mean_s(self.answer_us, self.answered),
            talking_s=_mean_s(self.talking_us, self.talking),
        )


def _mean_s(total_us: int, of: int) -> float | None:
    return total_us / of / 1_000_000 if of else None


def _groups(tallies: Mapping[Hashable, _Tally], name: Callable[[Hashable], str] = str) -> tuple[Group, ...]:
    """In the keys' own order where they are numbers, else those with the most calls first."""
    if all(isinstance(key, int) for key in tallies):
        return tuple(tallies[key].group(name(key)) for key in sorted(tallies, key=lambda key: (key,)))
    made = [tally.group(name(key)) for key, tally in tallies.items()]
    return tuple(sorted(made, key=lambda group: (-group.calls - group.left_out, group.key)))


def _of_transfers(key: Callable[[Transfers], str]) -> Callable[[Counts, tzinfo], tuple[Group, ...]]:
    def groups(counts: Counts, _zone: tzinfo) -> tuple[Group, ...]:
        tallies: defaultdict[Hashable, _Tally] = defaultdict(_Tally)
        for one in counts.transfers:
            tallies[key(one)].add(one.sums, connected=one.missed is None)
        return _groups(tallies)

    return groups


def _of_quarters(
    key: Callable[[datetime], int], name: Callable[[Hashable], str]
) -> Callable[[Counts, tzinfo], tuple[Group, ...]]:
    def groups(counts: Counts, zone: tzinfo) -> tuple[Group, ...]:
        tallies: defaultdict[Hashable, _Tally] = defaultdict(_Tally)
        for one in counts.quarters:
            at = datetime.fromtimestamp(one.number * QUARTER_HOUR_S, zone)
            tallies[key(at)].add(one.sums, connected=one.connected)
        return _groups(tallies, name)

    return groups


def _of_attempts(key: Callable[[Attempts], Hashable]) -> Callable[[Counts, tzinfo], tuple[Group, ...]]:
    def groups(counts: Counts, _zone: tzinfo) -> tuple[Group, ...]:
        tallies: defaultdict[Hashable, _Tally] = defaultdict(_Tally)
        for one in counts.attempts:
            tallies[key(one)].add(one.sums, connected=one.connected, left_out=one.called_off)
        return _groups(tallies)

    return groups


def _agents(counts: Counts, _zone: tzinfo) -> tuple[Group, ...]:
    """Only what an agent could have taken counts: a lost race never does."""
    tallies: defaultdict[Hashable, _Tally] = defaultdict(_Tally)
    for one in counts.legs:
        took = one.fate is LegFate.ANSWERED
        tallies[one.agent_id or FALLBACKS].add(one.sums, connected=took, left_out=one.fate in _CALLED_OFF)
    return _groups(tallies)


def _pool(one: Attempts) -> str:
    return FALLBACKS if one.step is StepKind.FALLBACK else one.pool_id or NO_POOL


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _hour(key: Hashable) -> str:
    return f"{key:02}:00"


def _day(key: Hashable) -> str:
    return _DAYS[int(str(key))]


_GROUPS: Mapping[By, Callable[[Counts, tzinfo], tuple[Group, ...]]] = {
    By.BOT: _of_transfers(lambda one: one.bot_id),
    By.PATTERN: _of_transfers(lambda one: one.pattern or "(unknown)"),
    By.ATTEMPT: _of_attempts(lambda one: one.attempt),
    By.POOL: _of_attempts(_pool),
    By.AGENT: _agents,
    By.HOUR: _of_quarters(lambda at: at.hour, _hour),
    By.WEEKDAY: _of_quarters(lambda at: at.weekday(), _day),
}


# --- tuning


def _attempts(counts: Counts) -> tuple[Attempt, ...]:
    phones: defaultdict[int, list[Rings]] = defaultdict(list)
    for leg in counts.legs:
        phones[leg.attempt].append(leg.rings)
    whole: defaultdict[int, list[Rings]] = defaultdict(list)
    for one in counts.attempts:
        whole[one.attempt].append(one.rings)
    return tuple(
        Attempt(attempt=number, phones=curve(phones[number]), what_if=what_if(curve(whole[number])))
        for number in sorted(phones)
    )


def _fallbacks(transfers: Iterable[Transfers], decided: int) -> Fallbacks:
    rung = [one for one in transfers if one.fallback_attempts]
    total = sum(one.sums.count for one in rung)
    return Fallbacks(rung=share(total, decided), connected=share(_connected(rung), total))


def _connected(transfers: Iterable[Transfers]) -> int:
    return sum(one.sums.count for one in transfers if one.missed is None)


def _advice(counts: Counts, missed: Mapping[MissedBecause, int]) -> Advice:
    misses = sum(missed.get(reason, 0) for reason in UNANSWERED)
    unanswered = [one for one in counts.transfers if one.missed in UNANSWERED]
    first, second = (_of_fallback(counts.transfers, number) for number in (1, 2))
    agents = [one for one in counts.attempts if one.step is not StepKind.FALLBACK and not one.called_off]
    rang = sum(one.sums.count for one in agents)
    answered = share(sum(one.sums.count for one in agents if one.connected), rang)
    return Advice(
        first_fallback=catch(misses, _with(unanswered, 0), first),
        second_fallback=catch(misses, _with(unanswered, 1), first if second.value is None else second),
        wider_schedule=catch(misses, counts.kept_out.get(Term.SCHEDULE, 0), answered),
        kept_out=counts.kept_out,
    )


def _with(transfers: Iterable[Transfers], fallback_attempts: int) -> int:
    return sum(one.sums.count for one in transfers if one.fallback_attempts == fallback_attempts)


def _of_fallback(transfers: Iterable[Transfers], number: int) -> Estimate:
    """How often that fallback attempt took the lead, where it was made and the lead waited for it."""
    reached = [one for one in transfers if one.fallback_attempts >= number]
    fair = [
        one
        for one in reached
        if one.missed in (None, *UNANSWERED) or one.fallback_attempts > number  # it was over by then
    ]
    took = [one for one in fair if one.fallback_attempts == number]
    return share(_connected(took), sum(one.sums.count for one in fair))
