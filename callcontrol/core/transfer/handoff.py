"""The winner: briefed, joined with the lead, introduced; then the bot is released."""

from dataclasses import replace

from callcontrol.core import events as e
from callcontrol.core.model import Connected, ConnectedBy, HandoffStyle, LegFate, StepKind
from callcontrol.core.transfer import endings, plan
from callcontrol.core.transfer.leg import LegState, LiveLeg
from callcontrol.core.transfer.live import LiveTransfer, State

_CONNECTED_BY = {
    StepKind.ASSIGNED: ConnectedBy.ASSIGNED_AGENT,
    StepKind.GROUP: ConnectedBy.POOL_AGENT,
    StepKind.FALLBACK: ConnectedBy.FALLBACK,
}


def take(transfer: LiveTransfer, leg: LiveLeg) -> None:
    _take(transfer, leg)
    transfer.briefing = transfer.settings.handoff is HandoffStyle.WHISPER
    brief_or_join(transfer, leg)


def take_joined(transfer: LiveTransfer, leg: LiveLeg) -> None:
    _take(transfer, leg)
    joined(transfer, leg)


def _take(transfer: LiveTransfer, leg: LiveLeg) -> None:
    transfer.winner, transfer.state = leg, State.JOINING
    transfer.tell(e.Phase.ANSWERED, leg.record.leg.label)


def brief_or_join(transfer: LiveTransfer, leg: LiveLeg) -> None:
    transfer.since = transfer.now
    if transfer.briefing:
        transfer.order(e.Brief(channel=leg.id))
    else:
        transfer.order(e.Join(lead=transfer.call.lead, channel=leg.id))


def leg_briefed(transfer: LiveTransfer, event: e.LegBriefed) -> None:
    winner = transfer.winner
    if winner is not None and event.channel == winner.id and transfer.briefing:
        transfer.briefing = False
        brief_or_join(transfer, winner)


def joined(transfer: LiveTransfer, leg: LiveLeg) -> None:
    leg.state, leg.record = LegState.JOINED, replace(leg.record, joined_at=transfer.now)
    for other in transfer.alive():
        if other is not leg:
            transfer.order_away(other, e.Why.ANSWERED_ELSEWHERE)
    transfer.tell(e.Phase.JOINED, leg.record.leg.label)
    if transfer.settings.handoff is HandoffStyle.WHISPER:
        connect(transfer)
        return
    transfer.state, transfer.since = State.HANDING_OFF, transfer.now
    if not bot_speaks(transfer):
        transfer.order(e.Announce(lead=transfer.call.lead))


def join_failed(transfer: LiveTransfer, event: e.JoinFailed) -> None:
    if transfer.winner is not None and event.channel == transfer.winner.id:
        _give_winner_up(transfer)


def joining_overdue(transfer: LiveTransfer) -> None:
    if transfer.briefing:
        transfer.briefing = False  # the overview took too long; the lead has waited enough
        brief_or_join(transfer, transfer.taker)
    else:
        _give_winner_up(transfer)


def winner_gone(transfer: LiveTransfer) -> None:
    match transfer.state:
        case State.JOINING:
            _ring_on(transfer)
        case State.HANDING_OFF:
            transfer.tell(e.Phase.AGENT_LEFT)
            plan.next_step(transfer)
        case State.CONNECTED:
            endings.end(transfer)
        case _:
            pass


def _give_winner_up(transfer: LiveTransfer) -> None:
    transfer.order_away(transfer.taker, e.Why.JOIN_FAILED)
    _ring_on(transfer)


def _ring_on(transfer: LiveTransfer) -> None:
    transfer.winner, transfer.briefing, transfer.state = None, False, State.RINGING


def bot_speaks(transfer: LiveTransfer) -> bool:
    return transfer.settings.handoff is HandoffStyle.INTRODUCE and transfer.bot_alive


def bot_hung_up(transfer: LiveTransfer, _: e.BotHungUp) -> None:
    spoke = bot_speaks(transfer)
    transfer.bot_alive = False
    if transfer.state is State.HANDING_OFF and spoke:
        connect(transfer)


def finished(transfer: LiveTransfer, _: e.HandoffFinished) -> None:
    connect(transfer)


def connect(transfer: LiveTransfer) -> None:
    """Agent and lead are on their own from here."""
    transfer.state = State.CONNECTED
    taker = transfer.taker
    taker.record = replace(taker.record, fate=LegFate.ANSWERED)
    release_bot(transfer)
    leg = taker.record.leg
    endings.finish(transfer, Connected(by=_CONNECTED_BY[taker.record.step], leg=leg))
    transfer.tell(e.Phase.CONNECTED, leg.label)


def release_bot(transfer: LiveTransfer) -> None:
    if transfer.bot_alive and transfer.call.bot is not None:
        transfer.order(e.ReleaseBot(channel=transfer.call.bot))
