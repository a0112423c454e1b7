"""What an outside system is told by webhooks, and the facts of each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from callcontrol.core.events import Command, Finish, Phase, TellBot
from callcontrol.core.model import Bot, Connected, Lead, LegRecord, Outcome, TransferId


class HookEvent(StrEnum):
    TRANSFER_REQUESTED = "transfer.requested"
    TRANSFER_RINGING = "transfer.ringing"
    TRANSFER_CONNECTED = "transfer.connected"
    TRANSFER_MISSED = "transfer.missed"
    TASK_CREATED = "task.created"
    TASK_CLAIMED = "task.claimed"
    TASK_DONE = "task.done"
    TASK_ESCALATED = "task.escalated"
    CADENCE_CANCELLED = "cadence.cancelled"


@dataclass(frozen=True, kw_only=True, slots=True)
class Hook:
    """A fact for outside. `key` tells it from others of its kind: it goes out once, however often it is written.

    `data` holds JSON values, and nothing personal: that is in `lead`, which an endpoint may be spared.
    """

    event: HookEvent
    key: str
    at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)
    transfer_id: TransferId | None = None
    lead: Lead | None = None


def requested(transfer_id: TransferId, bot: Bot, lead: Lead, at: datetime) -> Hook:
    return _of_transfer(HookEvent.TRANSFER_REQUESTED, transfer_id, bot, lead, at)


def of_turn(
    transfer_id: TransferId,
    bot: Bot,
    lead: Lead,
    *,
    commands: Iterable[Command],
    legs: Sequence[LegRecord],
    at: datetime,
    outcome_too: bool,
) -> tuple[Hook, ...]:
    """What a turn of a transfer is to outsiders. `outcome_too`: where the bot's settings say so."""
    told = []
    for command in commands:
        match command:
            case TellBot(phase=Phase.RINGING):
                told.append(_ringing(transfer_id, bot, lead, legs, at))
            case Finish(outcome=outcome) if outcome_too:
                told.append(_finished(transfer_id, bot, lead, outcome, at))
            case _:
                pass
    return tuple(told)


def _ringing(transfer_id: TransferId, bot: Bot, lead: Lead, legs: Sequence[LegRecord], at: datetime) -> Hook:
    """The first phone of an attempt rings."""
    attempt = max(record.attempt for record in legs)
    ringing = [r for r in legs if r.attempt == attempt and r.ringing_at is not None and r.ended_at is None]
    who = [{"agent": r.leg.agent_id, "label": r.leg.label} for r in ringing]
    return _of_transfer(
        HookEvent.TRANSFER_RINGING,
        transfer_id,
        bot,
        lead,
        at,
        key=f":{attempt}:{at.isoformat()}",
        data={"attempt": attempt, "ringing": who},
    )


def _finished(transfer_id: TransferId, bot: Bot, lead: Lead, outcome: Outcome, at: datetime) -> Hook:
    if isinstance(outcome, Connected):
        leg = outcome.leg
        event = HookEvent.TRANSFER_CONNECTED
        data: dict[str, Any] = {"by": outcome.by.value, "agent": leg.agent_id, "label": leg.label}
    else:
        event = HookEvent.TRANSFER_MISSED
        data = {"because": outcome.because.value, "follow_up": outcome.follow_up}
    return _of_transfer(event, transfer_id, bot, lead, at, data=data)


def _of_transfer(
    event: HookEvent,
    transfer_id: TransferId,
    bot: Bot,
    lead: Lead,
    at: datetime,
    *,
    key: str = "",
    data: Mapping[str, Any] | None = None,
) -> Hook:
    return Hook(
        event=event,
        key=f"{transfer_id}{key}",
        at=at,
        data={"transfer": transfer_id, "bot": bot.id, **(data or {})},
        transfer_id=transfer_id,
        lead=lead,
    )
