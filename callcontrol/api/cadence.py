"""What is planned for a lead: enrol, look, cancel; and the claims of the workers that carry it out."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Self

from fastapi import APIRouter, Header, Path
from pydantic import AwareDatetime, Field

from callcontrol.api.answers import Answer, LeadAnswer
from callcontrol.api.bodies import Body, Identifier, Key
from callcontrol.api.problems import Refused
from callcontrol.api.service import Served
from callcontrol.core import cleaning
from callcontrol.core.model import LeadId
from callcontrol.ports import Cancelled, ClaimedStep, Enrolment, Planned

router = APIRouter(prefix="/v1", tags=["cadence"])

_MOST_STEPS = 200
Lead = Annotated[str, Path(min_length=1, max_length=128)]
Claim = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]
Lease = Annotated[float, Field(ge=1, le=3600, description="Seconds.")]


class StepBody(Body):
    name: str = Field(min_length=1, max_length=200, description="What is to be done; the worker knows it.")
    due_at: Annotated[AwareDatetime | None, Field(strict=False)] = None


class EnrolBody(Body):
    """A cadence for a known lead. Its steps are carried out in their order."""

    name: str = Field(min_length=1, max_length=200)
    steps: list[StepBody] = Field(min_length=1, max_length=_MOST_STEPS)
    key: Key | None = Field(None, description="Idempotency key; the header Idempotency-Key may carry it.")

    def to_steps(self) -> tuple[Planned, ...]:
        return tuple(Planned(name=cleaning.line(step.name), due_at=step.due_at) for step in self.steps)


class CancelCadenceBody(Body):
    by: str = Field(default="api", min_length=1, max_length=200, description="Who wants it; for people.")
    why: str = Field(default="", max_length=200)


class ClaimBody(Body):
    worker: Identifier = Field(description="What the worker calls itself; shown with what it has in hand.")
    limit: int = Field(default=10, ge=1, le=100)
    lease_s: Lease = 60.0


class RenewBody(Body):
    lease_s: Lease = 60.0


class ReleaseBody(Body):
    retry_in_s: float = Field(default=0.0, ge=0, le=30 * 24 * 3600)


class PlannedAnswer(Answer):
    position: int
    name: str
    due_at: datetime | None
    state: str
    claimed_by: str | None
    cancelled_by: str | None
    why: str
    done_at: datetime | None


class EnrolmentAnswer(Answer):
    id: int
    name: str
    state: str
    cancelled_at: datetime | None
    cancelled_by: str | None
    why: str
    steps: tuple[PlannedAnswer, ...]

    @classmethod
    def of(cls, enrolment: Enrolment) -> Self:
        return cls(
            id=enrolment.id,
            name=enrolment.name,
            state=enrolment.state,
            cancelled_at=enrolment.cancelled_at,
            cancelled_by=enrolment.cancelled_by,
            why=enrolment.why,
            steps=tuple(
                PlannedAnswer(
                    position=position,
                    name=step.name,
                    due_at=step.due_at,
                    state=step.state,
                    claimed_by=step.claimed_by or None,
                    cancelled_by=step.cancelled_by,
                    why=step.why,
                    done_at=step.done_at,
                )
                for position, step in enumerate(enrolment.steps, start=1)
            ),
        )


class EnrolmentList(Answer):
    enrolments: tuple[EnrolmentAnswer, ...]


class Enrolled(Answer):
    id: int


class CancelledAnswer(Answer):
    enrolments: tuple[int, ...]
    steps: tuple[str, ...]
    in_hand: tuple[str, ...]

    @classmethod
    def of(cls, found: Cancelled) -> Self:
        return cls(enrolments=found.enrolments, steps=found.steps, in_hand=found.in_hand)


class ClaimedAnswer(Answer):
    claim: str
    until: datetime
    enrolment: int
    cadence: str
    position: int
    name: str
    due_at: datetime | None
    lead: LeadAnswer

    @classmethod
    def of(cls, step: ClaimedStep) -> Self:
        lead = step.lead
        return cls(
            claim=step.claim_id,
            until=step.until,
            enrolment=step.enrolment_id,
            cadence=step.cadence,
            position=step.position,
            name=step.name,
            due_at=step.due_at,
            lead=LeadAnswer(
                id=lead.id,
                name=lead.name,
                phone=lead.phone,
                email=lead.email,
                source=lead.source,
                assigned_agent=lead.assigned_agent_id,
            ),
        )


class ClaimedList(Answer):
    steps: tuple[ClaimedAnswer, ...]


class Held(Answer):
    until: datetime


class Completed(Answer):
    """`too_late`: why it should not have been carried out; nothing where all is well."""

    too_late: str = ""


@router.post("/leads/{lead_id}/cadence", status_code=HTTPStatus.CREATED)
async def enrol(
    lead_id: Lead,
    body: EnrolBody,
    service: Served,
    idempotency_key: Annotated[Key | None, Header(description="The same as the field `key`.")] = None,
) -> Enrolled:
    """Plan steps for a known lead. An outcome of a transfer cancels what is still open of them."""
    if idempotency_key and body.key and idempotency_key != body.key:
        what = "the header Idempotency-Key and the field key differ; give one of them"
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, what)
    key = idempotency_key or body.key
    name = cleaning.line(body.name)
    return Enrolled(id=await service.store.enrol(LeadId(lead_id), name, body.to_steps(), key=key))


@router.get("/leads/{lead_id}/cadence")
async def list_cadence(lead_id: Lead, service: Served) -> EnrolmentList:
    """What was planned for a lead, and what became of it."""
    found = await service.store.cadences(LeadId(lead_id))
    return EnrolmentList(enrolments=tuple(EnrolmentAnswer.of(one) for one in found))


@router.post("/leads/{lead_id}/cadence/cancel")
async def cancel_cadence(
    lead_id: Lead, service: Served, body: CancelCadenceBody | None = None
) -> CancelledAnswer:
    """Cancel what is planned, also what a worker has in hand. A repeat finds nothing more."""
    wish = body or CancelCadenceBody()
    found = await service.store.cancel_cadence(
        LeadId(lead_id), by=cleaning.line(wish.by), why=cleaning.line(wish.why)
    )
    service.wake_outbox()
    return CancelledAnswer.of(found)


@router.post("/cadence/claim")
async def claim_steps(body: ClaimBody, service: Served) -> ClaimedList:
    """Take steps that are due. Renew right before you carry one out, complete it right after."""
    steps = await service.store.claim_steps(body.worker, body.limit, service.now(), body.lease_s)
    return ClaimedList(steps=tuple(ClaimedAnswer.of(step) for step in steps))


@router.post("/cadence/claims/{claim}/renew")
async def renew_claim(claim: Claim, service: Served, body: RenewBody | None = None) -> Held:
    """Is it still mine? 409, with who cancelled it and why, where it is not: then don't."""
    lease_s = (body or RenewBody()).lease_s
    return Held(until=await service.store.renew_step(claim, service.now(), lease_s))


@router.post("/cadence/claims/{claim}/complete")
async def complete_claim(claim: Claim, service: Served) -> Completed:
    """It has been carried out. What was cancelled meanwhile stays so, and that it was done is noted."""
    return Completed(too_late=await service.store.complete_step(claim, service.now()))


@router.post("/cadence/claims/{claim}/release", status_code=HTTPStatus.NO_CONTENT)
async def release_claim(claim: Claim, service: Served, body: ReleaseBody | None = None) -> None:
    """Give it back: it could not be carried out now."""
    due_at = service.now() + timedelta(seconds=(body or ReleaseBody()).retry_in_s)
    await service.store.release_step(claim, due_at)
