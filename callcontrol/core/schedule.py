"""When an agent's hours are open: weekly windows, and dates that add or take away.

Wall time in the agent's own zone. A wall time that a change to summer time skips never occurs; one that
the change back repeats counts both times.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple

from callcontrol.core.model import Agent, DatedWindow, Window

WEEK_DAYS = 7
LOOK_AHEAD_DAYS = 60  # past a long holiday
_DAY_MIN = 1440
_SECOND = timedelta(seconds=1)


class Hours(NamedTuple):
    """An agent's, without the agent: many have the same."""

    zone: tzinfo
    schedule: tuple[Window, ...]
    exceptions: tuple[DatedWindow, ...]


def inside(windows: tuple[Window, ...], zone: tzinfo, now: datetime) -> bool:
    """Whether the wall clock in `zone` shows a time inside a weekly window. `now` is aware."""
    local = now.astimezone(zone)
    return _weekly(windows, local.date(), local.hour * 60 + local.minute)


def is_open(agent: Agent | Hours, now: datetime) -> bool:
    """Whether the agent's hours are open. `now` is aware."""
    local = now.astimezone(agent.zone)
    return _open_at(agent, local.date(), local.hour * 60 + local.minute)


def exception_at(agent: Agent | Hours, now: datetime) -> DatedWindow | None:
    """The dated window that decides now, if one does."""
    local = now.astimezone(agent.zone)
    return _exception(agent, local.date(), local.hour * 60 + local.minute)


def next_opening(agent: Agent | Hours, now: datetime) -> datetime | None:
    """When the hours open next, in the agent's zone; none where they don't within 60 days."""
    today = now.astimezone(agent.zone).date()
    for days in range(LOOK_AHEAD_DAYS + 1):
        for start in sorted(_starts(agent, today + timedelta(days=days))):
            if start > now and is_open(agent, start):
                return start.astimezone(agent.zone)
    return None


def _starts(agent: Agent | Hours, day: date) -> Iterator[datetime]:
    """The instants of a day at which hours can open. In UTC: two of one zone would be compared by the clock."""
    for minute in _edges(agent, day):
        wall = datetime(day.year, day.month, day.day, minute // 60, minute % 60)  # noqa: DTZ001
        for fold in (0, 1):
            start = wall.replace(tzinfo=agent.zone, fold=fold).astimezone(UTC)
            if start.astimezone(agent.zone).replace(tzinfo=None) == wall:  # no time that is skipped
                yield start
    yield from _clock_change(day, agent.zone)


def _clock_change(day: date, zone: tzinfo) -> Iterator[datetime]:
    """The first second after a change of the clock, if there is one that day: hours can open with it."""
    early = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    late = early + timedelta(days=1)
    before = early.astimezone(zone).utcoffset()
    if late.astimezone(zone).utcoffset() == before:
        return
    while late - early > _SECOND:
        middle = early + (late - early) // (2 * _SECOND) * _SECOND
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    yield late


def _edges(agent: Agent | Hours, day: date) -> set[int]:
    """The minutes of a day at which hours can open."""
    weekly = {w.start_min for w in agent.schedule if w.weekday == day.weekday()} | {0}
    dated = [e for e in agent.exceptions if e.on == day]
    ends = {e.end_min for e in dated if e.end_min < _DAY_MIN}
    return weekly | {e.start_min for e in dated} | ends


def _open_at(agent: Agent | Hours, day: date, minute: int) -> bool:
    exception = _exception(agent, day, minute)
    return exception.opens if exception is not None else _weekly(agent.schedule, day, minute)


def _exception(agent: Agent | Hours, day: date, minute: int) -> DatedWindow | None:
    fitting = [e for e in agent.exceptions if e.on == day and e.start_min <= minute < e.end_min]
    return fitting[-1] if fitting else None


def _weekly(windows: tuple[Window, ...], day: date, minute: int) -> bool:
    return any(_covers(window, day.weekday(), minute) for window in windows)


def _covers(window: Window, weekday: int, minute: int) -> bool:
    if window.start_min < window.end_min:
        return weekday == window.weekday and window.start_min <= minute < window.end_min
    tomorrow = (window.weekday + 1) % WEEK_DAYS
    return (weekday == window.weekday and minute >= window.start_min) or (
        weekday == tomorrow and minute < window.end_min
    )
