"""What is planned for leads, and the workers who carry it out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from callcontrol.core.model import LeadId
from callcontrol.ports.cadence import Cancelled, ClaimedStep, Enrolment, Planned


class CadenceStore(Protocol):
    async def enrol(
        self, lead_id: LeadId, name: str, steps: Sequence[Planned], *, key: str | None = None
    ) -> int:
        """Put the lead into a cadence; the enrolment's id. A repeat of the key is the same enrolment.

        Raises UnknownError.
        """
        ...

    async def cadences(self, lead_id: LeadId) -> Sequence[Enrolment]: ...

    async def cancel_cadence(self, lead_id: LeadId, *, by: str, why: str) -> Cancelled:
        """Everything that is planned for the lead, also what a worker has in hand. Safe to repeat."""
        ...

    async def claim_steps(
        self, worker: str, limit: int, now: datetime, lease_s: float
    ) -> Sequence[ClaimedStep]:
        """Steps that are due, the worker's for `lease_s`; none of a lead who is just being transferred."""
        ...

    async def renew_step(self, claim_id: str, now: datetime, lease_s: float) -> datetime:
        """Until when the step is the worker's now. Raises ClaimLostError."""
        ...

    async def complete_step(self, claim_id: str, now: datetime) -> str:
        """Carried out. Empty, or why that was too late. Raises ClaimLostError."""
        ...

    async def release_step(self, claim_id: str, due_at: datetime) -> None:
        """Give a step back, due again then. Raises ClaimLostError."""
        ...
