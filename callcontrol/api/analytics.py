"""How transfers land, and what the site's own history says of its ring timeout."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict

from callcontrol.api.bodies import Identifier
from callcontrol.api.problems import Refused
from callcontrol.api.service import Served
from callcontrol.core.analytics import By, Report
from callcontrol.core.counted import Span
from callcontrol.core.model import BotId, MissedBecause, Term
from callcontrol.report import report

router = APIRouter(prefix="/v1", tags=["analytics"])


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True, frozen=True)


class EstimateAnswer(_Answer):
    """A figure with its 95 % interval. No value: too little data."""

    value: float | None
    low: float | None
    high: float | None
    calls: int


class SpanAnswer(_Answer):
    since: datetime | None
    until: datetime | None
    bot_id: str | None


class GroupAnswer(_Answer):
    """Calls with one thing in common. `left_out`: more, called off or taken by somebody quicker."""

    key: str
    calls: int
    left_out: int
    connected: int
    connect_rate: EstimateAnswer
    answer_s: float | None
    talking_s: float | None


class SpreadAnswer(_Answer):
    calls: int
    p50_s: float | None
    p90_s: float | None


class CallBacksAnswer(_Answer):
    """Seconds from the miss to the first call to the lead, and to the first talk."""

    tasks: int
    attempted: SpreadAnswer
    talked: SpreadAnswer
    done: Mapping[str, int]


class FallbacksAnswer(_Answer):
    rung: EstimateAnswer
    connected: EstimateAnswer


class PointAnswer(_Answer):
    """A second since dialling: `answered` is the share answered by its end."""

    second: int
    at_risk: int
    answers: int
    ends: int
    answered: float
    ringing: float


class CurveAnswer(_Answer):
    rings: int
    answered: int
    refused: int
    cut: int
    points: tuple[PointAnswer, ...]


class WhatIfAnswer(_Answer):
    timeout_s: int
    connected: EstimateAnswer
    mean_wait_s: EstimateAnswer


class AttemptCurves(_Answer):
    attempt: int
    phones: CurveAnswer
    what_if: tuple[WhatIfAnswer, ...]


class CatchAnswer(_Answer):
    misses: int
    open_to_it: int
    success: EstimateAnswer
    caught: EstimateAnswer


class AdviceAnswer(_Answer):
    first_fallback: CatchAnswer
    second_fallback: CatchAnswer
    wider_schedule: CatchAnswer
    kept_out: Mapping[Term, int]


class ReportAnswer(_Answer):
    span: SpanAnswer
    zone: str
    transfers: int
    legs: int
    connected: int
    connect_rate: EstimateAnswer
    missed: Mapping[MissedBecause, int]
    fallbacks: FallbacksAnswer
    answer: SpreadAnswer
    talking: SpreadAnswer
    call_backs: CallBacksAnswer
    groups: Mapping[By, tuple[GroupAnswer, ...]]
    attempts: tuple[AttemptCurves, ...]
    timeouts_s: Mapping[float, int]
    advice: AdviceAnswer

    @classmethod
    def of(cls, found: Report) -> "ReportAnswer":
        return cls.model_validate(found)


@router.get("/analytics")
async def analytics(
    service: Served,
    *,
    since: Annotated[AwareDatetime | None, Query(description="Transfers requested from then.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Before then.")] = None,
    bot: Annotated[Identifier | None, Query(description="Of one bot only.")] = None,
    by: Annotated[list[By] | None, Query(description="Told apart by these; by all if not given.")] = None,
    zone: Annotated[str, Query(max_length=64, description="IANA; of hours and weekdays.")] = "UTC",
) -> ReportAnswer:
    """Connect rates, times and misses, told apart by bot, pool, agent and more; answer curves; what other
    ring timeouts, fallback numbers or hours would have done. Every share with its interval and calls.
    """
    try:
        where = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"zone: {zone!r} is no IANA zone") from None
    span = Span(since=since, until=until, bot_id=BotId(bot) if bot else None)
    return ReportAnswer.of(await report(service.store.statistics, span, where, by or By))
