"""One leg of a transfer: where it stands, and what is said of it in the end."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from callcontrol.core.events import EndedBy, Why
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
