"""What became of each attempt of a transfer, for the statistics."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from callcontrol.core.model import ChannelId, LegFate, LegRecord, PoolId, StepKind
from callcontrol.core.tuning import End, Rings, rings_of

_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)
_CALLED_OFF = (None, LegFate.CANCELLED, LegFate.LOST)  # none: it is being hung up


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptFacts:
    """An attempt lasts until its first acceptance, by that phone's own clock, or else its longest ring."""

    number: int  # 1 is the first
    step: StepKind
    pool_id: PoolId | None
    connected: bool
    called_off: bool  # by the lead, the bot or a lost switch, before it was decided
    ending: End
    rang_s: int  # whole seconds
    answer_us: int | None  # from dialling to the first acceptance
    talking_us: int | None  # from the request until the lead and the agent were on one line


def attempts_of(
    legs: Iterable[LegRecord], winner: ChannelId | None, requested_at: datetime, at: datetime
) -> tuple[AttemptFacts, ...]:
    """At the moment `at` of the outcome; `winner` is the leg it is connected with."""
    ordered = sorted(legs, key=lambda leg: leg.attempt)
    return tuple(
        _facts(number, tuple(rung), winner, requested_at, at)
        for number, rung in groupby(ordered, key=lambda leg: leg.attempt)
    )


def _facts(
    number: int, legs: Sequence[LegRecord], winner: ChannelId | None, requested_at: datetime, at: datetime
) -> AttemptFacts:
    rings = [rings_of(leg) or Rings(second=(at - leg.dialled_at) // _SECOND, end=End.CUT) for leg in legs]
    answers = [leg.answered_at - leg.dialled_at for leg in legs if leg.answered_at and leg.accepted_at]
    won = next((leg for leg in legs if leg.leg.id == winner), None)
    if answers:
        ending, lasted = End.ANSWERED, min(answers) // _SECOND
    else:
        refused = all(ring.end is End.REFUSED for ring in rings)
        ending, lasted = End.REFUSED if refused else End.CUT, max(ring.second for ring in rings)
    return AttemptFacts(
        number=number,
        step=legs[0].step,
        pool_id=legs[0].pool_id,
        connected=won is not None,
        called_off=won is None and any(leg.fate in _CALLED_OFF for leg in legs),
        ending=ending,
        rang_s=lasted,
        answer_us=min(answers) // _MICROSECOND if answers else None,
        talking_us=(won.joined_at - requested_at) // _MICROSECOND if won and won.joined_at else None,
    )
