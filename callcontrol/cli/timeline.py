"""The story of a transfer, line by line, from its journal and its legs.

The journal holds what happened. What was ordered is found again by feeding the journal to the
machine that decided it: it decides the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from callcontrol.core import events as e
from callcontrol.core.model import (
    AcceptBy,
    ChannelId,
    Connected,
    Considered,
    Endpoint,
    LegFate,
    LegRecord,
    Outcome,
    Step,
    StepKind,
)
from callcontrol.core.transfer import Transfer
from callcontrol.ports import Entry, TransferRow


class Kind(StrEnum):
    ROUTING = "routing"  # who rings, and why not the others
    PHONE = "phone"  # what a phone did
    ORDER = "order"  # what a phone or the switch was told to do
    TOLD = "told"  # what the bot was told
    CALL = "call"  # lead, bot and the link to the switch
    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    at: datetime
    offset_s: float  # since the request
    kind: Kind
    who: str
    what: str
    detail: str = ""


def timeline(row: TransferRow, entries: Sequence[Entry], legs: Sequence[LegRecord]) -> list[Line]:
    """In the order of the journal. `entries` may be its beginning only, while a transfer runs."""
    return list(Teller(row, {record.leg.id: record for record in legs}).lines(entries))


Said = tuple[Kind, str, str, str]  # kind, who, what, detail


class Teller:
    """Tells a transfer. `lines` may be given the journal in parts, each entry once, in order."""

    def __init__(self, row: TransferRow, legs: Mapping[ChannelId, LegRecord]) -> None:
        self.legs = legs  # may be replaced by a newer reading between two parts
        self._row = row
        self._machine = Transfer()
        self._names: dict[ChannelId, str] = {}
        self._step: Step | None = None  # the newest that was resolved
        self._told: set[Considered] = set()

    def lines(self, entries: Sequence[Entry]) -> Iterator[Line]:
        for entry in entries:
            commands = self._machine.receive(entry.event, entry.at)
            for kind, who, what, detail in (*self._happened(entry.event), *self._ordered(commands)):
                since = (entry.at - self._row.requested_at).total_seconds()
                yield Line(at=entry.at, offset_s=since, kind=kind, who=who, what=what, detail=detail)

    # --- what happened

    def _happened(self, event: e.Event) -> Iterator[Said]:
        match event:
            case e.AttemptResolved():
                yield from self._resolved(event)
            case (
                e.LegRinging()
                | e.LegAnswered()
                | e.LegAccepted()
                | e.LegDeclined()
                | e.LegBriefed()
                | e.LegEnded()
                | e.Joined()
                | e.JoinFailed()
            ):
                yield self._leg(event)
            case e.TimePassed():
                return  # what it led to is told by the orders that follow
            case e.LegAccepted(channel=channel) if self._accepts_by_answering(channel):
                return  # told already: it picked up
            case _:
                yield self._around(event)

    def _resolved(self, event: e.AttemptResolved) -> Iterator[Said]:
        """Where more join the ringing of a step, only what is new is told."""
        again = event.step == self._step
        if not again:
            self._step, self._told = event.step, set()
        rung = ", ".join(leg.label for leg in event.legs) or "nobody"
        named = f"{_STEP[event.step.kind]}{', joining' if again else ''}"
        later = f"more after {event.next_after_s:g} s" if event.next_after_s is not None else ""
        yield Kind.ROUTING, "routing", f"{named}: {rung}", "; ".join(filter(None, (event.because, later)))
        for rule in () if again else event.rules:
            yield (
                Kind.ROUTING,
                "routing",
                f"rule {rule.rule} {'fits' if rule.fits else 'does not fit'}",
                rule.why,
            )
        for considered in event.considered:
            if considered not in self._told:
                yield _considered(considered)
        self._told.update(event.considered)

    def _leg(self, event: e.LegEvent) -> Said:
        who, record = self._name(event.channel), self.legs.get(event.channel)
        match event:
            case e.LegRinging():
                return Kind.PHONE, who, "rings", ""
            case e.LegAnswered():
                return Kind.PHONE, who, "picks up", _after_ringing(record)
            case e.LegAccepted():
                return Kind.PHONE, who, "accepts the lead", ""
            case e.LegDeclined():
                return Kind.PHONE, who, "declines, by key", ""
            case e.LegBriefed():
                return Kind.PHONE, who, "has heard the overview", ""
            case e.Joined() if self._went_straight(event.channel):
                return Kind.GOOD, who, "picks up, and is on the line with the lead", _after_ringing(record)
            case e.Joined():
                return Kind.GOOD, who, "is on the line with the lead", ""
            case e.JoinFailed(why=why):
                return Kind.BAD, who, "could not be joined", why
            case e.LegEnded(by=by, cause=cause):
                return (
                    Kind.PHONE,
                    who,
                    f"is gone: {_fate(record) or by.value.replace('_', ' ')}",
                    _end(record, cause),
                )

    def _around(self, event: e.Event) -> Said:
        lead, bot = self._row.lead.name or "the lead", f"bot {self._row.bot.name}"
        match event:
            case e.TransferRequested(call=call):
                where = f"lead on {call.lead}, " + (
                    f"bot on {call.bot}" if call.bot else "bot on the same channel"
                )
                return Kind.CALL, bot, f"asks for an agent for {lead}", where
            case e.CancelRequested(follow_up=follow_up):
                return Kind.CALL, bot, "calls it off", "" if follow_up else "no call back wanted"
            case e.HandoffFinished():
                return Kind.CALL, bot, "has introduced them", ""
            case e.LeadHungUp(cause=cause):
                return Kind.BAD, lead, "hangs up", cause
            case e.BotHungUp(cause=cause):
                return Kind.CALL, bot, "has left the call", cause
            case e.LinkLost():
                return Kind.BAD, "callcontrol", "has no link to the switch", "or was started again"
            case e.LinkRestored(survey=survey):
                found = f"{len(survey.alive)} of this transfer's channels are alive"
                return Kind.CALL, "callcontrol", "sees the switch again", found
            case _:
                return Kind.CALL, "callcontrol", type(event).__name__, ""

    # --- what was ordered

    def _ordered(self, commands: Sequence[e.Command]) -> Iterator[Said]:
        for command in commands:
            match command:
                case e.Ring(leg=leg, ring_timeout_s=limit):
                    self._names[leg.id] = leg.label
                    yield Kind.ORDER, leg.label, "is rung", f"{address(leg.endpoint)}, for up to {limit:g} s"
                case e.HangUp(channel=channel, why=why):
                    yield Kind.ORDER, self._name(channel), f"is hung up: {_HANG_UP[why]}", ""
                case e.Brief(channel=channel):
                    yield Kind.ORDER, self._name(channel), "is told the overview, alone", ""
                case e.Join(channel=channel):
                    yield Kind.ORDER, self._name(channel), "is joined to the lead", ""
                case e.TellBot(phase=phase, detail=detail):
                    yield Kind.TOLD, f"bot {self._row.bot.name}", f"is told: {phase.value}", detail
                case e.Finish(outcome=outcome):
                    yield _outcome(outcome)
                case e.Announce():
                    yield Kind.ORDER, "switch", "plays the overview to both", ""
                case e.ReleaseBot():
                    yield Kind.ORDER, f"bot {self._row.bot.name}", "is taken off the call", ""
                case e.ReturnLead(goto=goto):
                    yield Kind.ORDER, "lead", "is given back to the dialplan", goto
                case e.ResolveNextAttempt():
                    pass  # the answer is the next entry

    def _went_straight(self, channel: ChannelId) -> bool:
        """That it was picked up has not been told."""
        leg = self._machine.legs.get(channel)
        return leg is not None and leg.record.joined_at == leg.record.answered_at

    def _accepts_by_answering(self, channel: ChannelId) -> bool:
        record = self.legs.get(channel)
        return record is not None and record.leg.endpoint.accept_by is AcceptBy.ANSWER

    def _name(self, channel: ChannelId) -> str:
        record = self.legs.get(channel)
        return record.leg.label if record else self._names.get(channel, channel)


_STEP = {
    StepKind.ASSIGNED: "the assigned agent",
    StepKind.GROUP: "the group",
    StepKind.FALLBACK: "fallback number",
}

_HANG_UP = {
    e.Why.ANSWERED_ELSEWHERE: "answered elsewhere",
    e.Why.TAKEN: "the lead is taken",
    e.Why.RING_TIMEOUT: "rang for long enough",
    e.Why.UNREACHABLE: "did not even ring",
    e.Why.NO_CONSENT: "nobody accepted",
    e.Why.LEAD_HUNG_UP: "the lead hung up",
    e.Why.CANCELLED: "called off",
    e.Why.JOIN_FAILED: "could not be joined",
    e.Why.CALL_OVER: "the call is over",
}

FATES = {
    LegFate.ANSWERED: "took the lead",
    LegFate.DECLINED: "declined",
    LegFate.BUSY: "busy",
    LegFate.NO_ANSWER: "no answer",
    LegFate.NOT_ACCEPTED: "answered, but nobody accepted",
    LegFate.HUNG_UP: "left before being joined",
    LegFate.UNREACHABLE: "unreachable",
    LegFate.FORWARDED: "forwarded elsewhere",
    LegFate.LOST_RACE: "another was first",
    LegFate.CANCELLED: "cancelled",
    LegFate.LOST: "lost sight of",
}


def address(endpoint: Endpoint) -> str:
    """For people: `extension alice`, `number +1303…, press 1`."""
    asked = ", press 1" if endpoint.accept_by is AcceptBy.KEY else ""
    return f"{endpoint.kind.value} {endpoint.address}{asked}"


def _considered(considered: Considered) -> Said:
    against = [f"{term.term.value}: {term.value}" for term in considered.terms if not term.holds]
    if against:
        return Kind.ROUTING, considered.name, "does not ring", "; ".join(against)
    terms = "; ".join(f"{term.term.value}: {term.value}" for term in considered.terms)
    return Kind.ROUTING, considered.name, "may ring", terms


def _after_ringing(record: LegRecord | None) -> str:
    after = record.answer_delay_s if record else None
    return f"after {after:.1f} s of ringing" if after else ""


def _fate(record: LegRecord | None) -> str:
    return FATES[record.fate] if record and record.fate else ""


def _end(record: LegRecord | None, cause: str) -> str:
    rang = f"rang {record.ring_s:.1f} s" if record and record.ring_s is not None else "never rang"
    return f"{rang}, cause {cause}" if cause else rang


def _outcome(outcome: Outcome) -> Said:
    if isinstance(outcome, Connected):
        return Kind.GOOD, "outcome", f"connected: {outcome.leg.label}", outcome.by.value.replace("_", " ")
    quiet = "" if outcome.follow_up else "no call back wanted"
    return Kind.BAD, "outcome", f"missed: {outcome.because.value.replace('_', ' ')}", quiet
