r"""One warm transfer, as a state machine: events in, commands out.

    NEW -> RESOLVING <-> RINGING <-> JOINING -> HANDING_OFF -> CONNECTED -> ENDED
               \            \          \           \
                +------------+----------+-----------+-> RETURNED (missed; the bot has the lead)

A transfer works through its plan, step by step. RESOLVING waits to be told whom the step rings;
RINGING has legs out; JOINING has a winner, the first leg to accept, which is briefed (whisper) and
joined; HANDING_OFF has agent and lead talking while the bot, or a sound file, introduces them.
From any of these but CONNECTED, a loss leads back: to the legs still ringing, or to the next step.

The machine keeps no clock: `now` comes with every event, `next_deadline` says when it wants a
TimePassed. It is deterministic, so that replaying a journal rebuilds it. It never raises for what a
switch, a phone or a person did; an event that means nothing in a state is ignored.

The lead's leg is not touched before a winner is joined, and other legs ring on until then.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import cast

from callcontrol.core import events as e
from callcontrol.core.leg import UNANSWERED, LegState, LiveLeg
from callcontrol.core.model import (
    AcceptBy,
    Call,
    ChannelId,
    Connected,
    ConnectedBy,
    HandoffStyle,
    LegFate,
    LegRecord,
    Missed,
    MissedBecause,
    Outcome,
    SoFar,
    Step,
    StepKind,
    TransferId,
)


class State(StrEnum):
    NEW = "new"
    RESOLVING = "resolving"
    RINGING = "ringing"
    JOINING = "joining"
    HANDING_OFF = "handing_off"
    CONNECTED = "connected"
    RETURNED = "returned"
    ENDED = "ended"


UNDECIDED = (State.RESOLVING, State.RINGING, State.JOINING, State.HANDING_OFF)
_ANY = tuple(State)


_CONNECTED_BY = {
    StepKind.ASSIGNED: ConnectedBy.ASSIGNED_AGENT,
    StepKind.GROUP: ConnectedBy.POOL_AGENT,
    StepKind.FALLBACK: ConnectedBy.FALLBACK,
}


class Transfer:
    """Feed it `receive(event, now)`, carry out the commands it returns, in order."""

    def __init__(self) -> None:
        self.state = State.NEW
        self.outcome: Outcome | None = None
        self.legs: dict[ChannelId, LiveLeg] = {}
        self.winner: LiveLeg | None = None
        self.attempt = 0
        self._step = -1  # index into the plan
        self._bot_alive = False
        self._briefing = False
        self._since: datetime | None = None  # when JOINING or HANDING_OFF began to wait
        self._link_lost_at: datetime | None = None
        self._told_ringing = False
        self._ask = 0  # the number of the last question whom to ring
        self._rung = False  # this step has rung somebody
        self._more = False  # this step may ring more
        self._more_at: datetime | None = None
        self._out: list[e.Command] = []
        self._call: Call
        self._settings: e.Settings
        self._now: datetime

    # --- the outside

    def receive(self, event: e.Event, now: datetime) -> tuple[e.Command, ...]:
        """What to do about `event`. `now` is aware UTC and never earlier than the last one."""
        self._now, self._out = now, []
        handler = _TABLE[type(event)].get(self.state)
        if handler is not None:
            handler(self, event)
        return tuple(self._out)

    def next_deadline(self) -> datetime | None:
        """When a TimePassed is due; none while only the outside can move the transfer."""
        return min((at for at, _ in self._deadlines()), default=None)

    @property
    def closed(self) -> bool:
        """Over, and no leg of it is left on the switch."""
        return self.state in (State.RETURNED, State.ENDED) and not any(self._alive())

    @property
    def step(self) -> Step:
        return self._settings.plan[self._step]

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

    # --- attempts

    def _begin(self, asked: e.TransferRequested) -> None:
        self._call, self._settings = asked.call, asked.settings
        self._bot_alive = asked.call.bot is not None
        self._tell(e.Phase.LOOKING)
        self._next_attempt()

    def _next_attempt(self) -> None:
        self.winner, self._briefing = None, False
        self._step += 1
        self._rung, self._more = False, False
        if self._step >= len(self._settings.plan):
            self._miss(MissedBecause.NO_ANSWER if self.legs else MissedBecause.NO_ONE_AVAILABLE)
        else:
            self._resolve()

    def _resolve(self) -> None:
        """Wait to be told whom the step rings now."""
        self.state = State.RESOLVING
        self._ask_whom()

    def _ask_whom(self) -> None:
        self._more_at = None
        if self._link_lost_at is None:  # without a switch nobody can ring: asked when it is back
            self._ask += 1
            self._do(e.ResolveNextAttempt(step=self.step, ask=self._ask))

    def _ring_more(self, resolved: e.AttemptResolved) -> None:
        if resolved.ask != self._ask or self._link_lost_at is not None:
            return
        self._more = resolved.next_after_s is not None
        if not resolved.legs:
            if self.state is State.RESOLVING:
                self._next_attempt()
            return
        if not self._rung:
            self.attempt += 1
        self.state, self._rung, self._told_ringing = State.RINGING, True, False
        if resolved.next_after_s is not None:
            self._more_at = _after(self._now, resolved.next_after_s)
        for leg in resolved.legs:
            record = LegRecord(
                leg=leg,
                attempt=self.attempt,
                step=resolved.step.kind,
                dialled_at=self._now,
                pool_id=resolved.pool_id,
            )
            self.legs[leg.id] = LiveLeg(record)
            self._do(e.Ring(leg=leg, ring_timeout_s=self._settings.ring_timeout_s))

    def _carry_on(self) -> None:
        """With nobody left to wait for, ring the rest of the step, or go to the next one."""
        if self.state is State.RINGING and not any(self._alive()):
            if self._more:
                self._resolve()
            else:
                self._next_attempt()

    # --- legs

    def _leg_ringing(self, event: e.LegRinging) -> None:
        leg = self._leg(event.channel)
        if leg is None or leg.state is not LegState.DIALLING:
            return
        leg.state, leg.record = LegState.RINGING, replace(leg.record, ringing_at=self._now)
        if self.state is State.RINGING and not self._told_ringing:
            self._told_ringing = True
            self._tell(e.Phase.RINGING, leg.record.leg.label)

    def _leg_answered(self, event: e.LegAnswered) -> None:
        leg = self._leg(event.channel)
        if leg is None or leg.state not in UNANSWERED:
            return
        leg.state, leg.record = LegState.ANSWERED, replace(leg.record, answered_at=self._now)
        if leg.leaving is not None:
            self._order_away(leg, leg.leaving)  # picked up while being cancelled: say why
        elif leg.record.leg.endpoint.accept_by is AcceptBy.ANSWER:
            self._accept(leg)

    def _leg_accepted(self, event: e.LegAccepted) -> None:
        leg = self._leg(event.channel)
        if leg is None or leg.leaving is not None or leg.state in (LegState.ACCEPTED, LegState.JOINED):
            return
        if leg.state in UNANSWERED:
            leg.record = replace(leg.record, answered_at=self._now)
        self._accept(leg)

    def _accept(self, leg: LiveLeg) -> None:
        """The first to accept wins; anyone later is told so."""
        leg.state, leg.record = LegState.ACCEPTED, replace(leg.record, accepted_at=self._now)
        if self.state is not State.RINGING:
            self._order_away(leg, e.Why.TAKEN)
            return
        self.winner, self.state = leg, State.JOINING
        self._briefing = self._settings.handoff is HandoffStyle.WHISPER
        self._tell(e.Phase.ANSWERED, leg.record.leg.label)
        self._brief_or_join(leg)

    def _leg_declined(self, event: e.LegDeclined) -> None:
        leg = self._leg(event.channel)
        if leg is not None:
            leg.declined = True

    def _leg_ended(self, event: e.LegEnded) -> None:
        leg = self._leg(event.channel)
        if leg is not None:
            self._let_go(leg, leg.fate(event.by), event.cause)

    def _let_go(self, leg: LiveLeg, fate: LegFate, cause: str) -> None:
        """The leg is gone; whatever hung on it moves on."""
        self._mark_gone(leg, fate, cause)
        if leg is self.winner:
            self._winner_gone()
        self._carry_on()

    def _mark_gone(self, leg: LiveLeg, fate: LegFate, cause: str) -> None:
        leg.end(fate, cause, self._now)

    def _winner_gone(self) -> None:
        match self.state:
            case State.JOINING:
                self.winner, self._briefing, self.state = None, False, State.RINGING
            case State.HANDING_OFF:
                self._tell(e.Phase.AGENT_LEFT)
                self._next_attempt()
            case State.CONNECTED:
                self._end()
            case _:
                pass

    # --- joining and handing off

    def _brief_or_join(self, leg: LiveLeg) -> None:
        self._since = self._now
        if self._briefing:
            self._do(e.Brief(channel=leg.id))
        else:
            self._do(e.Join(lead=self._call.lead, channel=leg.id))

    def _leg_briefed(self, event: e.LegBriefed) -> None:
        if self.winner is not None and event.channel == self.winner.id and self._briefing:
            self._briefing = False
            self._brief_or_join(self.winner)

    def _joined(self, event: e.Joined) -> None:
        leg = self.winner
        if leg is None or leg.id != event.channel:
            return
        leg.state, leg.record = LegState.JOINED, replace(leg.record, joined_at=self._now)
        for other in self._alive():
            if other is not leg:
                self._order_away(other, e.Why.ANSWERED_ELSEWHERE)
        self._tell(e.Phase.JOINED, leg.record.leg.label)
        if self._settings.handoff is HandoffStyle.WHISPER:
            self._connected()
            return
        self.state, self._since = State.HANDING_OFF, self._now
        if not self._bot_speaks():
            self._do(e.Announce(lead=self._call.lead))

    def _bot_speaks(self) -> bool:
        return self._settings.handoff is HandoffStyle.INTRODUCE and self._bot_alive

    def _join_failed(self, event: e.JoinFailed) -> None:
        if self.winner is not None and event.channel == self.winner.id:
            self._give_up_winner()

    def _give_up_winner(self) -> None:
        self._order_away(self._taker, e.Why.JOIN_FAILED)
        self.winner, self._briefing, self.state = None, False, State.RINGING

    def _handoff_finished(self, _: e.HandoffFinished) -> None:
        self._connected()

    def _connected(self) -> None:
        self.state = State.CONNECTED
        taker = self._taker
        taker.record = replace(taker.record, fate=LegFate.ANSWERED)
        if self._bot_alive and self._call.bot is not None:
            self._do(e.ReleaseBot(channel=self._call.bot))
        leg = taker.record.leg
        self._finish(Connected(by=_CONNECTED_BY[taker.record.step], leg=leg))
        self._tell(e.Phase.CONNECTED, leg.label)

    # --- endings

    def _lead_hung_up(self, _: e.LeadHungUp) -> None:
        if self.state is State.CONNECTED:
            self._order_away(self._taker, e.Why.CALL_OVER)
            self._end()
        else:
            self._miss(MissedBecause.LEAD_HUNG_UP)

    def _bot_hung_up(self, _: e.BotHungUp) -> None:
        spoke = self._bot_speaks()
        self._bot_alive = False
        if self.state is State.HANDING_OFF and spoke:
            self._connected()

    def _cancelled(self, event: e.CancelRequested) -> None:
        self._miss(MissedBecause.CANCELLED, follow_up=event.follow_up)

    def _miss(self, because: MissedBecause, *, follow_up: bool = True) -> None:
        hung_up = because is MissedBecause.LEAD_HUNG_UP
        for leg in self._alive():
            self._order_away(leg, e.Why.LEAD_HUNG_UP if hung_up else e.Why.CANCELLED)
        self.state = State.RETURNED
        self._finish(Missed(because=because, follow_up=follow_up))
        reachable = because in (
            MissedBecause.NO_ANSWER,
            MissedBecause.NO_ONE_AVAILABLE,
            MissedBecause.CANCELLED,
        )
        if reachable and not self._bot_alive:
            self._do(e.ReturnLead(lead=self._call.lead, goto=self._settings.missed_goto))
        self._tell(e.Phase.MISSED, because)

    def _finish(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self._do(e.Finish(outcome=outcome))

    def _end(self) -> None:
        self.state = State.ENDED
        self._tell(e.Phase.ENDED)

    # --- the link

    def _link_lost(self, _: e.LinkLost) -> None:
        self._link_lost_at = self._link_lost_at or self._now

    def _resync(self, event: e.LinkRestored) -> None:
        """Compare with what the switch says is alive, and carry on from there."""
        survey, winner_before = event.survey, self.winner
        if survey.pbx_started != self._call.pbx_started:
            self._pbx_restarted()
            return
        self._link_lost_at = self._link_lost_at or self._now  # until all is compared, order nothing new
        for leg in self._alive():
            if leg.id not in survey.alive:
                self._mark_gone(leg, LegFate.LOST, "gone while the switch was not watched")
        if self._call.bot is not None and self._bot_alive and self._call.bot not in survey.alive:
            self._bot_hung_up(e.BotHungUp(channel=self._call.bot))
        if self._call.lead not in survey.alive and self.state in (*UNDECIDED, State.CONNECTED):
            self._lead_hung_up(e.LeadHungUp(channel=self._call.lead))
        if self.winner is not None and self.winner.gone:
            self._winner_gone()
        for leg in self._alive():
            self._resync_leg(leg, survey.alive[leg.id])
        self._carry_on()
        self._link_lost_at = None
        if self.state is State.RESOLVING:
            self._ask_whom()
        if self.winner is not None and self.winner is winner_before:
            self._resume(self.winner, survey)

    def _resync_leg(self, leg: LiveLeg, alive: e.Alive) -> None:
        if leg.leaving is not None:
            self._order_away(leg, leg.leaving)
            return
        if alive.doing is e.Doing.RINGING:
            self._leg_ringing(e.LegRinging(channel=leg.id))
            return
        self._leg_answered(e.LegAnswered(channel=leg.id))
        if alive.doing in (e.Doing.ACCEPTED, e.Doing.BRIEFED):
            self._leg_accepted(e.LegAccepted(channel=leg.id))

    def _resume(self, winner: LiveLeg, survey: e.Survey) -> None:
        """Give again the order that may have been lost with the link or with the process."""
        alive = survey.alive.get(winner.id)
        if alive is None:
            return
        with_lead = self._call.lead in alive.bridged_with
        match self.state:
            case State.JOINING if with_lead:
                self._joined(e.Joined(channel=winner.id))
            case State.JOINING:
                self._briefing = self._briefing and alive.doing is not e.Doing.BRIEFED
                self._brief_or_join(winner)
            case State.HANDING_OFF if not with_lead:
                self.state = State.JOINING
                self._brief_or_join(winner)
            case State.HANDING_OFF if not self._bot_speaks():
                self._connected()  # whether the announcement ended can't be known: they are talking
            case State.CONNECTED if self._bot_alive and self._call.bot is not None:
                self._do(e.ReleaseBot(channel=self._call.bot))
            case _:
                pass

    def _pbx_restarted(self) -> None:
        for leg in self._alive():
            self._mark_gone(leg, LegFate.LOST, "the switch restarted")
        self._bot_alive, self._link_lost_at = False, None
        if self.state is State.CONNECTED:
            self._end()
        elif self.state in UNDECIDED:
            self._miss(MissedBecause.PBX_RESTARTED)

    # --- time

    def _time_passed(self, _: e.TimePassed) -> None:
        for at, act in list(self._deadlines()):
            if at <= self._now:
                act()

    def _deadlines(self) -> Iterator[tuple[datetime, Callable[[], None]]]:
        if self.state is State.NEW:
            return
        limits = self._settings
        if self._link_lost_at is not None:
            if self.state in UNDECIDED:
                yield _after(self._link_lost_at, limits.link_grace_s), self._link_given_up
            return
        for leg in self._alive():
            for at, why in leg.deadlines(limits):
                yield at, partial(self._overdue, leg, why)
        if self.state is State.RINGING and self._more_at is not None:
            yield self._more_at, self._ask_whom
        if self.state is State.JOINING and self._since is not None:
            limit = limits.briefing_limit_s if self._briefing else limits.join_timeout_s
            yield _after(self._since, limit), self._joining_overdue
        if self.state is State.HANDING_OFF and self._since is not None:
            yield _after(self._since, limits.handoff_limit_s), self._connected

    def _overdue(self, leg: LiveLeg, why: e.Why | None) -> None:
        if why is None:
            self._let_go(leg, leg.fate(e.EndedBy.NORMAL), "the switch did not say")
        elif leg.leaving is None:
            self._order_away(leg, why)

    def _joining_overdue(self) -> None:
        if self._briefing:
            self._briefing = False  # the overview took too long; the lead has waited enough
            self._brief_or_join(self._taker)
        else:
            self._give_up_winner()

    def _link_given_up(self) -> None:
        self._miss(MissedBecause.PBX_LOST)

    # --- small things

    def _do(self, command: e.Command) -> None:
        self._out.append(command)

    def _tell(self, phase: e.Phase, detail: str = "") -> None:
        self._do(e.TellBot(phase=phase, detail=detail))

    def _leg(self, channel: ChannelId) -> LiveLeg | None:
        """The leg, while it is on the switch."""
        leg = self.legs.get(channel)
        return None if leg is None or leg.gone else leg

    def _alive(self) -> list[LiveLeg]:
        return [leg for leg in self.legs.values() if not leg.gone]

    @property
    def _taker(self) -> LiveLeg:
        """The winner, in the states that have one: JOINING, HANDING_OFF and CONNECTED."""
        return cast(LiveLeg, self.winner)

    def _order_away(self, leg: LiveLeg, why: e.Why) -> None:
        """Hang the leg up. A repeat keeps the first reason for the record."""
        self._do(leg.send_away(why, self._now))


def _after(at: datetime, seconds: float) -> datetime:
    return at + timedelta(seconds=seconds)


_Handler = Callable[[Transfer, e.Event], None]

# event -> (the states it means something in, what it does there); anywhere else it is ignored
_ROWS: tuple[tuple[type[e.Event], tuple[State, ...], Callable[..., None]], ...] = (
    (e.TransferRequested, (State.NEW,), Transfer._begin),
    (e.AttemptResolved, (State.RESOLVING, State.RINGING), Transfer._ring_more),
    (e.LegRinging, _ANY, Transfer._leg_ringing),
    (e.LegAnswered, _ANY, Transfer._leg_answered),
    (e.LegAccepted, _ANY, Transfer._leg_accepted),
    (e.LegDeclined, _ANY, Transfer._leg_declined),
    (e.LegEnded, _ANY, Transfer._leg_ended),
    (e.LegBriefed, (State.JOINING,), Transfer._leg_briefed),
    (e.Joined, (State.JOINING,), Transfer._joined),
    (e.JoinFailed, (State.JOINING,), Transfer._join_failed),
    (e.HandoffFinished, (State.HANDING_OFF,), Transfer._handoff_finished),
    (e.LeadHungUp, (*UNDECIDED, State.CONNECTED), Transfer._lead_hung_up),
    (e.BotHungUp, _ANY, Transfer._bot_hung_up),
    (e.CancelRequested, UNDECIDED, Transfer._cancelled),
    (e.LinkLost, _ANY, Transfer._link_lost),
    (e.LinkRestored, tuple(s for s in State if s is not State.NEW), Transfer._resync),
    (e.TimePassed, tuple(s for s in State if s is not State.NEW), Transfer._time_passed),
)
_TABLE: Mapping[type[e.Event], Mapping[State, _Handler]] = {
    event: dict.fromkeys(states, handler) for event, states, handler in _ROWS
}
