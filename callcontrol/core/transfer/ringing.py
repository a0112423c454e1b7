"""The legs: ringing, answered, accepted by the first of them, gone."""

from dataclasses import replace

from callcontrol.core import events as e
from callcontrol.core.model import AcceptBy, LegFate
from callcontrol.core.transfer import handoff, plan
from callcontrol.core.transfer.leg import UNANSWERED, LegState, LiveLeg
from callcontrol.core.transfer.live import LiveTransfer, State


def leg_ringing(transfer: LiveTransfer, event: e.LegRinging) -> None:
    leg = transfer.leg(event.channel)
    if leg is None or leg.state is not LegState.DIALLING:
        return
    leg.state, leg.record = LegState.RINGING, replace(leg.record, ringing_at=transfer.now)
    if transfer.state is State.RINGING and not transfer.told_ringing:
        transfer.told_ringing = True
        transfer.tell(e.Phase.RINGING, leg.record.leg.label)


def leg_answered(transfer: LiveTransfer, event: e.LegAnswered) -> None:
    leg = transfer.leg(event.channel)
    if leg is None or leg.state not in UNANSWERED:
        return
    leg.state, leg.record = LegState.ANSWERED, replace(leg.record, answered_at=transfer.now)
    if leg.leaving is not None:
        transfer.order_away(leg, leg.leaving)  # picked up while being cancelled: say why
    elif leg.record.leg.endpoint.accept_by is AcceptBy.ANSWER:
        _accept(transfer, leg)


def leg_accepted(transfer: LiveTransfer, event: e.LegAccepted) -> None:
    leg = transfer.leg(event.channel)
    if leg is None or leg.leaving is not None or leg.state in (LegState.ACCEPTED, LegState.JOINED):
        return
    _picked_up(transfer, leg)
    _accept(transfer, leg)


def leg_joined(transfer: LiveTransfer, event: e.Joined) -> None:
    """The winner; or one that went straight to the lead, which is to accept."""
    leg = transfer.leg(event.channel)
    if leg is None:
        return
    _picked_up(transfer, leg)
    if leg.leaving is not None:
        transfer.order_away(leg, leg.leaving)
    elif leg is not transfer.winner:
        _accept(transfer, leg, with_lead=True)
    elif transfer.state is State.JOINING:
        handoff.joined(transfer, leg)


def _picked_up(transfer: LiveTransfer, leg: LiveLeg) -> None:
    if leg.state in UNANSWERED:
        leg.state, leg.record = LegState.ANSWERED, replace(leg.record, answered_at=transfer.now)


def _accept(transfer: LiveTransfer, leg: LiveLeg, *, with_lead: bool = False) -> None:
    """The first to accept wins; anyone later is told so."""
    leg.state, leg.record = LegState.ACCEPTED, replace(leg.record, accepted_at=transfer.now)
    if transfer.state is not State.RINGING:
        transfer.order_away(leg, e.Why.TAKEN)
    elif with_lead:
        handoff.take_joined(transfer, leg)
    else:
        handoff.take(transfer, leg)


def leg_declined(transfer: LiveTransfer, event: e.LegDeclined) -> None:
    leg = transfer.leg(event.channel)
    if leg is not None:
        leg.declined = True


def leg_ended(transfer: LiveTransfer, event: e.LegEnded) -> None:
    leg = transfer.leg(event.channel)
    if leg is not None:
        _let_go(transfer, leg, leg.fate(event.by), event.cause)


def leg_overdue(transfer: LiveTransfer, leg: LiveLeg, why: e.Why | None) -> None:
    if why is None:
        _let_go(transfer, leg, leg.fate(e.EndedBy.NORMAL), "the switch did not say")
    elif leg.leaving is None:
        transfer.order_away(leg, why)


def _let_go(transfer: LiveTransfer, leg: LiveLeg, fate: LegFate, cause: str) -> None:
    """The leg is gone; whatever hung on it moves on."""
    leg.end(fate, cause, transfer.now)
    if leg is transfer.winner:
        handoff.winner_gone(transfer)
    plan.carry_on(transfer)
