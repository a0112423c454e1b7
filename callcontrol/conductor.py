"""Runs one transfer: feeds its machine, journals each turn, then carries out the machine's commands.

Events queue up in an inbox; a turn takes all that is there, writes one transaction, and only then
lets the commands leave. Commands run as tasks of the conductor's own, so that a slow switch never
keeps the next event waiting; what goes wrong with one comes back as an event.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from functools import cached_property, partial
from typing import Any

import structlog

from callcontrol.core import events as e
from callcontrol.core.model import Call, ChannelId, LegRecord, TransferId
from callcontrol.core.transfer import State, Transfer
from callcontrol.narration import Narration, replayed
from callcontrol.outside import Ports
from callcontrol.overview import Overview
from callcontrol.ports import (
    ChannelUnknownError,
    Entry,
    PortError,
    Timer,
    TransferRow,
    Transition,
)
from callcontrol.turn import FirstTurn, decide, observe, ring_order, transition

log = structlog.get_logger(__name__)

STORE_RETRY_S = (0.05, 0.2, 0.5, 1.0)  # then the last one again and again
RESOLVE_TRIES = 4
LET_RING_S = 0.004  # for so long a switch with an order to ring needs the processors, and a phone waits
KEPT_WITHIN_S = 0.2  # else whoever asked is told before; a dialplan waits 2 s
TOLD_OUTSIDE = (e.Phase.LOOKING, e.Phase.RINGING)  # besides the outcome: see core.hooks


async def orders_leave() -> None:
    """Twice round the event loop: in the first round orders are given, and written out at its end."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


class Conductor:
    """One live transfer. `post` it events from the event loop; `run` it as a task."""

    def __init__(
        self, transfer_id: TransferId, call: Call, ports: Ports, watch_leg: Callable[[ChannelId], None]
    ) -> None:
        self.id = transfer_id
        self.call = call
        self.narration = Narration()
        self.begun = asyncio.Event()  # its first phones ring, as far as we can tell
        self.over = asyncio.Event()  # nobody conducts it any more
        self._machine = Transfer()
        self._ports = ports
        self._watch_leg = watch_leg
        self._inbox: asyncio.Queue[tuple[e.Event, float]] = asyncio.Queue()  # with the loop's time
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: Timer | None = None
        self._seq = 0
        self._in_turn = False
        self._first: FirstTurn | None = None
        self._last_at: datetime | None = None
        self._records: dict[ChannelId, LegRecord] = {}  # the legs, as last journalled
        self._kept: dict[ChannelId, LegRecord] = {}  # those of them that have a row, as it is
        self._row: TransferRow
        self._overview: Overview

    @cached_property
    def _log(self) -> Any:
        return log.bind(transfer=self.id)

    # --- the outside

    def post(self, event: e.Event) -> None:
        self._inbox.put_nowait((event, asyncio.get_running_loop().time()))

    @property
    def state(self) -> State:
        return self._machine.state

    @property
    def ending(self) -> bool:
        """The lead is with nobody of ours; what is left ends by itself, in a moment."""
        return self._machine.state in (State.RETURNED, State.ENDED)

    @property
    def busy(self) -> bool:
        return bool(self._tasks) or self._in_turn or not self._inbox.empty()

    def live_legs(self) -> list[LegRecord]:
        return [leg.record for leg in self._machine.legs.values() if not leg.gone]

    def begin(self, row: TransferRow, first: FirstTurn) -> None:
        """Start from a request whose first turn the store already has, but for the rows of its legs."""
        self._take(row)
        self._first, self._in_turn = first, True
        self._seq, self._last_at = first.entries[-1].seq, first.now
        self._machine = first.machine
        self._records = {leg.id: leg.record for leg in self._machine.legs.values()}
        self._obey(first.commands, first.now)

    def resume(self, row: TransferRow, entries: Sequence[Entry]) -> None:
        """Start from the journal of an earlier process; a LinkRestored gets it going again."""
        self._take(row)
        self._seq = entries[-1].seq
        self._machine = replayed(entries, self.narration)
        self._last_at = entries[-1].at
        self._records = {leg.id: leg.record for leg in self._machine.legs.values()}
        self.post(e.LinkLost())
        if row.outcome is None:
            self._overview.prepare()

    def _take(self, row: TransferRow) -> None:
        self._row = row
        self._overview = Overview(self._ports.speech, row, bot_speaks=self.call.bot is not None)

    async def run(self) -> None:
        """Until the transfer is closed."""
        try:
            self._set_timer()
            if self._first is not None:
                await self._follow_up(self._first)
            while not self._machine.closed:
                events = await self._events()
                self._in_turn = True
                await self._turn(events)
                self._in_turn = False
                self._set_timer()
            if self._tasks:
                await asyncio.wait(self._tasks)  # the last commands, such as giving the lead back
        finally:
            self.begun.set()
            self._stop_timer()
            self._overview.stop()
            for task in self._tasks:
                task.cancel()

    # --- a turn

    async def _follow_up(self, first: FirstTurn) -> None:
        """What else a request brings, once the phones ring."""
        if self._records:
            await asyncio.sleep(LET_RING_S)
        keeping = self._spawn(self._keep_legs())  # before others hear of it, and may look it up
        await asyncio.wait((keeping,), timeout=KEPT_WITHIN_S)
        self.begun.set()
        observe(self._ports.observer, first.written, {})
        self._tell_others(first.commands, first.warnings)
        self._overview.prepare()
        self._spawn(self._check_lead())
        await asyncio.wait((keeping,))
        self._in_turn = False

    async def _events(self) -> list[tuple[e.Event, float]]:
        events = [await self._inbox.get()]
        while not self._inbox.empty():
            events.append(self._inbox.get_nowait())
        return events

    async def _turn(self, events: Sequence[tuple[e.Event, float]]) -> None:
        entries: list[Entry] = []
        commands: list[e.Command] = []
        moves: list[tuple[e.Event, State, State]] = []
        now = self._now()
        for event, _ in events:
            if isinstance(event, e.TimePassed) and not self._due(now):
                continue
            before = self._machine.state
            commands += self._machine.receive(event, now)
            entries.append(Entry(seq=self._seq + len(entries) + 1, at=now, event=event))
            moves.append((event, before, self._machine.state))
        if not entries:
            return
        self._seq = entries[-1].seq
        warnings = await self._record(entries, commands, now)
        self._obey(commands, now)
        await orders_leave()  # before anything is said about them
        over = asyncio.get_running_loop().time()
        for event, reported in events:
            self._ports.observer.decided(type(event).__name__, over - reported)
        self._tell_others(commands, warnings)
        self._log_moves(moves)

    def _now(self) -> datetime:
        now = self._ports.clock.now()
        return now if self._last_at is None else max(now, self._last_at)

    def _due(self, now: datetime) -> bool:
        deadline = self._machine.next_deadline()
        return deadline is not None and deadline <= now

    async def _record(
        self, entries: Sequence[Entry], commands: Sequence[e.Command], now: datetime
    ) -> tuple[str, ...]:
        """Journal the turn. The commands wait until it is written, however long that takes."""
        self._last_at = now
        legs = {leg.id: leg.record for leg in self._machine.legs.values()}
        written, warnings = transition(
            self._row,
            self._machine,
            entries,
            commands,
            self._records,
            kept=self._kept,
            word=self._ports.word,
        )
        tries = 0
        while True:
            try:
                await self._ports.store.record(written)
            except PortError as error:
                if not error.retryable:
                    raise
                self._log.error("journal not written, trying again", error=str(error))
                await asyncio.sleep(STORE_RETRY_S[min(tries, len(STORE_RETRY_S) - 1)])
                tries += 1
            else:
                observe(self._ports.observer, written, self._records)
                self._records = self._kept = legs
                return warnings

    async def _keep_legs(self) -> None:
        """Write the rows of legs that only the journal tells of yet, and of the transfer if it has none. Where it fails,
        the next turn does.
        """
        if self._records != self._kept:
            written = Transition(transfer_id=self.id, entries=(), legs=tuple(self._records.values()))
            with contextlib.suppress(PortError):
                await self._ports.store.record(written)
                self._kept = self._records

    def _tell_others(self, commands: Sequence[e.Command], warnings: Sequence[str]) -> None:
        for command in commands:
            match command:
                case e.Finish():
                    self._ports.on_outcome()
                case e.TellBot(phase=phase) if phase in TOLD_OUTSIDE:
                    self._ports.on_phase()
                case _:
                    pass
        for warning in warnings:
            self._log.warning("a text could not be written as wished", why=warning)

    def _log_moves(self, moves: Sequence[tuple[e.Event, State, State]]) -> None:
        for event, before, after in moves:
            if after is not before:
                self._log.info(
                    "transfer moved on",
                    event_name=type(event).__name__,
                    state_before=before.value,
                    state=after.value,
                )

    # --- the timer

    def _set_timer(self) -> None:
        self._stop_timer()
        deadline = self._machine.next_deadline()
        if deadline is not None:
            wait = (deadline - self._now()).total_seconds()
            self._timer = self._ports.clock.call_later(max(0.0, wait), self._ring_timer)

    def _ring_timer(self) -> None:
        self.post(e.TimePassed())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- commands

    def _obey(self, commands: Sequence[e.Command], now: datetime) -> None:
        for command in commands:
            match command:
                case e.TellBot():
                    self.narration.tell(command, now)
                case e.Finish():
                    self._log.info("transfer has its outcome", outcome=type(command.outcome).__name__)
                case e.ResolveNextAttempt():
                    self._spawn(self._resolve(command))
                case e.Ring():
                    self._watch_leg(command.leg.id)
                    self._ring(command)
                case e.Brief(channel=channel):
                    self._spawn(self._brief(channel))
                case e.Join(lead=lead, channel=channel):
                    self._spawn(self._join(lead, channel))
                case e.Announce(lead=lead):
                    self._spawn(self._announce(lead))
                case e.HangUp(channel=channel, why=why, answered=answered):
                    self._spawn(self._try(self._ports.pbx.hang_up(channel, why, answered=answered)))
                case e.ReleaseBot(channel=channel):
                    self._spawn(self._try(self._ports.pbx.release_bot(channel)))
                case e.ReturnLead(lead=lead, goto=goto):
                    self._spawn(self._try(self._ports.pbx.return_lead(lead, goto)))

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._reap)
        return task

    def _reap(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        self._log.error("a command failed unexpectedly", exc_info=error)

    async def _try(self, verb: Coroutine[None, None, None]) -> None:
        """A refusal changes nothing: the machine's own deadlines, or the next survey, take over."""
        try:
            await verb
        except PortError as error:
            self._log.warning("the switch refused an order", error=str(error))

    async def _resolve(self, ask: e.ResolveNextAttempt) -> None:
        row, ports = self._row, self._ports
        for wait in STORE_RETRY_S[:RESOLVE_TRIES]:
            now, so_far = ports.clock.now(), self._machine.so_far(self.id)
            choose = partial(decide, ask, row.bot, so_far=so_far, now=now, lines=ports.pbx.line)
            try:
                resolved = await ports.store.resolve(row, ask.step, choose, now)
            except PortError as error:
                self._log.error("the database did not say whom to ring", error=str(error))
                await asyncio.sleep(wait)
            else:
                self.post(resolved)
                return
        away = "the database was away"
        self.post(e.AttemptResolved(step=ask.step, ask=ask.ask, legs=(), because=away))

    def _ring(self, command: e.Ring) -> None:
        leg = command.leg.id
        try:
            ringing = self._ports.pbx.ring(ring_order(self._row, command))
        except PortError as error:
            self._not_rung(leg, error)
        except Exception as error:
            self._failed(error)
        else:
            self._spawn(self._see_it_ring(leg, ringing))

    async def _see_it_ring(self, leg: ChannelId, ringing: Coroutine[Any, Any, None]) -> None:
        try:
            await ringing
        except PortError as error:
            self._not_rung(leg, error)

    def _not_rung(self, leg: ChannelId, error: PortError) -> None:
        self._log.warning("a leg could not be rung", leg=leg, error=str(error))
        if self._ports.pbx.linked or not error.retryable:
            ended = e.LegEnded(channel=leg, by=e.EndedBy.UNREACHABLE, cause=str(error))
            self.post(ended)  # with no link, the next survey tells whether the order arrived

    async def _join(self, lead: ChannelId, channel: ChannelId) -> None:
        try:
            await self._ports.pbx.join(lead, channel)
        except PortError as error:
            self._log.warning("the switch refused a join", error=str(error))
            if self._ports.pbx.linked:
                self.post(e.JoinFailed(channel=channel, why=str(error)))

    async def _brief(self, channel: ChannelId) -> None:
        sound = await self._overview.summary()
        if sound is not None:
            with contextlib.suppress(PortError):
                await self._ports.pbx.brief(channel, sound)
                return
        self.post(e.LegBriefed(channel=channel))

    async def _announce(self, lead: ChannelId) -> None:
        if sounds := await self._overview.summary_and_closing():
            with contextlib.suppress(PortError):
                await self._ports.pbx.announce(self.id, lead, sounds)
                return
        self.post(e.HandoffFinished())

    async def _check_lead(self) -> None:
        """The lead may have hung up before anyone watched."""
        try:
            await self._ports.pbx.locate(self.call.lead)
        except ChannelUnknownError:
            self.post(e.LeadHungUp(channel=self.call.lead))
        except PortError as error:
            self._log.warning("the lead's channel could not be checked", error=str(error))
