"""What a database counts for a report: calls that are alike, and how long they took."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from callcontrol.core.model import AgentId, BotId, LegFate, MissedBecause, Pattern, PoolId, StepKind, Term
from callcontrol.core.tuning import Rings


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """Transfers requested from `since` until before `until`, of one bot or of all."""

    since: datetime | None = None
    until: datetime | None = None
    bot_id: BotId | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """So many, and how long it took them altogether. Microseconds; of those that were answered."""

    count: int
    answered: int = 0
    answer_us: int = 0
    talking: int = 0
    talking_us: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Transfers:
    """Transfers that are alike."""

    bot_id: BotId
    pattern: Pattern | None  # none: not known any more
    ring_timeout_s: float | None
    missed: MissedBecause | None  # none: connected
    fallback_attempts: int
    sums: Sums


@dataclass(frozen=True, kw_only=True, slots=True)
class Quarter:
    """Transfers of one quarter of an hour, counted since 1970."""

    number: int
    connected: bool
    sums: Sums


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempts:
    """Attempts that are alike."""

    attempt: int
    step: StepKind
    pool_id: PoolId | None
    connected: bool
    called_off: bool
    rings: Rings  # its count is the sums'
    sums: Sums


@dataclass(frozen=True, kw_only=True, slots=True)
class Legs:
    """Legs that are alike."""

    agent_id: AgentId | None  # none: a fallback number
    attempt: int
    fate: LegFate
    rings: Rings
    sums: Sums


@dataclass(frozen=True, kw_only=True, slots=True)
class CallBack:
    """A task to call back, from the miss on. Seconds; none where it has not come to that."""

    first_attempt_s: float | None
    first_answered_s: float | None
    done_how: str | None  # none: it is still to be done


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    transfers: Sequence[Transfers] = ()
    quarters: Sequence[Quarter] = ()
    attempts: Sequence[Attempts] = ()
    legs: Sequence[Legs] = ()
    answer_tenths: Mapping[int, int] = field(default_factory=dict)  # tenths of a second -> transfers
    talking_tenths: Mapping[int, int] = field(default_factory=dict)
    kept_out: Mapping[Term, int] = field(default_factory=dict)  # term -> missed transfers
    call_backs: Sequence[CallBack] = ()
