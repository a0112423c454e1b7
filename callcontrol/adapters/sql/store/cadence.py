"""What is planned for leads, and the workers who carry it out."""

from collections.abc import Sequence
from datetime import datetime

from callcontrol.adapters.sql import cadence
from callcontrol.adapters.sql.store.ground import Ground
from callcontrol.core.model import LeadId
from callcontrol.ports import Cancelled, ClaimedStep, Enrolment, Planned


class SqlCadence(Ground):
    async def enrol(
        self, lead_id: LeadId, name: str, steps: Sequence[Planned], *, key: str | None = None
    ) -> int:
        site = await self._site(lead_id)
        with site.explained():
            return await self._runner.write(
                cadence.enrol, lead_id, name, steps, key=key, now=self._now(), site=site
            )

    async def cadences(self, lead_id: LeadId) -> Sequence[Enrolment]:
        return await self._runner.read(cadence.of_lead, lead_id)

    async def cancel_cadence(self, lead_id: LeadId, *, by: str, why: str) -> Cancelled:
        return await self._runner.write(cadence.cancel, self._memory, lead_id, by=by, why=why, at=self._now())

    async def claim_steps(
        self, worker: str, limit: int, now: datetime, lease_s: float
    ) -> Sequence[ClaimedStep]:
        return await self._runner.write(cadence.claim, worker, limit, now, lease_s)

    async def renew_step(self, claim_id: str, now: datetime, lease_s: float) -> datetime:
        return await self._runner.write(cadence.renew, claim_id, now, lease_s)

    async def complete_step(self, claim_id: str, now: datetime) -> str:
        return await self._runner.write(cadence.complete, claim_id, now)

    async def release_step(self, claim_id: str, due_at: datetime) -> None:
        await self._runner.write(cadence.release, claim_id, due_at)
