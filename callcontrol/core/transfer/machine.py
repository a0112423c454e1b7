"""The table of the machine, and the Transfer that the outside feeds."""

from collections.abc import Callable, Mapping
from datetime import datetime

from callcontrol.core import events as e
from callcontrol.core.model import LegFate, SoFar, TransferId
from callcontrol.core.transfer import endings, handoff, link, plan, ringing
from callcontrol.core.transfer.deadlines import deadlines, time_passed
from callcontrol.core.transfer.live import UNDECIDED, LiveTransfer, State

_Handler = Callable[[LiveTransfer, e.Event], None]
_ANY = tuple(State)
_BEGUN = tuple(state for state in State if state is not State.NEW)

# event -> (the states it means something in, what it does there); anywhere else it is ignored
_ROWS: tuple[tuple[type[e.Event], tuple[State, ...], Callable[..., None]], ...] = (
    (e.TransferRequested, (State.NEW,), plan.begin),
    (e.AttemptResolved, (State.RESOLVING, State.RINGING), plan.resolved),
    (e.LegRinging, _ANY, ringing.leg_ringing),
    (e.LegAnswered, _ANY, ringing.leg_answered),
    (e.LegAccepted, _ANY, ringing.leg_accepted),
    (e.LegDeclined, _ANY, ringing.leg_declined),
    (e.LegEnded, _ANY, ringing.leg_ended),
    (e.LegBriefed, (State.JOINING,), handoff.leg_briefed),
    (e.Joined, _ANY, ringing.leg_joined),
    (e.JoinFailed, (State.JOINING,), handoff.join_failed),
    (e.HandoffFinished, (State.HANDING_OFF,), handoff.finished),
    (e.BotHungUp, _ANY, handoff.bot_hung_up),
    (e.LeadHungUp, (*UNDECIDED, State.CONNECTED), endings.lead_hung_up),
    (e.CancelRequested, UNDECIDED, endings.cancelled),
    (e.LinkLost, _ANY, link.lost),
    (e.LinkRestored, _BEGUN, link.restored),
    (e.TimePassed, _BEGUN, time_passed),
)
_TABLE: Mapping[type[e.Event], Mapping[State, _Handler]] = {
    event: dict.fromkeys(states, handler) for event, states, handler in _ROWS
}


class Transfer(LiveTransfer):
    """Feed it `receive(event, now)`, carry out the commands it returns, in order."""

    def receive(self, event: e.Event, now: datetime) -> tuple[e.Command, ...]:
        """What to do about `event`. `now` is aware UTC and never earlier than the last one."""
        self.now, self.commands = now, []
        handler = _TABLE[type(event)].get(self.state)
        if handler is not None:
            handler(self, event)
        return tuple(self.commands)

    def next_deadline(self) -> datetime | None:
        """When a TimePassed is due; none while only the outside can move the transfer."""
        return min((at for at, _ in deadlines(self)), default=None)

    @property
    def closed(self) -> bool:
        """Over, and no leg of it is left on the switch."""
        return self.state in (State.RETURNED, State.ENDED) and not any(self.alive())

    def so_far(self, transfer: TransferId) -> SoFar:
        """What has been rung, for whoever resolves the next legs."""
        records = [leg.record for leg in self.legs.values()]
        return SoFar(
            transfer=transfer,
            rung=frozenset(record.leg.endpoint for record in records),
            declined=frozenset(
                record.leg.agent_id
                for record in records
                if record.leg.agent_id is not None and record.fate is LegFate.DECLINED
            ),
        )
