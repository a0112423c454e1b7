"""Hours of a week, and of single dates, as people write them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from callcontrol.config.calendar import WHOLE_DAY
from callcontrol.config.export.notation import Entry, Flow, without
from callcontrol.config.schedule import ALWAYS, DAYS
from callcontrol.core.model import DatedWindow, Window

_ONE_DAY = 1


def schedule(windows: Sequence[Window]) -> Any:
    """Days with the same hours are written as one range where they follow each other."""
    if tuple(windows) == ALWAYS:
        return "always"
    if not windows:
        return "never"
    hours = [
        _hours((w.start_min, w.end_min) for w in windows if w.weekday == day) for day in range(len(DAYS))
    ]
    written = Flow()
    for text, days in groupby(range(len(DAYS)), key=lambda day: hours[day]):
        listed = list(days)
        if text:
            first, last = DAYS[listed[0]], DAYS[listed[-1]]
            written[first if first == last else f"{first}-{last}"] = text
    return written


def _hours(spans: Iterable[tuple[int, int]]) -> str:
    return ", ".join(f"{_clock(start)}-{_clock(end)}" for start, end in spans)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def exceptions(windows: Sequence[DatedWindow]) -> Iterator[Entry]:
    """Dates that follow each other with the same hours are written as one span."""
    runs: list[list[DatedWindow]] = []
    for window in windows:
        last = runs[-1][-1] if runs else None
        if last and _alike(last, window) and (window.on - last.on).days == _ONE_DAY:
            runs[-1].append(window)
        else:
            runs.append([window])
    for run in runs:
        first, last = run[0], run[-1]
        hours: Any = True if span(first) == WHOLE_DAY[0] else _hours([span(first)])
        on: Any = first.on if first is last else f"{first.on} to {last.on}"
        yield without(
            Flow({"on": on, "open" if first.opens else "closed": hours, "why": first.why}), {"why": ""}
        )


def _alike(one: DatedWindow, other: DatedWindow) -> bool:
    return (span(one), one.opens, one.why) == (span(other), other.opens, other.why)


def span(window: DatedWindow) -> tuple[int, int]:
    return window.start_min, window.end_min
