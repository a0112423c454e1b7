"""Whether an agent may ring now: every term is looked at, and kept with its value."""

from collections.abc import Collection
from datetime import datetime, timedelta, tzinfo

from callcontrol.core.model import Agent, AgentId, Considered, Term, TermValue, Window

DAY_MIN = 1440
WEEK_DAYS = 7
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def consider(agent: Agent, now: datetime, tried: Collection[AgentId] = ()) -> Considered:
    """Every term for one agent. `now` is aware."""
    open_now = inside(agent.schedule, agent.zone, now)
    return Considered(
        agent_id=agent.id,
        name=agent.name,
        terms=(
            TermValue(term=Term.ACTIVE, holds=agent.active, value="yes" if agent.active else "no"),
            TermValue(term=Term.TOGGLE, holds=agent.available, value="on" if agent.available else "off"),
            TermValue(
                term=Term.SCHEDULE, holds=open_now, value=_schedule_text(agent, now, open_now=open_now)
            ),
            TermValue(
                term=Term.HAS_ENDPOINT,
                holds=bool(agent.endpoints),
                value=", ".join(e.address for e in agent.endpoints) or "none",
            ),
            TermValue(
                term=Term.NOT_TRIED,
                holds=agent.id not in tried,
                value="rung before" if agent.id in tried else "yes",
            ),
        ),
    )


def inside(schedule: tuple[Window, ...], zone: tzinfo, now: datetime) -> bool:
    """Whether the wall clock in `zone` shows a time inside a window.

    A wall time that a change to summer time skips never occurs; one that the change back repeats
    counts both times.
    """
    local = now.astimezone(zone)
    minute = local.hour * 60 + local.minute
    return any(_covers(window, local.weekday(), minute) for window in schedule)


def next_opening(schedule: tuple[Window, ...], zone: tzinfo, now: datetime) -> datetime | None:
    """When the schedule opens next, in `zone`; none where it never does."""
    local = now.astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    starts = (
        (midnight + timedelta(days=day, minutes=window.start_min)).replace(tzinfo=zone)
        for day in range(WEEK_DAYS + 1)
        for window in schedule
        if window.weekday == (local.weekday() + day) % WEEK_DAYS
    )
    return min((start for start in starts if start > now), default=None)


def _covers(window: Window, weekday: int, minute: int) -> bool:
    if window.start_min < window.end_min:
        return weekday == window.weekday and window.start_min <= minute < window.end_min
    tomorrow = (window.weekday + 1) % WEEK_DAYS
    return (weekday == window.weekday and minute >= window.start_min) or (
        weekday == tomorrow and minute < window.end_min
    )


def _schedule_text(agent: Agent, now: datetime, *, open_now: bool) -> str:
    if open_now:
        return "open"
    opening = next_opening(agent.schedule, agent.zone, now)
    if opening is None:
        return "never open"
    return f"closed until {_DAYS[opening.weekday()]} {opening:%H:%M} {agent.zone}"
