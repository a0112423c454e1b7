"""The link to the switch: lost, and back with a survey of what is alive."""

from callcontrol.core import events as e
from callcontrol.core.model import LegFate, Missed, MissedBecause
from callcontrol.core.transfer import endings, handoff, plan, ringing
from callcontrol.core.transfer.leg import LiveLeg
from callcontrol.core.transfer.live import UNDECIDED, LiveTransfer, State


def lost(transfer: LiveTransfer, _: e.LinkLost) -> None:
    transfer.link_lost_at = transfer.link_lost_at or transfer.now


def given_up(transfer: LiveTransfer) -> None:
    endings.miss(transfer, MissedBecause.PBX_LOST)


def restored(transfer: LiveTransfer, event: e.LinkRestored) -> None:
    """Compare with what the switch says is alive, and carry on from there."""
    survey, call, winner_before = event.survey, transfer.call, transfer.winner
    if survey.pbx_started != call.pbx_started:
        _pbx_restarted(transfer)
        return
    transfer.link_lost_at = transfer.link_lost_at or transfer.now  # until all is compared, order nothing new
    for leg in transfer.alive():
        if leg.id not in survey.alive:
            leg.end(LegFate.LOST, "gone while the switch was not watched", transfer.now)
    if call.bot is not None and transfer.bot_alive and call.bot not in survey.alive:
        handoff.bot_hung_up(transfer, e.BotHungUp(channel=call.bot))
    if call.lead not in survey.alive and transfer.state in (*UNDECIDED, State.CONNECTED):
        endings.lead_hung_up(transfer, e.LeadHungUp(channel=call.lead))
    if transfer.winner is not None and transfer.winner.gone:
        handoff.winner_gone(transfer)
    for leg in sorted(transfer.alive(), key=lambda leg: call.lead not in survey.alive[leg.id].bridged_with):
        _compare(transfer, leg, survey.alive[leg.id])  # who is with the lead comes first
    plan.carry_on(transfer)
    transfer.link_lost_at = None
    if transfer.state is State.RESOLVING:
        plan.ask_whom(transfer)
    if transfer.winner is not None and transfer.winner is winner_before:
        _resume(transfer, transfer.winner, survey)


def _compare(transfer: LiveTransfer, leg: LiveLeg, alive: e.Alive) -> None:
    if leg.leaving is not None:
        if not (_ended_for_want_of_a_link(transfer) and transfer.call.lead in alive.bridged_with):
            transfer.order_away(leg, leg.leaving)
        return
    if alive.doing is e.Doing.RINGING:
        ringing.leg_ringing(transfer, e.LegRinging(channel=leg.id))
        return
    ringing.leg_answered(transfer, e.LegAnswered(channel=leg.id))
    if alive.doing in (e.Doing.ACCEPTED, e.Doing.BRIEFED):
        ringing.leg_accepted(transfer, e.LegAccepted(channel=leg.id))


def _ended_for_want_of_a_link(transfer: LiveTransfer) -> bool:
    """Who has found each other meanwhile talks on, though it counts as missed."""
    outcome = transfer.outcome
    return isinstance(outcome, Missed) and outcome.because is MissedBecause.PBX_LOST


def _resume(transfer: LiveTransfer, winner: LiveLeg, survey: e.Survey) -> None:
    """Give again the order that may have been lost with the link or with the process."""
    alive = survey.alive.get(winner.id)
    if alive is None:
        return
    with_lead = transfer.call.lead in alive.bridged_with
    match transfer.state:
        case State.JOINING if with_lead:
            handoff.joined(transfer, winner)
        case State.JOINING:
            transfer.briefing = transfer.briefing and alive.doing is not e.Doing.BRIEFED
            handoff.brief_or_join(transfer, winner)
        case State.HANDING_OFF if not with_lead:
            transfer.state = State.JOINING
            handoff.brief_or_join(transfer, winner)
        case State.HANDING_OFF if not handoff.bot_speaks(transfer):
            handoff.connect(transfer)  # whether the announcement ended can't be known: they are talking
        case State.CONNECTED:
            handoff.release_bot(transfer)
        case _:
            pass


def _pbx_restarted(transfer: LiveTransfer) -> None:
    for leg in transfer.alive():
        leg.end(LegFate.LOST, "the switch restarted", transfer.now)
    transfer.bot_alive, transfer.link_lost_at = False, None
    if transfer.state is State.CONNECTED:
        endings.end(transfer)
    elif transfer.state in UNDECIDED:
        endings.miss(transfer, MissedBecause.PBX_RESTARTED)
