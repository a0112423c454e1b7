"""Dates that differ from the week: an agent's exceptions, and calendars of holidays."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from callcontrol.config.schedule import DAY_MIN, spans
from callcontrol.config.schema import Model, exactly_one
from callcontrol.config.values import Text, text
from callcontrol.core.model import DatedWindow

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_RANGE = re.compile(r"(\S+)\s+to\s+(\S+)\Z")
_MOST_DAYS = 366
_YES = ("yes", "true", "on")
WHOLE_DAY = ((0, DAY_MIN),)


def days(value: Any) -> tuple[date, ...]:
    """`2026-12-24`, or `2026-08-03 to 2026-08-14`. Raises ValueError."""
    given = text(value).strip()
    found = _RANGE.match(given)
    first, last = (_date(found[1]), _date(found[2])) if found else (_date(given), _date(given))
    count = (last - first).days + 1
    if not 1 <= count <= _MOST_DAYS:
        raise ValueError(f"{given!r} is no span of dates; write the earlier date first, at most a year")
    return tuple(first + timedelta(days=n) for n in range(count))


def _date(given: str) -> date:
    try:
        if _DATE.match(given):  # Python reads other forms too, people don't
            return date.fromisoformat(given)
    except ValueError:
        pass
    raise ValueError(f"{given!r} is no date; write 2026-12-24, or 2026-08-03 to 2026-08-14 for several days")


def _hours(value: Any) -> Any:
    if isinstance(value, str) and value.casefold() in _YES:
        return WHOLE_DAY
    try:
        return tuple(spans(value))
    except ValueError as error:
        raise ValueError(f"{error}, or yes for the whole day") from None


Days = Annotated[tuple[date, ...], BeforeValidator(days)]
Hours = Annotated[tuple[tuple[int, int], ...], BeforeValidator(_hours)]


class Dated(Model):
    """`closed` takes hours away, `open` adds some, `hours` are all there are on that date."""

    on: Days
    closed: Hours | None = None
    open: Hours | None = None
    hours: Hours | None = None
    why: Text = ""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        exactly_one(self, "closed", "open", "hours")
        return self

    def to_core(self) -> Iterable[DatedWindow]:
        for day in self.on:
            if self.hours is not None:
                yield _dated(day, *WHOLE_DAY[0], opens=False, why=self.why)
            for start, end in self.closed or self.open or self.hours or ():
                yield from _split(day, start, end, opens=self.closed is None, why=self.why)


def _split(day: date, start: int, end: int, *, opens: bool, why: str) -> Iterable[DatedWindow]:
    """A dated window does not pass midnight: the rest is on the next date."""
    if start < end:
        yield _dated(day, start, end, opens=opens, why=why)
    else:
        yield _dated(day, start, DAY_MIN, opens=opens, why=why)
        yield _dated(day + timedelta(days=1), 0, end, opens=opens, why=why)


def _dated(day: date, start: int, end: int, *, opens: bool, why: str) -> DatedWindow:
    return DatedWindow(on=day, start_min=start, end_min=end, opens=opens, why=why)


def _holidays(value: Any) -> Any:
    """A list of dates, or a mapping of dates to what is celebrated."""
    if isinstance(value, Mapping):
        named = [(days(key), text(why)) for key, why in value.items()]
    elif isinstance(value, list):
        named = [(days(item), "") for item in value]
    else:
        raise ValueError("is no calendar; write a list of dates, or dates and why: {2026-12-25: Christmas}")  # noqa: TRY004 - pydantic's way
    return tuple(
        _dated(day, *WHOLE_DAY[0], opens=False, why=why) for several, why in named for day in several
    )


Calendar = Annotated[tuple[DatedWindow, ...], BeforeValidator(_holidays), Field(min_length=1)]
