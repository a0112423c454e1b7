"""What comes in. Text from a lead is cleaned rather than refused: the call must go through."""

import os
from typing import Annotated, Any, Self

import phonenumbers
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from callcontrol.core import cleaning
from callcontrol.core.model import AgentId, BotId, LeadId
from callcontrol.ports import NewLead, Request

MAX_SUMMARY = 2000
LONGEST_REST_MIN = 24 * 60
_MAX_FIELDS = 50

_PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=_PRINTABLE)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")]


def _channel(value: str) -> str:
    if value.startswith("/"):  # Asterisk reads it as a pattern over all channels
        raise ValueError("a channel is named by its unique id or its name, such as PJSIP/trunk-0000002a")
    return value


Channel = Annotated[Identifier, AfterValidator(_channel)]


class Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class InlineLead(Body):
    """A lead that comes with the request. It is matched to a known one by its phone number."""

    name: str = Field("", description="Any length; cleaned of control characters and links.")
    phone: str = Field("", description="E.164, such as +13035550199. Anything else is left out.")
    email: str = ""
    source: str = Field("", description="Where the lead came from; routing rules may look at it.")
    agent: Identifier | None = Field(None, description="The id of the assigned agent.")
    fields: dict[str, str] = Field(
        default_factory=dict, max_length=_MAX_FIELDS, description="Anything else that routing rules look at."
    )

    @model_validator(mode="after")
    def _someone(self) -> Self:
        if not (cleaning.line(self.name) or _phone(self.phone)):
            raise ValueError("give the lead's name, or a phone number in E.164, or both")
        return self

    def to_new_lead(self) -> NewLead:
        return NewLead(
            name=cleaning.line(self.name),
            phone=_phone(self.phone),
            email=cleaning.line(self.email),
            source=cleaning.line(self.source),
            assigned_agent_id=AgentId(self.agent) if self.agent else None,
            fields={cleaning.line(k): cleaning.line(v) for k, v in self.fields.items()},
        )


def _phone(given: str) -> str:
    """E.164 where it is a possible number; otherwise its digits as they are, or nothing."""
    digits = cleaning.number(given)
    if digits.startswith("+"):
        try:
            parsed = phonenumbers.parse(digits, None)
        except phonenumbers.NumberParseException:
            return digits
        if phonenumbers.is_possible_number(parsed):
            return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return digits


class TransferBody(Body):
    """A warm transfer of the lead on a live call."""

    bot: Identifier = Field(description="The bot's id in the directory.")
    lead_id: Identifier | None = Field(None, description="A known lead. Either this or `lead`.")
    lead: InlineLead | None = None
    channel: Channel = Field(description="The lead's live channel: its unique id, or its name.")
    summary: str = Field(
        max_length=MAX_SUMMARY, description="Two or three sentences for the agent who takes the lead."
    )
    key: Key | None = Field(
        None,
        description="Idempotency key: a repeat with the same one gets the same transfer."
        " The header Idempotency-Key may carry it instead.",
    )

    hold: Identifier | None = Field(
        None, description="A reservation made by GET /v1/reachable: its agents are rung by this transfer."
    )

    @model_validator(mode="before")
    @classmethod
    def _one_lead(cls, data: Any) -> Any:
        if isinstance(data, dict) and (data.get("lead") is None) == (data.get("lead_id") is None):
            raise ValueError("give either lead_id or lead")
        return data

    def to_request(self, header_key: str | None) -> Request:
        """Raises ValueError where the two keys differ."""
        if header_key and self.key and header_key != self.key:
            raise ValueError("the header Idempotency-Key and the field key differ; give one of them")
        lead = self.lead.to_new_lead() if self.lead else LeadId(self.lead_id or "")
        return Request(
            bot_id=BotId(self.bot),
            lead=lead,
            channel=self.channel,
            summary=cleaning.line(self.summary, MAX_SUMMARY),
            key=header_key or self.key or os.urandom(16).hex(),
            hold_id=self.hold or "",
        )


class CancelBody(Body):
    follow_up: bool = Field(
        default=True, description="False where the lead asked not to be called back: no text and no task."
    )


class AvailabilityBody(Body):
    available: bool


class RestBody(Body):
    minutes: int = Field(ge=1, le=LONGEST_REST_MIN)
    why: str = Field("resting", max_length=200, description="For people; shown with the agent.")
