"""What an outcome brings with it: texts, a follow-up task, the end of the lead's cadence.

The rules and the words are the playbook's, "Catch every missed transfer".
"""

from dataclasses import dataclass

from callcontrol.core.model import (
    Agent,
    AgentId,
    Bot,
    Connected,
    Contact,
    Lead,
    Missed,
    MissedBecause,
    Outcome,
    OutcomeActions,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TextOut:
    """A text to write into the outbox. `recipient` makes it unique within its transfer."""

    recipient: str
    to: str
    body: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NewTask:
    title: str
    reason: str
    owner_agent_id: AgentId | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowUp:
    texts: tuple[TextOut, ...] = ()
    task: NewTask | None = None
    cancel_cadence: bool = False
    warnings: tuple[str, ...] = ()  # what should have happened and could not


def follow_up(outcome: Outcome, *, lead: Lead, bot: Bot, assigned: Agent | None) -> FollowUp:
    if isinstance(outcome, Connected):
        actions, body = bot.on_connected, _connected_text(outcome, lead)
    elif outcome.follow_up:
        actions, body = bot.on_missed, _missed_text(outcome, lead)
    else:
        return FollowUp(cancel_cadence=bot.on_missed.cancel_cadence)
    texts, warnings = _texts(actions, body, assigned, bot.owner)
    return FollowUp(
        texts=texts,
        task=_task(outcome, lead) if actions.create_task else None,
        cancel_cadence=actions.cancel_cadence,
        warnings=warnings,
    )


def _texts(
    actions: OutcomeActions, body: str, assigned: Agent | None, owner: Contact | None
) -> tuple[tuple[TextOut, ...], tuple[str, ...]]:
    wanted: list[tuple[str, str, str | None]] = []
    if actions.notify_agent and assigned is not None:
        wanted.append(("agent", assigned.name, assigned.phone))
    if actions.notify_owner and owner is not None:
        wanted.append(("owner", owner.name, owner.phone))
    texts: dict[str, TextOut] = {}  # by number: an agent who is the owner gets one text
    warnings = []
    for recipient, name, phone in wanted:
        if phone is None:
            warnings.append(f"{recipient} {name} has no number for texts")
        else:
            texts.setdefault(phone, TextOut(recipient=recipient, to=phone, body=body))
    if not texts and (actions.notify_agent or actions.notify_owner):
        warnings.append("nobody to text: no assigned agent and no owner with a number")
    return tuple(texts.values()), tuple(warnings)


def _connected_text(outcome: Connected, lead: Lead) -> str:
    return f"Live transfer answered: {outcome.leg.label} is talking with {lead.name or lead.phone}."


_WHY = {
    MissedBecause.NO_ONE_AVAILABLE: "nobody was available",
    MissedBecause.NO_ANSWER: "nobody answered",
    MissedBecause.LEAD_HUNG_UP: "the lead hung up before an agent was on the line",
    MissedBecause.CANCELLED: "the transfer was called off",
    MissedBecause.PBX_RESTARTED: "the phone system restarted",
    MissedBecause.PBX_LOST: "the phone system could not be reached",
}


def _missed_text(outcome: Missed, lead: Lead) -> str:
    facts = (lead.name, lead.phone, lead.email, lead.source)
    who = ", ".join(fact for fact in facts if fact)
    return f"Missed live transfer ({_WHY[outcome.because]}): {who}. Please call them back ASAP."


def _task(outcome: Outcome, lead: Lead) -> NewTask:
    reason = (
        f"Missed live transfer: {_WHY[outcome.because]}." if isinstance(outcome, Missed) else "Connected."
    )
    return NewTask(
        title=f"Call back {lead.name or lead.phone}",
        reason=reason,
        owner_agent_id=lead.assigned_agent_id,
    )
