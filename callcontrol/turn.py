"""Turns of a transfer without I/O: what is to be journalled, and what is then to be done."""

import os
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from callcontrol.core import cleaning, hooks, routing, standing
from callcontrol.core import events as e
from callcontrol.core.availability import Lines
from callcontrol.core.followup import Word, follow_up, word_rest
from callcontrol.core.model import Bot, Call, ChannelId, LegRecord, SoFar
from callcontrol.core.transfer import Transfer
from callcontrol.ports import CallerId, Entry, FactsOf, Observer, RingOrder, TransferRow, Transition


@lru_cache(maxsize=256)
def settings_of(bot: Bot) -> e.Settings:
    """What a new transfer keeps of its bot."""
    return e.Settings(
        plan=routing.plan(bot),
        handoff=bot.handoff,
        ring_timeout_s=bot.ring_timeout_s,
        accept_timeout_s=bot.accept_timeout_s,
        handoff_limit_s=bot.handoff_limit_s,
        missed_goto=bot.missed_goto,
    )


def decide(
    ask: e.ResolveNextAttempt, bot: Bot, facts_of: FactsOf, so_far: SoFar, *, now: datetime, lines: Lines
) -> e.AttemptResolved:
    """Whom the step rings now. The one place where that is decided, for real calls and for `explain`."""
    return routing.resolve(
        ask.step,
        ask=ask.ask,
        bot=bot,
        facts=facts_of(ask.step),
        so_far=so_far,
        now=now,
        lines=lines,
        new_id=_new_channel_id,
    )


def ring_order(row: TransferRow, command: e.Ring) -> RingOrder:
    return RingOrder(
        transfer_id=row.id,
        leg=command.leg,
        lead=row.call.lead,
        caller=CallerId(name=cleaning.display_name(row.lead.name), number=cleaning.number(row.lead.phone)),
        ring_timeout_s=command.ring_timeout_s,
        accept_timeout_s=row.bot.accept_timeout_s,
        straight=command.straight,
    )


def transition(
    row: TransferRow,
    machine: Transfer,
    entries: Sequence[Entry],
    commands: Sequence[e.Command],
    known: Mapping[ChannelId, LegRecord],
    *,
    kept: Mapping[ChannelId, LegRecord],
    word: Word,
) -> tuple[Transition, tuple[str, ...]]:
    """What a turn writes, `known` being the legs before it, `kept` those of them that have a row, as it is; and
    why a text could not be made.
    """
    finish = next((command for command in commands if isinstance(command, e.Finish)), None)
    warnings: tuple[str, ...] = ()
    what_follows = None
    if finish is not None:
        what_follows = follow_up(
            finish.outcome,
            transfer_id=row.id,
            lead=row.lead,
            bot=row.bot,
            assigned=row.assigned,
            word=word,
        )
        warnings = what_follows.warnings
    records = [leg.record for leg in machine.legs.values()]
    written = Transition(
        transfer_id=row.id,
        entries=tuple(entries),
        legs=tuple(record for record in records if kept.get(record.leg.id) != record),
        standings=standing.changes(known.values(), records, entries[-1].at),
        word_rest=word_rest(row.id, row.lead, row.bot, row.assigned, word),
        outcome=finish.outcome if finish else None,
        follow_up=what_follows,
        hooks=hooks.of_turn(
            row.id,
            row.bot,
            row.lead,
            commands=commands,
            legs=records,
            at=entries[-1].at,
            outcome_too=what_follows is not None and what_follows.webhook,
        ),
        closed=machine.closed,
    )
    return written, warnings


def observe(observer: Observer, written: Transition, known: Mapping[ChannelId, LegRecord]) -> None:
    """Tell what a turn that is journalled has changed, `known` being the legs before it."""
    begun = {record.attempt: record.step for record in written.legs}
    for attempt in begun.keys() - {record.attempt for record in known.values()}:
        observer.attempted(begun[attempt])
    for record in written.legs:
        before = known.get(record.leg.id)
        if record.fate is not None and record.ended_at and (before is None or before.ended_at is None):
            observer.leg_ended(record.fate)
    if written.outcome is not None:
        observer.finished(written.outcome)


class FirstTurn:
    """What a request comes to at once: whom it rings first, or that there is nobody.

    The store calls it within the transaction that opens the transfer, so that a phone rings after one
    commit: in a thread of its own, and again where the transaction is tried again. So it only decides;
    the conductor then takes the last decision over.
    """

    def __init__(self, call: Call, now: datetime, lines: Lines, word: Word) -> None:
        self.call = call
        self.lines = lines
        self.now = now
        self._word = word
        self.machine: Transfer
        self.commands: list[e.Command]
        self.entries: list[Entry]
        self.warnings: tuple[str, ...]
        self.written: Transition

    def __call__(self, row: TransferRow, facts_of: FactsOf) -> Transition:
        self.machine, self.commands, self.entries = Transfer(), [], []
        asked = e.TransferRequested(call=self.call, settings=settings_of(row.bot))
        events = deque[e.Event]([asked])
        while events:
            event = events.popleft()
            self.entries.append(Entry(seq=len(self.entries) + 1, at=self.now, event=event))
            for command in self.machine.receive(event, self.now):
                if isinstance(command, e.ResolveNextAttempt):
                    so_far = self.machine.so_far(row.id)
                    events.append(decide(command, row.bot, facts_of, so_far, now=self.now, lines=self.lines))
                else:
                    self.commands.append(command)
        self.written, self.warnings = transition(
            row, self.machine, self.entries, self.commands, {}, kept={}, word=self._word
        )
        return self.written


def new_id() -> str:
    """A UUID of version 4, put together here because the library takes three times as long, for each phone of
    a group.
    """
    drawn = os.urandom(16).hex()
    return f"{drawn[:8]}-{drawn[8:12]}-4{drawn[13:16]}-a{drawn[17:20]}-{drawn[20:]}"


def _new_channel_id() -> ChannelId:
    """Of one length, so that a switch that matches ids by prefix can't mix two up."""
    return ChannelId(new_id())
