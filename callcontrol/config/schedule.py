"""Weekly opening hours as people write them: `mon-fri: "08:00-12:00, 13:00-17:30"`."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from callcontrol.config.problems import did_you_mean
from callcontrol.core.model import Window

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\Z")
DAY_MIN = 24 * 60
_EXAMPLE = '{mon-fri: "08:00-12:00, 13:00-17:30", sat: "22:00-02:00"}'

ALWAYS = tuple(Window(weekday=day, start_min=0, end_min=DAY_MIN) for day in range(7))


def schedule(value: Any) -> tuple[Window, ...]:
    """`always`, `never`, or a mapping of days to spans. Raises ValueError."""
    if value == "always":
        return ALWAYS
    if value == "never":
        return ()
    if not isinstance(value, Mapping) or not value:
        raise ValueError(f"is no schedule; write always, never, or {_EXAMPLE}")
    windows: list[Window] = []
    given: dict[int, str] = {}
    for days, hours in value.items():
        for day in _weekdays(str(days)):
            if day in given:
                raise ValueError(f"{DAYS[day]} is in both {given[day]!r} and {days!r}; name each day once")
            given[day] = str(days)
            windows += [Window(weekday=day, start_min=start, end_min=end) for start, end in spans(hours)]
    _refuse_overlaps(windows)
    return tuple(sorted(windows, key=lambda w: (w.weekday, w.start_min)))


def _weekdays(text: str) -> Iterable[int]:
    for part in text.casefold().replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        start = _weekday(first)
        end = _weekday(last) if dash else start
        yield from ((start + n) % 7 for n in range((end - start) % 7 + 1))


def _weekday(name: str) -> int:
    if name not in DAYS:
        hint = did_you_mean(name, DAYS) or f"; write one of {', '.join(DAYS)}, or a range such as mon-fri"
        raise ValueError(f"{name!r} is no day{hint}")
    return DAYS.index(name)


def spans(value: object) -> Iterable[tuple[int, int]]:
    """`08:00-12:00, 13:00-17:30`. One that runs over midnight ends before it starts. Raises ValueError."""
    parts = value if isinstance(value, list) else str(value or "").split(",")
    for part in parts:
        found = _SPAN.match(str(part).strip())
        if not found:
            raise ValueError(f"{str(part).strip()!r} is no span of time; write it like 08:00-17:30")
        start, end = _minute(found[1], found[2]), _minute(found[3], found[4])
        if start == DAY_MIN:
            raise ValueError(f"{found[0]!r} begins at 24:00; write 00:00 on the next day")
        if start == end:
            raise ValueError(f"{found[0]!r} is empty; the whole day is 00:00-24:00")
        yield start, end or DAY_MIN


def _minute(hour: str, minute: str) -> int:
    total = int(hour) * 60 + int(minute)
    if int(minute) > 59 or total > DAY_MIN:
        raise ValueError(f"'{hour}:{minute}' is no time of day; write 00:00 to 24:00")
    return total


def _refuse_overlaps(windows: Iterable[Window]) -> None:
    """On the week's 10,080 minutes, going round: Sunday night may run into Monday."""
    week = 7 * DAY_MIN
    spans = sorted(
        (w.weekday * DAY_MIN + w.start_min, w.weekday * DAY_MIN + w.end_min + _over_midnight(w))
        for w in windows
    )
    if not spans:
        return
    first_again = (spans[0][0] + week, spans[0][1] + week)
    for (_, end), (start, _) in zip(spans, [*spans[1:], first_again], strict=True):
        if start < end:
            at = start % week
            raise ValueError(
                f"two spans overlap on {DAYS[at // DAY_MIN]} at {at % DAY_MIN // 60:02}:{at % 60:02};"
                " make them one"
            )


def _over_midnight(window: Window) -> int:
    return DAY_MIN if window.end_min <= window.start_min else 0


Schedule = Annotated[tuple[Window, ...], BeforeValidator(schedule)]
