"""What an outcome brings with it: texts, a follow-up task, the end of the lead's cadence, webhooks.

The rules are the playbook's, "Catch every missed transfer". Whom a text goes to, and with which facts, is
decided here; its words are made by a `Word`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from callcontrol.core.model import (
    Agent,
    AgentId,
    Bot,
    Connected,
    Lead,
    Missed,
    MissedBecause,
    Outcome,
    OutcomeActions,
    TransferId,
)


class Occasion(StrEnum):
    """What a text is about."""

    CONNECTED = "connected"
    MISSED = "missed"
    OVERDUE = "overdue"  # nobody has called a missed lead back
    RESTING = "resting"  # an agent has missed too many transfers in a row


class Recipient(StrEnum):
    """As what somebody gets a text; each may have words of its own."""

    AGENT = "agent"  # the lead's assigned one
    OWNER = "owner"
    POOL = "pool"  # everyone in the lead's pool
    LIST = "list"  # a named list of contacts


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """A text before it has words: who is to know what."""

    occasion: Occasion
    recipient: Recipient
    name: str  # of who gets it; empty where several do
    transfer_id: TransferId
    bot: Bot
    lead: Lead
    assigned: Agent | None
    answered_by: str = ""  # connected
    reason: str = ""  # missed: why
    waited_min: int = 0  # overdue: since the miss
    misses: int = 0  # resting: in a row
    until: str = ""  # resting: the agent's wall time, and its zone


@dataclass(frozen=True, kw_only=True, slots=True)
class Worded:
    """A text's words. `warning`: they are not the ones that were asked for."""

    body: str
    warning: str = ""


Word = Callable[[Notice], Worded]
"""Never raises: a text that can't be worded as wished is worded otherwise."""

WordRest = Callable[[Agent, int, datetime], Worded]
"""For an agent who has missed so many transfers in a row, and rests until then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TextOut:
    """A text to write into the outbox. `recipient` begins with a Recipient, and is unique in its transfer."""

    recipient: str
    to: str
    body: str
    agent_id: AgentId | None = None  # whose number it is, where it is an agent's


@dataclass(frozen=True, kw_only=True, slots=True)
class NewTask:
    title: str
    reason: str
    owner_agent_id: AgentId | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowUp:
    texts: tuple[TextOut, ...] = ()
    to_pool: str = ""  # a text to everyone who is in the lead's pool when the outcome is written
    task: NewTask | None = None
    cancel_cadence: bool = False
    webhook: bool = False
    warnings: tuple[str, ...] = ()  # what should have happened and could not


def follow_up(
    outcome: Outcome,
    *,
    transfer_id: TransferId,
    lead: Lead,
    bot: Bot,
    assigned: Agent | None,
    word: Word,
) -> FollowUp:
    missed = isinstance(outcome, Missed)
    actions = bot.on_missed if missed else bot.on_connected
    if isinstance(outcome, Missed) and not outcome.follow_up:
        return FollowUp(cancel_cadence=actions.cancel_cadence, webhook=actions.webhook)

    def notice(recipient: Recipient, name: str = "") -> Notice:
        return Notice(
            occasion=Occasion.MISSED if missed else Occasion.CONNECTED,
            recipient=recipient,
            name=name,
            transfer_id=transfer_id,
            bot=bot,
            lead=lead,
            assigned=assigned,
            answered_by=outcome.leg.label if isinstance(outcome, Connected) else "",
            reason=WHY[outcome.because] if isinstance(outcome, Missed) else "",
        )

    texts: dict[str, TextOut] = {}  # by number: an agent who is the owner gets one text
    warnings = []
    for wanted in _wanted(actions, assigned, bot):
        if wanted.phone is None:
            warnings.append(f"{wanted.recipient} {wanted.name} has no number for texts")
        elif wanted.phone not in texts:
            worded = word(notice(wanted.recipient, wanted.name))
            warnings += [worded.warning] if worded.warning else []
            texts[wanted.phone] = TextOut(
                recipient=wanted.key, to=wanted.phone, body=worded.body, agent_id=wanted.agent_id
            )
    to_pool = word(notice(Recipient.POOL)) if actions.notify_pool else Worded(body="")
    warnings += [to_pool.warning] if to_pool.warning else []
    if actions.notifies and not texts and not to_pool.body:
        warnings.append("nobody to text: no assigned agent, no owner with a number, and no list")
    return FollowUp(
        texts=tuple(texts.values()),
        to_pool=to_pool.body,
        task=_task(outcome, lead) if actions.create_task else None,
        cancel_cadence=actions.cancel_cadence,
        webhook=actions.webhook,
        warnings=tuple(dict.fromkeys(warnings)),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanted:
    recipient: Recipient
    key: str
    name: str
    phone: str | None
    agent_id: AgentId | None = None


def _wanted(actions: OutcomeActions, assigned: Agent | None, bot: Bot) -> Iterator[_Wanted]:
    if actions.notify_agent and assigned is not None:
        yield _Wanted(
            recipient=Recipient.AGENT,
            key=Recipient.AGENT,
            name=assigned.name,
            phone=assigned.phone,
            agent_id=assigned.id,
        )
    if actions.notify_owner and bot.owner is not None:
        yield _Wanted(
            recipient=Recipient.OWNER, key=Recipient.OWNER, name=bot.owner.name, phone=bot.owner.phone
        )
    for named in actions.notify_lists:
        for contact in named.contacts:
            key = f"{Recipient.LIST}:{named.name}:{contact.phone}"
            yield _Wanted(recipient=Recipient.LIST, key=key, name=contact.name, phone=contact.phone)


WHY = {
    MissedBecause.NO_ONE_AVAILABLE: "nobody was available",
    MissedBecause.NO_ANSWER: "nobody answered",
    MissedBecause.LEAD_HUNG_UP: "the lead hung up before an agent was on the line",
    MissedBecause.CANCELLED: "the transfer was called off",
    MissedBecause.PBX_RESTARTED: "the phone system restarted",
    MissedBecause.PBX_LOST: "the phone system could not be reached",
}


def _task(outcome: Outcome, lead: Lead) -> NewTask:
    reason = f"Missed live transfer: {WHY[outcome.because]}." if isinstance(outcome, Missed) else "Connected."
    return NewTask(
        title=f"Call back {lead.name or lead.phone}",
        reason=reason,
        owner_agent_id=lead.assigned_agent_id,
    )


def word_rest(transfer_id: TransferId, lead: Lead, bot: Bot, assigned: Agent | None, word: Word) -> WordRest:
    """The last of the transfers that were missed is this one."""

    def worded(agent: Agent, misses: int, until: datetime) -> Worded:
        shown = until.astimezone(agent.zone) + timedelta(seconds=59)  # a whole minute, never too early
        return word(
            Notice(
                occasion=Occasion.RESTING,
                recipient=Recipient.AGENT,
                name=agent.name,
                transfer_id=transfer_id,
                bot=bot,
                lead=lead,
                assigned=assigned,
                misses=misses,
                until=f"{shown:%H:%M} ({agent.zone})",
            )
        )

    return worded
