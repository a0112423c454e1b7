"""The plan, step by step: whom a step rings, who joins the ringing later, and when the next step is due."""

from datetime import timedelta

from callcontrol.core import events as e
from callcontrol.core.model import AcceptBy, HandoffStyle, Leg, LegRecord, MissedBecause
from callcontrol.core.transfer import endings
from callcontrol.core.transfer.leg import LiveLeg
from callcontrol.core.transfer.live import LiveTransfer, State


def begin(transfer: LiveTransfer, asked: e.TransferRequested) -> None:
    transfer.call, transfer.settings = asked.call, asked.settings
    transfer.bot_alive = asked.call.bot is not None
    transfer.tell(e.Phase.LOOKING)
    next_step(transfer)


def next_step(transfer: LiveTransfer) -> None:
    transfer.winner, transfer.briefing = None, False
    transfer.step_index += 1
    transfer.rung, transfer.more = False, False
    if transfer.step_index >= len(transfer.settings.plan):
        endings.miss(transfer, MissedBecause.NO_ANSWER if transfer.legs else MissedBecause.NO_ONE_AVAILABLE)
    else:
        _resolve(transfer)


def carry_on(transfer: LiveTransfer) -> None:
    """With nobody left to wait for, ring the rest of the step, or go to the next one."""
    if transfer.state is State.RINGING and not any(transfer.alive()):
        if transfer.more:
            _resolve(transfer)
        else:
            next_step(transfer)


def _resolve(transfer: LiveTransfer) -> None:
    """Wait to be told whom the step rings now."""
    transfer.state = State.RESOLVING
    ask_whom(transfer)


def ask_whom(transfer: LiveTransfer) -> None:
    transfer.more_at = None
    if transfer.link_lost_at is None:  # without a switch nobody can ring: asked when it is back
        transfer.ask += 1
        transfer.order(e.ResolveNextAttempt(step=transfer.step, ask=transfer.ask))


def resolved(transfer: LiveTransfer, answer: e.AttemptResolved) -> None:
    if answer.ask != transfer.ask or transfer.link_lost_at is not None:
        return
    transfer.more = answer.next_after_s is not None
    if answer.legs:
        _ring(transfer, answer)
    elif transfer.state is State.RESOLVING:
        next_step(transfer)


def _ring(transfer: LiveTransfer, answer: e.AttemptResolved) -> None:
    if not transfer.rung:
        transfer.attempt += 1
    transfer.state, transfer.rung, transfer.told_ringing = State.RINGING, True, False
    if answer.next_after_s is not None:
        transfer.more_at = transfer.now + timedelta(seconds=answer.next_after_s)
    for leg in answer.legs:
        record = LegRecord(
            leg=leg,
            attempt=transfer.attempt,
            step=answer.step.kind,
            dialled_at=transfer.now,
            pool_id=answer.pool_id,
        )
        transfer.legs[leg.id] = LiveLeg(record)
        limit, straight = transfer.settings.ring_timeout_s, _may_go_straight(transfer, leg)
        transfer.order(e.Ring(leg=leg, ring_timeout_s=limit, straight=straight))


def _may_go_straight(transfer: LiveTransfer, leg: Leg) -> bool:
    """Nothing comes between picking up and being joined, and the lead has a bridge to go to."""
    by_answering = leg.endpoint.accept_by is AcceptBy.ANSWER
    return by_answering and transfer.bot_alive and transfer.settings.handoff is not HandoffStyle.WHISPER
