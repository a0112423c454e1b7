"""How a transfer ends: missed, or connected and then over."""

from callcontrol.core import events as e
from callcontrol.core.model import Missed, MissedBecause, Outcome
from callcontrol.core.transfer.live import LiveTransfer, State

_LEAD_STILL_THERE = (MissedBecause.NO_ANSWER, MissedBecause.NO_ONE_AVAILABLE, MissedBecause.CANCELLED)


def lead_hung_up(transfer: LiveTransfer, _: e.LeadHungUp) -> None:
    if transfer.state is State.CONNECTED:
        transfer.order_away(transfer.taker, e.Why.CALL_OVER)
        end(transfer)
    else:
        miss(transfer, MissedBecause.LEAD_HUNG_UP)


def cancelled(transfer: LiveTransfer, event: e.CancelRequested) -> None:
    miss(transfer, MissedBecause.CANCELLED, follow_up=event.follow_up)


def miss(transfer: LiveTransfer, because: MissedBecause, *, follow_up: bool = True) -> None:
    hung_up = because is MissedBecause.LEAD_HUNG_UP
    for leg in transfer.alive():
        transfer.order_away(leg, e.Why.LEAD_HUNG_UP if hung_up else e.Why.CANCELLED)
    transfer.state = State.RETURNED
    finish(transfer, Missed(because=because, follow_up=follow_up))
    if because in _LEAD_STILL_THERE and not transfer.bot_alive:
        transfer.order(e.ReturnLead(lead=transfer.call.lead, goto=transfer.settings.missed_goto))
    transfer.tell(e.Phase.MISSED, because)


def finish(transfer: LiveTransfer, outcome: Outcome) -> None:
    transfer.outcome = outcome
    transfer.order(e.Finish(outcome=outcome))


def end(transfer: LiveTransfer) -> None:
    transfer.state = State.ENDED
    transfer.tell(e.Phase.ENDED)
