"""What is known of the channels that matter: the legs rung, the calls watched; and of every channel, with
whom it is bridged. Events in, reports out.

No I/O here.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from callcontrol.adapters.freeswitch import asking
from callcontrol.adapters.freeswitch.causes import ended_by
from callcontrol.adapters.freeswitch.following import Following
from callcontrol.adapters.freeswitch.frames import RINGING, UP, Event, Row
from callcontrol.core import events as e
from callcontrol.core.model import Call, ChannelId, TransferId
from callcontrol.ports import HandoffDone, Report

OURS = (
    *("transfer", "handoff_finished", "agent", "leg_answered", "leg_accepted", "leg_declined", "leg_briefed"),
    *("join_failed", "ping"),
)
EVENTS = " ".join(
    (
        "BACKGROUND_JOB",
        *("CHANNEL_CALLSTATE", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE", "MEDIA_BUG_START", "MEDIA_BUG_STOP"),
        "CHANNEL_HANGUP",
        "CHANNEL_ORIGINATE",  # of calls of others: `following` has it
        "PRESENCE_PROBE",  # of lamps
        "CUSTOM",
        *(f"callcontrol::{name}" for name in OURS),
        *("sofia::register", "sofia::unregister", "sofia::expire"),  # of phones: `lines` has them
    )
)

_LEG_CONTEXT = "callcontrol-leg"
_DOING = {
    "answer": e.Doing.ACCEPTED,
    "accepted": e.Doing.ACCEPTED,
    "key-1": e.Doing.ACCEPTED,
    "brief": e.Doing.ACCEPTED,
    "brief-*": e.Doing.ACCEPTED,
    "join": e.Doing.ACCEPTED,
    "briefed": e.Doing.BRIEFED,
}
_OVERHEARS = ("three_way", "eavesdrop")  # the application, and the function of its media bug


@dataclass(slots=True)
class LegTrack:
    id: ChannelId
    transfer_id: TransferId
    lead: ChannelId
    by_answering: bool = False  # to pick up is to accept
    seen: bool = False  # it has, or had, a channel
    ringing: bool = False
    up: bool = False
    accepted: bool = False
    briefed: bool = False
    joining: bool = False  # it was sent into the lead's call
    overhears: bool = False  # it is the third in the lead's call, which the switch takes for one of two
    joined: bool = False
    running: asyncio.Event = field(default_factory=asyncio.Event)  # our dialplan has it: it can be moved


@dataclass(slots=True)
class CallTrack:
    call: Call
    joined: ChannelId | None = None  # the agent's leg that is with the lead
    was_joined: bool = False  # some agent's leg has been
    connected: bool = False  # from here on it is an agent's call


@dataclass(frozen=True, slots=True)
class Announcement:
    transfer_id: TransferId
    file: str
    agent: ChannelId | None

    def heard_by(self, lead: ChannelId) -> list[ChannelId]:
        return [lead] if self.agent is None else [lead, self.agent]


class Ledger:
    def __init__(
        self, address_of: Callable[[str], str], phone_at: Callable[[ChannelId], str] = lambda _: ""
    ) -> None:
        """`address_of`: the directory's extension for a user of the switch; `phone_at`: for a channel."""
        self._address_of = address_of
        self.following = Following(address_of, phone_at)
        self.legs: dict[ChannelId, LegTrack] = {}
        self.calls: dict[TransferId, CallTrack] = {}
        self.partners: dict[ChannelId, ChannelId] = {}  # who is bridged with whom, both ways
        self.announcing: dict[ChannelId, Announcement] = {}  # by lead
        self._party_of: dict[ChannelId, TransferId] = {}
        self._unjoined: set[ChannelId] = set()  # legs that ring, or wait
        self._last_survey: dict[ChannelId, e.Alive] = {}

    # --- what to look at

    @property
    def tracked(self) -> tuple[ChannelId, ...]:
        return (*self.legs, *self._party_of)

    def in_haste(self) -> bool:
        """Whether somebody waits for what is told next. From any thread."""
        return bool(self._unjoined)

    def watch(self, transfer_id: TransferId, call: Call) -> bool:
        """False where it was watched already."""
        if transfer_id in self.calls:
            return False
        self.calls[transfer_id] = CallTrack(call)
        for party in (call.lead, call.bot):
            if party is not None:
                self._party_of[party] = transfer_id
        return True

    def add_leg(self, leg: LegTrack) -> LegTrack:
        """Safe to repeat. What the last survey found of it is taken over."""
        if leg.id not in self.legs:
            self.legs[leg.id] = leg
            self._unjoined.add(leg.id)
            if (alive := self._last_survey.get(leg.id)) is not None:
                self._seed(leg, alive)
        return self.legs[leg.id]

    def unheard(self) -> list[tuple[ChannelId, Announcement]]:
        """The announcements whose agent is gone, by lead; no longer known from now on."""
        heard = {leg.transfer_id for leg in self.legs.values() if leg.joined}
        gone = [lead for lead, told in self.announcing.items() if told.transfer_id not in heard]
        return [(lead, self.announcing.pop(lead)) for lead in gone]

    def connected(self, channel: ChannelId, *, handoff_over: bool) -> CallTrack | None:
        """The call that this channel is part of, where from now on it is an agent's."""
        leg = self.legs.get(channel)
        transfer_id = leg.transfer_id if leg is not None else self._party_of.get(channel)
        call = None if transfer_id is None else self.calls.get(transfer_id)
        over = handoff_over or (leg is not None and leg.briefed)
        if call is None or call.joined is None or not over:
            return None
        call.connected = True
        return call

    def call_of(self, channel: ChannelId) -> CallTrack | None:
        transfer_id = self._party_of.get(channel)
        return None if transfer_id is None else self.calls.get(transfer_id)

    def never_was(self, channel: ChannelId, cause: str) -> Iterator[Report]:
        """It was never made, or nothing has told of it."""
        if channel in self.legs:
            self.drop(channel)
            yield e.LegEnded(channel=channel, by=ended_by(cause), cause=cause)

    def forget(self, transfer_id: TransferId) -> CallTrack | None:
        call = self.calls.pop(transfer_id, None)
        if call is None:
            return None
        for channel in [key for key, leg in self.legs.items() if leg.transfer_id == transfer_id]:
            self.drop(channel)
        for channel in [key for key, owner in self._party_of.items() if owner == transfer_id]:
            self.drop(channel)
        self.announcing.pop(call.call.lead, None)
        return call

    def drop(self, channel: ChannelId) -> None:
        self.legs.pop(channel, None)
        self._unjoined.discard(channel)
        self._party_of.pop(channel, None)
        self._part(channel)

    # --- a survey

    def survey(self, pbx_started: str, rows: Iterable[Row], pairs: Iterable[Row]) -> e.Survey:
        """Take over what the switch lists, and pass it on."""
        rows = list(rows)
        self.partners = {}
        for pair in pairs:
            self._pair(ChannelId(pair.get("uuid", "")), ChannelId(pair.get("b_uuid", "")))
        mates = {one: {other} for one, other in self.partners.items()}
        for row in rows:
            if row.get("application") in _OVERHEARS and (lead := ChannelId(row.get("application_data", ""))):
                mates.setdefault(lead, set()).add(ChannelId(row.get("uuid", "")))
                mates.setdefault(ChannelId(row.get("uuid", "")), set()).add(lead)
        self._last_survey = {}
        for row in rows:
            channel = ChannelId(row.get("uuid", ""))
            together = frozenset(mates.get(channel, ()))
            self._last_survey[channel] = e.Alive(doing=doing(row), bridged_with=together)
        for channel, leg in list(self.legs.items()):
            if channel in self._last_survey:
                self._seed(leg, self._last_survey[channel])
            else:
                self.drop(channel)
        return e.Survey(pbx_started=pbx_started, alive=dict(self._last_survey))

    def _seed(self, leg: LegTrack, alive: e.Alive) -> None:
        leg.seen = True
        if alive.doing is not e.Doing.RINGING:
            leg.up = True
            leg.running.set()
        leg.accepted = leg.accepted or alive.doing in (e.Doing.ACCEPTED, e.Doing.BRIEFED)
        leg.briefed = leg.briefed or alive.doing is e.Doing.BRIEFED
        leg.overhears = leg.lead in alive.bridged_with and self.partners.get(leg.id) != leg.lead
        if leg.lead in alive.bridged_with:
            self._mark_joined(leg)

    def others(self, rows: Sequence[Row], gone: Collection[str], now_s: float) -> Iterator[Report]:
        """Calls of others among the channels listed, where they are to be followed."""
        return self.following.survey(rows, gone, now_s, self._is_ours)

    def _is_ours(self, channel: ChannelId) -> bool:
        return channel in self.legs

    # --- events

    def apply(self, event: Event) -> Iterable[Report]:
        return (*self._of_ours(event), *self.following.apply(event, self._is_ours))

    def _of_ours(self, event: Event) -> Iterable[Report]:
        channel = ChannelId(event.get("Unique-ID", ""))
        match event.get("Event-Name"):
            case "CHANNEL_CALLSTATE":
                return self._call_state(event, channel)
            case "CHANNEL_HANGUP":  # CALLSTATE tells of a bot before the lead whose end took it along
                return self._hung_up(event, channel)
            case "CHANNEL_BRIDGE":
                return self._bridged(*_ends(event))
            case "CHANNEL_UNBRIDGE":
                for end in _ends(event):
                    self._part(end)
            case "MEDIA_BUG_START" | "MEDIA_BUG_STOP":
                return self._bug(event, channel)
            case "BACKGROUND_JOB":
                return self._job(event)
            case "CUSTOM":
                return self._custom(event, channel)
        return ()

    def _call_state(self, event: Event, channel: ChannelId) -> Iterable[Report]:
        state = event.get("Channel-Call-State")
        if state == "HANGUP":
            return self._hung_up(event, channel)
        if (leg := self.legs.get(channel)) is None:
            return ()
        leg.seen = True
        if leg.up:
            return ()
        if state in RINGING and not leg.ringing:
            leg.ringing = True
            return (e.LegRinging(channel=channel),)
        leg.up = state in UP
        if leg.up and leg.by_answering:  # told a moment before our dialplan runs: time to journal it
            return _accepted_by_answering(leg)
        return ()

    def _hung_up(self, event: Event, channel: ChannelId) -> Iterable[Report]:
        cause = event.get("Hangup-Cause", "")
        leg, transfer_id = self.legs.get(channel), self._party_of.get(channel)
        self.drop(channel)
        if leg is not None:
            if (call := self.calls.get(leg.transfer_id)) is not None and call.joined == channel:
                call.joined = None
            by = e.EndedBy.NORMAL if leg.up else ended_by(cause)
            return (e.LegEnded(channel=channel, by=by, cause=cause),)
        if transfer_id is not None and (call := self.calls.get(transfer_id)) is not None:
            party = e.LeadHungUp if channel == call.call.lead else e.BotHungUp
            return (party(channel=channel, cause=cause),)
        return ()

    def _bridged(self, one: ChannelId, other: ChannelId) -> Iterator[Report]:
        self._pair(one, other)
        for leg in (self.legs.get(one), self.legs.get(other)):
            if leg is not None and not leg.joined and self.together(leg):
                self._mark_joined(leg)
                yield e.Joined(channel=leg.id)

    def _bug(self, event: Event, lead: ChannelId) -> Iterator[Report]:
        """An agent's leg has come into the lead's call, or left it; or what was played to both has ended."""
        started = event.get("Event-Name") == "MEDIA_BUG_START"
        function = event.get("Media-Bug-Function")
        if function == "displace" and not started and (told := self.announcing.get(lead)) is not None:
            if told.file == event.get("Media-Bug-Target"):
                del self.announcing[lead]
                yield HandoffDone(channel=lead)
        elif function == "eavesdrop" and (call := self.call_of(lead)) is not None and call.call.lead == lead:
            legs = [leg for leg in self.legs.values() if leg.lead == lead and leg.joining]
            for leg in [leg for leg in legs if leg.overhears is not started][
                :1
            ]:  # whose it is, it does not tell
                leg.overhears, leg.joining = started, started
                if started and not leg.joined:
                    self._mark_joined(leg)
                    yield e.Joined(channel=leg.id)

    def together(self, leg: LegTrack) -> bool:
        return leg.overhears or self.partners.get(leg.id) == leg.lead

    def _mark_joined(self, leg: LegTrack) -> None:
        leg.joined = True
        leg.running.set()
        self._unjoined.discard(leg.id)
        if (call := self.calls.get(leg.transfer_id)) is not None:
            call.joined, call.was_joined = leg.id, True

    def _pair(self, one: ChannelId, other: ChannelId) -> None:
        if one and other:
            self._part(one)
            self._part(other)
            self.partners[one], self.partners[other] = other, one

    def _part(self, channel: ChannelId) -> None:
        other = self.partners.pop(channel, None)
        if other is not None and self.partners.get(other) == channel:
            del self.partners[other]

    def _job(self, event: Event) -> Iterable[Report]:
        """The end of an originate: its Job-UUID is the leg's id. Where it had a channel, its hangup says more."""
        channel, said = ChannelId(event.get("Job-UUID", "")), event.get("_body", "").split()
        leg = self.legs.get(channel)
        if leg is None or leg.seen or said[:1] != ["-ERR"]:
            return ()
        return self.never_was(channel, " ".join(said[1:]))

    def _custom(self, event: Event, channel: ChannelId) -> Iterator[Report]:
        name = event.get("Event-Subclass", "").removeprefix("callcontrol::")
        if name == "transfer":
            yield asking.transfer(event, channel)
        elif name == "agent":
            yield from asking.agents_wish(event, channel, self._address_of)
        elif name == "handoff_finished":
            yield HandoffDone(channel=channel)
        elif name == "join_failed":
            leg = self.legs.get(ChannelId(event.get("Leg", "")))
            if leg is not None and not leg.joined:  # else it only says that it has left
                leg.joining = False
                leg.running.set()
                yield e.JoinFailed(channel=leg.id, why=event.get("Why", ""))
        elif (leg := self.legs.get(channel)) is not None:
            yield from _leg_says(leg, name, event)


def _ends(event: Event) -> tuple[ChannelId, ChannelId]:
    return ChannelId(event.get("Bridge-A-Unique-ID", "")), ChannelId(event.get("Bridge-B-Unique-ID", ""))


def _leg_says(leg: LegTrack, name: str, event: Event) -> Iterator[Report]:
    match name:
        case "leg_answered":
            leg.seen = leg.up = True
            leg.running.set()
            if event.get("Accepted") != "1":
                yield e.LegAnswered(channel=leg.id)
            elif not leg.accepted:
                yield from _accepted_by_answering(leg)
        case "leg_accepted":
            leg.accepted = True
            yield e.LegAccepted(channel=leg.id)
        case "leg_declined":
            yield e.LegDeclined(channel=leg.id)
        case "leg_briefed":
            leg.briefed = True
            yield e.LegBriefed(channel=leg.id)


def _accepted_by_answering(leg: LegTrack) -> Iterable[Report]:
    leg.accepted = True
    return (e.LegAnswered(channel=leg.id), e.LegAccepted(channel=leg.id))


def doing(row: Row) -> e.Doing:
    """What a listed channel is doing, from its state and its place in our dialplan."""
    if row.get("callstate") not in UP:
        return e.Doing.RINGING
    if row.get("context") != _LEG_CONTEXT:
        return e.Doing.ANSWERED
    return _DOING.get(row.get("dest", ""), e.Doing.ANSWERED)
