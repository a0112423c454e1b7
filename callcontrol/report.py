"""The report on how transfers land, asked of the database and reckoned beside the event loop."""

import asyncio
from collections.abc import Iterable
from datetime import tzinfo

from callcontrol.core import analytics
from callcontrol.core.analytics import By, Report
from callcontrol.core.counted import Counts, Quarter, Span
from callcontrol.ports import Statistics

_BY_TIME = {By.HOUR, By.WEEKDAY}


async def report(statistics: Statistics, span: Span, zone: tzinfo, by: Iterable[By] = By) -> Report:
    """Hours and weekdays are those of `zone`. Raises PortError."""
    wanted = tuple(by)
    (legs, attempts, transfers, quarters), (answer, talking, kept_out, call_backs) = await asyncio.gather(
        asyncio.gather(
            statistics.legs(span),
            statistics.attempts(span),
            statistics.transfers(span),
            statistics.quarters(span) if _BY_TIME & set(wanted) else _nothing(),
        ),
        asyncio.gather(
            statistics.answer_tenths(span),
            statistics.talking_tenths(span),
            statistics.kept_out(span),
            statistics.call_backs(span),
        ),
    )
    counts = Counts(
        transfers=transfers,
        quarters=quarters,
        attempts=attempts,
        legs=legs,
        answer_tenths=answer,
        talking_tenths=talking,
        kept_out=kept_out,
        call_backs=call_backs,
    )
    return await asyncio.to_thread(analytics.report, counts, span, zone, wanted)


async def _nothing() -> tuple[Quarter, ...]:
    return ()
