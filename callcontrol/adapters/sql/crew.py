"""Sets of agents as the bits of an integer: who has these tags, whose hours are open.

With it a group of thousands costs what those on duty cost. It says the same as `core.schedule`, which
a test holds it to.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo

from callcontrol.core.model import Agent, AgentId, DatedWindow, Window

_DAY_MIN = 1440
_WEEK_MIN = 7 * _DAY_MIN


@dataclass(slots=True)
class _Zone:
    """The agents of one zone: from each minute of the week on, and on each date with exceptions."""

    zone: tzinfo
    starts: list[int] = field(default_factory=list)
    open_from: list[int] = field(default_factory=list)  # sets
    dated: dict[date, dict[tuple[DatedWindow, ...], int]] = field(default_factory=dict)  # who has them

    def open_at(self, now: datetime) -> int:
        local = now.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        week_minute = local.weekday() * _DAY_MIN + minute
        found = self.open_from[bisect_right(self.starts, week_minute) - 1]
        for exceptions, who in self.dated.get(local.date(), {}).items():
            fitting = [e for e in exceptions if e.start_min <= minute < e.end_min]
            if fitting:
                found = found | who if fitting[-1].opens else found & ~who
        return found


class Crew:
    """The agents of a directory, numbered in its order. A set has the bits of its agents' numbers."""

    def __init__(self, agents: Sequence[Agent]) -> None:
        self.agents = agents
        self.numbers: dict[AgentId, int] = {agent.id: n for n, agent in enumerate(agents)}
        self.active = union(n for n, agent in enumerate(agents) if agent.active)
        self.available = union(n for n, agent in enumerate(agents) if agent.available)
        self._everyone = (1 << len(agents)) - 1
        self._tags: defaultdict[str, int] = defaultdict(int)
        for n, agent in enumerate(agents):
            for tag in agent.tags:
                self._tags[tag] |= 1 << n
        self._zones = _zones(agents)

    def tagged(self, tags: Iterable[str]) -> int:
        """Who has all of them."""
        found = self._everyone
        for tag in tags:
            found &= self._tags.get(tag, 0)
        return found

    def open_at(self, now: datetime) -> int:
        """Whose hours are open. `now` is aware."""
        found = 0
        for zone in self._zones:
            found |= zone.open_at(now)
        return found


def members(agents: int) -> Iterator[int]:
    """The numbers in a set, in order."""
    while agents:
        lowest = agents & -agents
        yield lowest.bit_length() - 1
        agents ^= lowest


def union(numbers: Iterable[int]) -> int:
    found = bytearray()
    for n in numbers:
        if n >> 3 >= len(found):
            found.extend(bytes((n >> 3) + 1 - len(found)))
        found[n >> 3] |= 1 << (n & 7)
    return int.from_bytes(found, "little")


def _zones(agents: Sequence[Agent]) -> list[_Zone]:
    alike: defaultdict[tuple[str, tuple[Window, ...]], list[int]] = defaultdict(list)
    dated: defaultdict[tuple[str, date, tuple[DatedWindow, ...]], list[int]] = defaultdict(list)
    zones: dict[str, _Zone] = {}
    for n, agent in enumerate(agents):
        key = str(agent.zone)
        zones.setdefault(key, _Zone(agent.zone))
        alike[key, agent.schedule].append(n)
        for day in {exception.on for exception in agent.exceptions}:
            dated[key, day, tuple(e for e in agent.exceptions if e.on == day)].append(n)
    changes: defaultdict[str, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    for (key, windows), numbers in alike.items():
        who = union(numbers)
        for minute in _edges(windows):
            changes[key][minute] ^= who
    for key, zone in zones.items():
        found = 0
        for minute in sorted({0, *changes[key]}):
            found ^= changes[key][minute]
            zone.starts.append(minute)
            zone.open_from.append(found)
    for (key, day, exceptions), numbers in dated.items():
        zones[key].dated.setdefault(day, {})[exceptions] = union(numbers)
    return list(zones.values())


def _edges(windows: Iterable[Window]) -> Iterator[int]:
    """The minutes of the week at which the hours begin or end, of windows that may overlap."""
    end = -1
    for start, until in sorted(_spans(windows)):
        if start > end:
            if end >= 0:
                yield end
            yield start
        end = max(end, until)
    if end >= 0:
        yield end


def _spans(windows: Iterable[Window]) -> Iterator[tuple[int, int]]:
    """In minutes of the week; one that runs over its end is two."""
    for window in windows:
        start = window.weekday * _DAY_MIN + window.start_min
        over_midnight = window.end_min <= window.start_min
        end = (window.weekday + over_midnight) * _DAY_MIN + window.end_min
        yield start, min(end, _WEEK_MIN)
        if end > _WEEK_MIN:
            yield 0, end - _WEEK_MIN
