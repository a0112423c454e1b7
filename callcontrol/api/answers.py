"""What goes out."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from callcontrol.core.model import Connected, LegRecord, Missed, Outcome
from callcontrol.ports import TransferRow


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Links(Answer):
    self: str
    events: str
    cancel: str
    handoff_finished: str


class LeadAnswer(Answer):
    id: str
    name: str
    phone: str
    email: str
    source: str
    assigned_agent: str | None


class OutcomeAnswer(Answer):
    result: Literal["connected", "missed"]
    reason: str
    agent: str | None = None
    label: str | None = None
    follow_up: bool | None = None

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        match outcome:
            case Connected(by=by, leg=leg):
                return cls(result="connected", reason=by.value, agent=leg.agent_id, label=leg.label)
            case Missed(because=because, follow_up=follow_up):
                return cls(result="missed", reason=because.value, follow_up=follow_up)


class LegAnswer(Answer):
    id: str
    attempt: int
    step: str
    agent: str | None
    label: str
    endpoint: str
    dialled_at: datetime
    ringing_at: datetime | None
    answered_at: datetime | None
    accepted_at: datetime | None
    joined_at: datetime | None
    ended_at: datetime | None
    ring_s: float | None
    answer_delay_s: float | None
    fate: str | None
    cause: str

    @classmethod
    def of(cls, record: LegRecord) -> Self:
        return cls(
            id=record.leg.id,
            attempt=record.attempt,
            step=record.step.value,
            agent=record.leg.agent_id,
            label=record.leg.label,
            endpoint=f"{record.leg.endpoint.kind.value}:{record.leg.endpoint.address}",
            dialled_at=record.dialled_at,
            ringing_at=record.ringing_at,
            answered_at=record.answered_at,
            accepted_at=record.accepted_at,
            joined_at=record.joined_at,
            ended_at=record.ended_at,
            ring_s=record.ring_s,
            answer_delay_s=record.answer_delay_s,
            fate=record.fate.value if record.fate else None,
            cause=record.cause,
        )


class TransferAnswer(Answer):
    id: str
    status: Literal["open", "connected", "missed"]
    bot: str
    lead: LeadAnswer
    channel: str
    summary: str
    key: str
    requested_at: datetime
    finished_at: datetime | None
    closed: bool
    outcome: OutcomeAnswer | None
    links: Links

    @classmethod
    def of(cls, row: TransferRow) -> Self:
        outcome = OutcomeAnswer.of(row.outcome) if row.outcome else None
        here = f"/v1/transfers/{row.id}"
        return cls(
            id=row.id,
            status=outcome.result if outcome else "open",
            bot=row.bot.id,
            lead=LeadAnswer(
                id=row.lead.id,
                name=row.lead.name,
                phone=row.lead.phone,
                email=row.lead.email,
                source=row.lead.source,
                assigned_agent=row.lead.assigned_agent_id,
            ),
            channel=row.call.lead,
            summary=row.summary,
            key=row.key,
            requested_at=row.requested_at,
            finished_at=row.finished_at,
            closed=row.closed,
            outcome=outcome,
            links=Links(
                self=here,
                events=f"{here}/events",
                cancel=f"{here}/cancel",
                handoff_finished=f"{here}/handoff-finished",
            ),
        )


class TransferWithLegs(TransferAnswer):
    legs: tuple[LegAnswer, ...] = ()


class TransferList(Answer):
    transfers: tuple[TransferAnswer, ...]


class Done(Answer):
    """The order was taken."""

    transfer: str


class Health(Answer):
    """`ok`, or which part is not, and what that means."""

    ok: bool
    parts: dict[str, str]


class ProblemAnswer(BaseModel):
    """RFC 9457. `detail` is the reason, in words."""

    type: str
    title: str
    status: int
    detail: str
