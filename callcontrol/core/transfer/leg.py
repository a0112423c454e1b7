"""One leg of a transfer: where it stands, and what is said of it in the end."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from callcontrol.core.events import EndedBy, HangUp, Settings, Why
from callcontrol.core.model import ChannelId, LegFate, LegRecord


class LegState(StrEnum):
    DIALLING = "dialling"
    RINGING = "ringing"
    ANSWERED = "answered"
    ACCEPTED = "accepted"
    JOINED = "joined"
    GONE = "gone"


UNANSWERED = (LegState.DIALLING, LegState.RINGING)


_FATE_OF_ORDER = {
    Why.ANSWERED_ELSEWHERE: LegFate.LOST_RACE,
    Why.TAKEN: LegFate.LOST_RACE,
    Why.RING_TIMEOUT: LegFate.NO_ANSWER,
    Why.UNREACHABLE: LegFate.UNREACHABLE,
    Why.NO_CONSENT: LegFate.NOT_ACCEPTED,
    Why.LEAD_HUNG_UP: LegFate.CANCELLED,
    Why.CANCELLED: LegFate.CANCELLED,
    Why.JOIN_FAILED: LegFate.LOST,
    Why.CALL_OVER: LegFate.ANSWERED,
}
_FATE_OF_UNANSWERED = {
    EndedBy.NORMAL: LegFate.NO_ANSWER,
    EndedBy.BUSY: LegFate.BUSY,
    EndedBy.DECLINED: LegFate.DECLINED,
    EndedBy.NO_ANSWER: LegFate.NO_ANSWER,
    EndedBy.UNREACHABLE: LegFate.UNREACHABLE,
    EndedBy.FORWARDED: LegFate.FORWARDED,
}


@dataclass(slots=True)
class LiveLeg:
    """A leg as the machine sees it: its record, where it stands, and whether it was told to go."""

    record: LegRecord
    state: LegState = LegState.DIALLING
    leaving: Why | None = None
    leaving_since: datetime | None = None
    declined: bool = False

    @property
    def id(self) -> ChannelId:
        return self.record.leg.id

    @property
    def gone(self) -> bool:
        return self.state is LegState.GONE

    def end(self, fate: LegFate, cause: str, now: datetime) -> None:
        """It is on the switch no more. What became of it is kept, where that was known before."""
        self.state = LegState.GONE
        self.record = replace(self.record, ended_at=now, fate=self.record.fate or fate, cause=cause)

    def send_away(self, why: Why, now: datetime) -> HangUp:
        """The order that ends it; who has picked up is told why. A repeat keeps the first reason."""
        answered = self.state not in UNANSWERED
        told = Why.TAKEN if answered and why is Why.ANSWERED_ELSEWHERE else why
        self.leaving, self.leaving_since = self.leaving or told, now
        return HangUp(channel=self.id, why=told, answered=answered)

    def deadlines(self, limits: Settings) -> Iterator[tuple[datetime, Why | None]]:
        """When it has been waited for long enough, and why it is then ended; none: it should be gone."""
        record = self.record
        if self.leaving_since is not None:
            yield _after(self.leaving_since, limits.hang_up_timeout_s), None
            return
        if self.state in UNANSWERED:
            yield _after(record.dialled_at, limits.ring_timeout_s), Why.RING_TIMEOUT
        if self.state is LegState.DIALLING and not record.leg.endpoint.external:
            yield _after(record.dialled_at, limits.no_ringing_s), Why.UNREACHABLE
        if self.state is LegState.ANSWERED and record.answered_at is not None:
            yield _after(record.answered_at, limits.accept_timeout_s), Why.NO_CONSENT

    def fate(self, by: EndedBy) -> LegFate:
        """What became of it, now that it has ended: what we told it to, or else what it did itself."""
        if self.leaving is not None:
            return _FATE_OF_ORDER[self.leaving]
        if self.declined:
            return LegFate.DECLINED
        if self.state in (LegState.ACCEPTED, LegState.JOINED):
            return LegFate.HUNG_UP
        if self.state is LegState.ANSWERED:
            return LegFate.NOT_ACCEPTED
        return _FATE_OF_UNANSWERED[by]


def _after(at: datetime, seconds: float) -> datetime:
    return at + timedelta(seconds=seconds)
