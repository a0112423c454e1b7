"""What is known of the channels that matter: the legs rung, the calls watched. AMI frames in, reports out.

No I/O here.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from callcontrol.adapters.asterisk.causes import NO_CHANNEL, cause_text, ended_by
from callcontrol.adapters.asterisk.following import Following
from callcontrol.adapters.asterisk.frames import Frame
from callcontrol.adapters.asterisk.places import Places
from callcontrol.adapters.dialplan import agents_wish
from callcontrol.core import events as e
from callcontrol.core.model import Call, ChannelId, TransferId
from callcontrol.ports import HandoffDone, Report, TransferAsked

EVENTS = (
    *("Newstate", "Rename", "DialBegin", "DialEnd", "Hangup", "BridgeEnter", "BridgeLeave"),
    *("UserEvent", "OriginateResponse"),
    "DeviceStateChange",  # of phones, not channels: `lines` has them
)

_RINGING, _UP = "5", "6"  # ChannelState
_LEG_CONTEXT = "callcontrol-leg"
_DOING = {
    "accepted": e.Doing.ACCEPTED,
    "brief": e.Doing.ACCEPTED,
    "join": e.Doing.ACCEPTED,
    "briefed": e.Doing.BRIEFED,
}


@dataclass(slots=True)
class LegTrack:
    id: ChannelId
    transfer_id: TransferId
    lead: ChannelId
    dialled: str = ""
    told_lead: str = ""  # the lead's channel, as the leg was given it
    by_answering: bool = False  # to pick up is to accept
    straight: bool = False  # goes to the lead by itself, or says that it waits
    up: bool = False
    forwarded: bool = False  # the phone answered 302, whatever cause its channel then ends with
    accepted: bool = False
    briefed: bool = False
    joined: bool = False
    running: asyncio.Event = field(default_factory=asyncio.Event)  # our dialplan has it: it can be moved


@dataclass(slots=True)
class CallTrack:
    call: Call
    joined: ChannelId | None = None  # the agent's leg that is with the lead
    was_joined: bool = False  # some agent's leg has been


class Ledger:
    def __init__(self, address_of: Callable[[str], str]) -> None:
        """`address_of`: the directory's extension for a phone of the switch."""
        self._address_of = address_of
        self.following = Following(address_of)
        self.legs: dict[ChannelId, LegTrack] = {}
        self.calls: dict[TransferId, CallTrack] = {}
        self.places = Places()
        self._party_of: dict[ChannelId, TransferId] = {}
        self._announcing: dict[ChannelId, tuple[TransferId, ChannelId]] = {}  # -> its transfer, the lead
        self._last_survey: dict[ChannelId, e.Alive] = {}

    # --- what to look at

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
            if (alive := self._last_survey.get(leg.id)) is not None:
                self._seed(leg, alive)
        return self.legs[leg.id]

    def announce(self, transfer_id: TransferId, lead: ChannelId, channel: ChannelId) -> None:
        self._announcing[channel] = (transfer_id, lead)

    def silence(self, channel: ChannelId) -> None:
        """Its end will not be reported."""
        self._announcing.pop(channel, None)

    def unheard(self) -> list[ChannelId]:
        """The announcements whose agent is gone."""
        heard = {leg.transfer_id for leg in self.legs.values() if leg.joined}
        return [channel for channel, (owner, _) in self._announcing.items() if owner not in heard]

    def connected(self, channel: ChannelId, *, handoff_over: bool) -> ChannelId | None:
        """The lead of the call that this channel is part of, when from now on it is an agent's call."""
        leg = self.legs.get(channel)
        transfer_id = leg.transfer_id if leg is not None else self._party_of.get(channel)
        call = None if transfer_id is None else self.calls.get(transfer_id)
        over = handoff_over or (leg is not None and leg.briefed)
        if call is None or call.joined is None or not over:
            return None
        return call.call.lead

    def never_was(self, channel: ChannelId) -> Iterator[Report]:
        """Its Originate has failed, and no Hangup has told of a channel."""
        if (announced := self._announcing.pop(channel, None)) is not None:
            yield HandoffDone(channel=announced[1])
        if channel in self.legs:
            self.drop(channel)
            yield e.LegEnded(channel=channel, by=e.EndedBy.UNREACHABLE, cause=NO_CHANNEL)

    def forget(self, transfer_id: TransferId) -> CallTrack | None:
        call = self.calls.pop(transfer_id, None)
        if call is None:
            return None
        for channel in [key for key, leg in self.legs.items() if leg.transfer_id == transfer_id]:
            self.drop(channel)
        for channel in [key for key, owner in self._party_of.items() if owner == transfer_id]:
            self.drop(channel)
        return call

    def drop(self, channel: ChannelId) -> None:
        self.legs.pop(channel, None)
        self._party_of.pop(channel, None)

    # --- a survey

    def survey(self, pbx_started: str, rows: Sequence[Frame]) -> e.Survey:
        """Take over what CoreShowChannels lists, and pass it on."""
        members: dict[str, set[ChannelId]] = {}
        for row in rows:
            members.setdefault(row.get("BridgeId", ""), set()).add(ChannelId(row.get("Uniqueid", "")))
        self._last_survey = {}
        for row in rows:
            channel, bridge = ChannelId(row.get("Uniqueid", "")), row.get("BridgeId", "")
            mates = frozenset(members[bridge] - {channel}) if bridge else frozenset[ChannelId]()
            self._last_survey[channel] = e.Alive(doing=doing(row), bridged_with=mates)
        self.places.begin(rows)
        for channel, leg in list(self.legs.items()):
            if channel in self._last_survey:
                self._seed(leg, self._last_survey[channel])
            else:
                del self.legs[channel]
        return e.Survey(pbx_started=pbx_started, alive=dict(self._last_survey))

    def _seed(self, leg: LegTrack, alive: e.Alive) -> None:
        if alive.doing is not e.Doing.RINGING:
            leg.up = True
            leg.running.set()
        leg.accepted = leg.accepted or alive.doing in (e.Doing.ACCEPTED, e.Doing.BRIEFED)
        leg.briefed = leg.briefed or alive.doing is e.Doing.BRIEFED
        if leg.lead in alive.bridged_with:
            self._mark_joined(leg)

    def others(self, rows: Sequence[Frame]) -> Iterator[Report]:
        """Calls of others among what CoreShowChannels lists, where they are to be followed."""
        return self.following.survey(rows, self._is_ours)

    def _is_ours(self, channel: ChannelId) -> bool:
        return channel in self.legs

    # --- events

    def apply(self, frame: Frame) -> Iterable[Report]:
        event, channel = frame.get("Event"), ChannelId(frame.get("Uniqueid", ""))
        if event == "UserEvent":
            return self._user_event(frame, channel)
        if event == "Hangup":
            return (*self._hangup(frame, channel), *self.following.apply(frame, self._is_ours))
        if event == "DialBegin":
            return self.following.apply(frame, self._is_ours)
        if event == "DialEnd":
            leg = self.legs.get(ChannelId(frame.get("DestUniqueid", "")))
            if leg is not None and frame.get("Forward"):
                leg.forwarded = True
            return self.following.apply(frame, self._is_ours)
        match event:
            case "Newstate":
                self.places.seen(channel, frame.get("Channel", ""))
                return self._newstate(frame, channel)
            case "BridgeEnter":
                self.places.seen(channel, frame.get("Channel", ""))
                self.places.entered(channel, frame.get("BridgeUniqueid", ""))
                return self._meet(channel)
            case "BridgeLeave":
                self.places.seen(channel, frame.get("Channel", ""))
                self.places.left(channel)
            case "Rename":
                self.places.seen(channel, frame.get("Newname", ""))
        return ()

    def _newstate(self, frame: Frame, channel: ChannelId) -> Iterator[Report]:
        leg = self.legs.get(channel)
        if leg is None or leg.up:
            return
        leg.up = frame.get("ChannelState") == _UP
        if frame.get("ChannelState") == _RINGING:
            yield e.LegRinging(channel=channel)
        elif leg.up and leg.by_answering and not leg.straight:
            # told a millisecond before our dialplan runs: time to journal it
            yield from _accepted_by_answering(leg)

    def _hangup(self, frame: Frame, channel: ChannelId) -> Iterator[Report]:
        cause = cause_text(frame.get("Cause", ""), frame.get("Cause-txt", ""))
        if (announced := self._announcing.pop(channel, None)) is not None:
            self.places.gone(channel)
            yield HandoffDone(channel=announced[1])
            return
        leg, transfer_id = self.legs.get(channel), self._party_of.get(channel)
        self.drop(channel)
        self.places.gone(channel)
        if leg is not None:
            if (call := self.calls.get(leg.transfer_id)) is not None and call.joined == channel:
                call.joined = None
            yield e.LegEnded(channel=channel, by=_by(leg, frame.get("Cause", "")), cause=cause)
        elif transfer_id is not None and (call := self.calls.get(transfer_id)) is not None:
            party = e.LeadHungUp if channel == call.call.lead else e.BotHungUp
            yield party(channel=channel, cause=cause)

    def _meet(self, channel: ChannelId) -> Iterator[Report]:
        """Whoever came, lead or agent: they have met when both are in one bridge."""
        transfer_id = self._party_of.get(channel)
        legs = (
            [leg for leg in self.legs.values() if leg.transfer_id == transfer_id]
            if transfer_id is not None
            else [self.legs[channel]]
            if channel in self.legs
            else []
        )
        for leg in legs:
            if not leg.joined and self.together(leg):
                self._mark_joined(leg)
                yield e.Joined(channel=leg.id)

    def together(self, leg: LegTrack) -> bool:
        return self.places.together(leg.id, leg.lead)

    def _mark_joined(self, leg: LegTrack) -> None:
        leg.joined = True
        leg.running.set()
        if (call := self.calls.get(leg.transfer_id)) is not None:
            call.joined, call.was_joined = leg.id, True

    def _user_event(self, frame: Frame, channel: ChannelId) -> Iterator[Report]:
        name = frame.get("UserEvent", "")
        if name == "CallcontrolTransfer":
            self.places.seen(channel, frame.get("Channel", "")).alone = True
            yield _asked(frame, channel)
        elif name == "CallcontrolAgent":
            self.places.seen(channel, frame.get("Channel", ""))
            yield from self._agent_asked(frame, channel)
        elif name == "CallcontrolHandoffFinished":
            yield HandoffDone(channel=channel)
        elif name == "CallcontrolJoinFailed":
            if (leg := self.legs.get(ChannelId(frame.get("Leg", "")))) is not None:
                yield e.JoinFailed(channel=leg.id, why=frame.get("Why", ""))
        elif (leg := self.legs.get(channel)) is not None:
            yield from _leg_says(leg, name, frame)

    def _agent_asked(self, frame: Frame, channel: ChannelId) -> Iterator[Report]:
        technology = frame.get("Channel", "").partition("/")[0]
        address = self._address_of(f"{technology}/{frame.get('Address', '')}")
        return agents_wish(channel, address, frame.get("Wish", ""), frame.get("Minutes", ""))


def _by(leg: LegTrack, cause: str) -> e.EndedBy:
    if leg.up:
        return e.EndedBy.NORMAL
    if leg.forwarded:
        return e.EndedBy.FORWARDED
    return ended_by(int(cause) if cause.isdecimal() else -1)


def _leg_says(leg: LegTrack, name: str, frame: Frame) -> Iterator[Report]:
    match name:
        case "CallcontrolLegAnswered":
            leg.up = True
            leg.running.set()
            if frame.get("Accepted") != "1":
                yield e.LegAnswered(channel=leg.id)
            elif not leg.accepted:
                yield from _accepted_by_answering(leg)
        case "CallcontrolLegAccepted":
            leg.accepted = True
            yield e.LegAccepted(channel=leg.id)
        case "CallcontrolLegDeclined":
            yield e.LegDeclined(channel=leg.id)
        case "CallcontrolLegBriefed":
            leg.briefed = True
            yield e.LegBriefed(channel=leg.id)


def _accepted_by_answering(leg: LegTrack) -> Iterator[Report]:
    leg.accepted = True
    yield e.LegAnswered(channel=leg.id)
    yield e.LegAccepted(channel=leg.id)


def _asked(frame: Frame, channel: ChannelId) -> TransferAsked:
    """The values are the dialplan's variables, which may hold anything: URI-encoded, a colon as character 1."""

    def given(key: str) -> str:
        return unquote(frame.get(key, "")).replace("\x01", ":").strip()

    fields = ("Name", "Phone", "Email", "Source")
    return TransferAsked(
        channel=channel,
        lead_id=given("Lead"),
        bot_id=given("Bot"),
        summary=given("Summary"),
        key=given("Key"),
        lead={field.lower(): value for field in fields if (value := given(f"Lead{field}"))},
    )


def doing(row: Frame) -> e.Doing:
    """What a listed channel is doing, from its state and its place in our dialplan."""
    if row.get("ChannelState") != _UP:
        return e.Doing.RINGING
    if row.get("Context") != _LEG_CONTEXT:
        return e.Doing.ANSWERED
    return _DOING.get(row.get("Exten", ""), e.Doing.ANSWERED)
