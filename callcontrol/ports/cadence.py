"""What was planned for a lead, and the steps that workers outside carry out.

A worker claims steps, and carries each out while its lease runs. Whoever cancels a lead's cadence meanwhile
wins: the claim is lost, and the worker is told so when it renews or completes it. So a worker renews right
before it acts, and completes right after.
"""

from dataclasses import dataclass
from datetime import datetime

from callcontrol.core.model import Lead, LeadId


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """One step of a cadence."""

    name: str
    due_at: datetime | None = None  # none: as soon as those before it are done
    state: str = "pending"  # pending, claimed, cancelled, done
    claimed_by: str = ""
    cancelled_by: str | None = None  # a transfer's id, or whoever did it
    why: str = ""
    done_at: datetime | None = None  # of a cancelled one: it had been carried out all the same


@dataclass(frozen=True, kw_only=True, slots=True)
class Enrolment:
    id: int
    name: str
    state: str  # pending, cancelled, done
    steps: tuple[Planned, ...]
    cancelled_at: datetime | None
    cancelled_by: str | None
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimedStep:
    """A step in a worker's hand, until `until`."""

    claim_id: str
    enrolment_id: int
    cadence: str
    position: int  # 1 is the first
    name: str
    due_at: datetime | None
    until: datetime
    lead: Lead


@dataclass(frozen=True, kw_only=True, slots=True)
class Cancelled:
    """What a cancellation found."""

    lead_id: LeadId
    enrolments: tuple[int, ...]
    steps: tuple[str, ...]  # those that waited
    in_hand: tuple[str, ...]  # those that a worker had claimed: it may be at it


class ClaimLostError(Exception):
    """The claim is the caller's no longer: why is in the words."""
