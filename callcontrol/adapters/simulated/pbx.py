"""The simulated switch. Phones behave as they are told, by the address of their endpoint."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from callcontrol.core import events as e
from callcontrol.core.callback import CallAnswered, CallBegan, CallEnded, Party
from callcontrol.core.model import (
    AcceptBy,
    Agent,
    AgentId,
    AgentState,
    BotId,
    Call,
    ChannelId,
    Endpoint,
    Leg,
    LineState,
    TransferId,
)
from callcontrol.ports import (
    AgentAsked,
    AgentWish,
    ChannelUnknownError,
    Clock,
    Finding,
    HandoffDone,
    LinkDown,
    LinkUp,
    PortError,
    Report,
    RingOrder,
)

RINGING_AFTER_S = 0.01
HANGUP_TAKES_S = 0.005
SOUND_LASTS_S = 5.0
LEAD = "lead-"  # how the id of a lead begins


class Does(StrEnum):
    RINGS = "rings"  # until it is hung up or the ring timeout of the switch
    ANSWERS = "answers"
    REFUSES = "refuses"
    BUSY = "busy"
    UNREGISTERED = "unregistered"
    FORWARDS = "forwards"
    DEAD = "dead"  # not even ringing


@dataclass(frozen=True, kw_only=True, slots=True)
class Behaviour:
    """What a phone does. `after_s` counts from when it is rung; `presses_after_s` from the answer."""

    does: Does = Does.RINGS
    after_s: float = 1.0
    presses_after_s: float | None = None  # none: nobody presses a key, as with a voicemail
    hangs_up_after_s: float | None = None  # from the answer


@dataclass(slots=True)
class Channel:
    id: ChannelId
    leg: Leg | None = None  # none: a lead or a bot
    up: bool = True
    accepted: bool = False
    briefed: bool = False
    bridge: int | None = None
    straight_to: ChannelId | None = None  # the lead it goes to when it is answered, unless another leg has


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """One verb the switch was given, for tests to look at."""

    verb: str
    channel: ChannelId
    detail: str = ""


_ENDED_BY = {
    Does.REFUSES: (e.EndedBy.DECLINED, "21 Call Rejected"),
    Does.BUSY: (e.EndedBy.BUSY, "17 User busy"),
    Does.UNREGISTERED: (e.EndedBy.UNREACHABLE, "0 no channel"),
    Does.FORWARDS: (e.EndedBy.FORWARDED, "23 Redirected"),
}


@dataclass(slots=True)
class SimulatedPbx:
    """Implements `ports.Pbx`. `call` puts a lead and a bot on the line; tests move them by hand."""

    clock: Clock
    phones: dict[str, Behaviour] = field(default_factory=dict)
    lines: dict[str, LineState] = field(
        default_factory=dict
    )  # by address; an extension not in it is not in use
    lamps: dict[AgentId, AgentState] = field(default_factory=dict)
    told: dict[ChannelId, AgentState] = field(default_factory=dict)  # what phones that dialled a code heard
    messages: list[tuple[str, str]] = field(default_factory=list)  # to which phone, and what
    channels: dict[ChannelId, Channel] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    started: str = "first start"
    up: bool = True
    _report: Callable[[Report], None] | None = None
    _wanted: Callable[[str], bool] = lambda _number: False
    _calls: dict[ChannelId, CallBegan] = field(default_factory=dict)  # of others, by the channel that dials
    _watched: dict[ChannelId, TransferId] = field(default_factory=dict)  # leads and bots
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    # --- what happens outside callcontrol

    def call(self, *, bot_leg: bool = True) -> Call:
        """A lead and its bot, talking."""
        bridge = next(self._ids)
        lead = Channel(id=ChannelId(f"{LEAD}{bridge:08d}"), bridge=bridge if bot_leg else None)
        self.channels[lead.id] = lead
        bot = None
        if bot_leg:
            bot = Channel(id=ChannelId(f"bot-{bridge:09d}"), bridge=bridge)
            self.channels[bot.id] = bot
        return Call(lead=lead.id, bot=bot.id if bot else None, pbx_started=self.started)

    def hangs_up(self, channel: ChannelId) -> None:
        """Whoever is on that channel leaves."""
        self._end(channel, e.EndedBy.NORMAL, "16 Normal Clearing")

    def declines(self, channel: ChannelId) -> None:
        """Somebody presses 2."""
        self._leg(channel, e.LegDeclined(channel=channel))
        self.hangs_up(channel)

    def dials(self, address: str, wish: AgentWish, minutes: int = 0) -> ChannelId:
        """An agent dials a feature code."""
        phone = Channel(id=ChannelId(f"phone-{next(self._ids):07d}"))
        self.channels[phone.id] = phone
        self._tell(AgentAsked(channel=phone.id, address=address, wish=wish, minutes=minutes))
        return phone.id

    def calls_somebody(self, caller: Party, called: Party) -> CallBegan:
        """Somebody dials somebody, and that is none of callcontrol's doing; it rings."""
        number = next(self._ids)
        call, leg = ChannelId(f"caller-{number:06d}"), ChannelId(f"called-{number:06d}")
        for channel in (call, leg):
            self.channels[channel] = Channel(id=channel, up=channel == call)
        self._calls[call] = began = CallBegan(call=call, leg=leg, caller=caller, called=called)
        if self._is_wanted(began):
            self._tell(began)
        return began

    def picks_up(self, call: ChannelId) -> None:
        began, bridge = self._calls[call], next(self._ids)
        for channel in (began.call, began.leg):
            self.channels[channel].up, self.channels[channel].bridge = True, bridge
        if self._is_wanted(began):
            self._tell(CallAnswered(call=call, leg=began.leg))

    def is_over(self, call: ChannelId, cause: str = "") -> None:
        began = self._calls.pop(call)
        for channel in (began.call, began.leg):
            self.channels.pop(channel, None)
        if self._is_wanted(began):
            self._tell(CallEnded(call=call, cause=cause))

    def _is_wanted(self, began: CallBegan) -> bool:
        return any(self._wanted(party.number) for party in (began.caller, began.called))

    def loses_link(self) -> None:
        self.up = False
        self._tell(LinkDown(why="cut"), even_down=True)

    def regains_link(self) -> None:
        self.up = True
        self._tell(LinkUp(survey=self.survey()))
        self._tell_calls()

    def restarts(self) -> None:
        """All calls are gone, and the link is lost until `regains_link`."""
        self.loses_link()
        self.channels.clear()
        self._calls.clear()
        self.started += "'"

    def talking(self, channel: ChannelId) -> frozenset[ChannelId]:
        """Who is in one bridge with the channel."""
        mine = self.channels.get(channel)
        if mine is None or mine.bridge is None:
            return frozenset()
        return frozenset(c.id for c in self.channels.values() if c.bridge == mine.bridge and c is not mine)

    def survey(self) -> e.Survey:
        alive = {
            c.id: e.Alive(doing=_doing(c), bridged_with=self.talking(c.id)) for c in self.channels.values()
        }
        return e.Survey(pbx_started=self.started, alive=alive)

    # --- the port

    async def run(self, report: Callable[[Report], None]) -> None:
        self._report = report
        if self.up:
            self._tell(LinkUp(survey=self.survey()))
            self._tell_calls()
        while True:
            await self.clock.sleep(3600)

    @property
    def linked(self) -> bool:
        return self.up

    async def locate(self, channel: str) -> Call:
        self._need_link()
        found = self.channels.get(ChannelId(channel))
        if found is None:
            raise ChannelUnknownError(channel)
        others = sorted(self.talking(found.id))
        return Call(lead=found.id, bot=others[0] if len(others) == 1 else None, pbx_started=self.started)

    def watch(self, transfer_id: TransferId, call: Call) -> None:
        self._watched[call.lead] = transfer_id
        if call.bot is not None:
            self._watched[call.bot] = transfer_id

    def watch_leg(self, transfer_id: TransferId, call: Call, leg: Leg) -> None:
        pass  # legs are reported anyway

    def forget(self, transfer_id: TransferId) -> None:
        self._watched = {key: owner for key, owner in self._watched.items() if owner != transfer_id}

    async def ring(self, order: RingOrder) -> None:
        self._note("ring", order.leg.id, order.leg.endpoint.address)
        leg = order.leg
        phone = self.phones.get(leg.endpoint.address, Behaviour())
        straight_to = order.lead if order.straight else None
        self.channels[leg.id] = Channel(id=leg.id, leg=leg, up=False, straight_to=straight_to)
        if phone.does in _ENDED_BY:
            by, cause = _ENDED_BY[phone.does]
            after = 0.0 if phone.does is Does.UNREGISTERED else phone.after_s
            self.clock.call_later(after, lambda: self._end(leg.id, by, cause))
            return
        if phone.does is not Does.DEAD:
            self.clock.call_later(RINGING_AFTER_S, lambda: self._leg(leg.id, e.LegRinging(channel=leg.id)))
        if phone.does is Does.ANSWERS:
            self.clock.call_later(phone.after_s, lambda: self._answers(leg.id, phone))
        limit = order.ring_timeout_s + 2.0
        self.clock.call_later(limit, lambda: self._rung_out(leg.id))

    async def hang_up(self, channel: ChannelId, why: e.Why, *, answered: bool) -> None:
        self._note("hang_up", channel, why.value)
        self.clock.call_later(HANGUP_TAKES_S, lambda: self._end(channel, e.EndedBy.NORMAL, "26"))

    async def brief(self, channel: ChannelId, sound: Path) -> None:
        self._note("brief", channel, str(sound))
        self.clock.call_later(SOUND_LASTS_S, lambda: self._briefed(channel))

    async def join(self, lead: ChannelId, channel: ChannelId) -> None:
        self._note("join", channel, lead)
        if lead not in self.channels or channel not in self.channels:
            raise PortError("no such channel", retryable=False)
        self.clock.call_later(0.004, lambda: self._joined(lead, channel))

    async def announce(self, transfer_id: TransferId, lead: ChannelId, sounds: Sequence[Path]) -> None:
        self._note("announce", lead, ", ".join(map(str, sounds)))
        self.clock.call_later(SOUND_LASTS_S, lambda: self._tell(HandoffDone(channel=lead)))

    async def release_bot(self, channel: ChannelId) -> None:
        self._note("release_bot", channel)
        self.clock.call_later(HANGUP_TAKES_S, lambda: self.hangs_up(channel))

    async def return_lead(self, lead: ChannelId, goto: str) -> None:
        self._note("return_lead", lead, goto)

    async def acknowledge(self, channel: ChannelId, transfer_id: TransferId | None, why: str) -> None:
        self._note("acknowledge", channel, transfer_id or why)

    async def publish_fallbacks(self, bot_id: BotId, endpoints: Sequence[Endpoint]) -> None:
        self._need_link()

    def line(self, endpoint: Endpoint) -> LineState:
        unlisted = LineState.UNKNOWN if endpoint.external else LineState.NOT_IN_USE
        return self.lines.get(endpoint.address, unlisted)

    async def show(self, agent_id: AgentId, state: AgentState) -> None:
        self._need_link()
        self.lamps[agent_id] = state

    async def answer_agent(self, channel: ChannelId, state: AgentState) -> None:
        self._need_link()
        if self.channels.pop(channel, None) is None:
            raise ChannelUnknownError(channel)
        self.told[channel] = state

    async def follow(self, wanted: Callable[[str], bool]) -> None:
        self._wanted = wanted
        self._tell_calls()

    async def message(self, endpoint: Endpoint, body: str) -> None:
        self._need_link()
        self.messages.append((endpoint.address, body))

    async def check(self, agents: Sequence[Agent]) -> Sequence[Finding]:
        return [Finding(subject="simulated switch", ok=True, detail="no calls leave this process")]

    # --- inside

    def _answers(self, channel: ChannelId, phone: Behaviour) -> None:
        found = self.channels.get(channel)
        if found is None or found.leg is None:
            return
        found.up = True
        found.accepted = found.leg.endpoint.accept_by is AcceptBy.ANSWER
        if found.straight_to is not None and self._is_free(found.straight_to):
            self._joined(found.straight_to, channel)
        else:
            self._tell(e.LegAnswered(channel=channel))
        if phone.presses_after_s is not None and not found.accepted:
            self.clock.call_later(phone.presses_after_s, lambda: self._presses(channel))
        if phone.hangs_up_after_s is not None:
            self.clock.call_later(phone.hangs_up_after_s, lambda: self.hangs_up(channel))

    def _is_free(self, lead: ChannelId) -> bool:
        """In a bridge, with no leg of ours in it."""
        mates = self.talking(lead)
        return bool(mates) and all(self.channels[mate].leg is None for mate in mates)

    def _presses(self, channel: ChannelId) -> None:
        if (found := self.channels.get(channel)) is not None:
            found.accepted = True
            self._tell(e.LegAccepted(channel=channel))

    def _briefed(self, channel: ChannelId) -> None:
        if (found := self.channels.get(channel)) is not None:
            found.briefed = True
            self._tell(e.LegBriefed(channel=channel))

    def _joined(self, lead: ChannelId, channel: ChannelId) -> None:
        ours, theirs = self.channels.get(channel), self.channels.get(lead)
        if ours is None or theirs is None:
            return
        if theirs.bridge is None:
            theirs.bridge = next(self._ids)
        ours.bridge = theirs.bridge
        self._tell(e.Joined(channel=channel))

    def _rung_out(self, channel: ChannelId) -> None:
        found = self.channels.get(channel)
        if found is not None and not found.up:
            self._end(channel, e.EndedBy.NO_ANSWER, "19 No Answer")

    def _tell_calls(self) -> None:
        """Those that are up."""
        for began in filter(self._is_wanted, self._calls.values()):
            self._tell(began)
            if self.channels[began.leg].up:
                self._tell(CallAnswered(call=began.call, leg=began.leg))

    def _leg(self, channel: ChannelId, event: e.LegEvent) -> None:
        if channel in self.channels:
            self._tell(event)

    def _end(self, channel: ChannelId, by: e.EndedBy, cause: str) -> None:
        found = self.channels.pop(channel, None)
        if found is None:
            return
        if found.leg is not None:
            self._tell(e.LegEnded(channel=channel, by=by, cause=cause))
        elif channel in self._watched:
            party = e.LeadHungUp if channel.startswith(LEAD) else e.BotHungUp
            self._tell(party(channel=channel, cause=cause))

    def _tell(self, report: Report, *, even_down: bool = False) -> None:
        if self._report is not None and (self.up or even_down):
            self._report(report)

    def _note(self, verb: str, channel: ChannelId, detail: str = "") -> None:
        self._need_link()
        self.orders.append(Order(verb=verb, channel=channel, detail=detail))

    def _need_link(self) -> None:
        if not self.up:
            raise PortError("no link to the simulated switch", retryable=True)


def _doing(channel: Channel) -> e.Doing:
    if channel.leg is None or not channel.up:
        return e.Doing.RINGING if channel.leg is not None else e.Doing.ACCEPTED
    if channel.briefed:
        return e.Doing.BRIEFED
    return e.Doing.ACCEPTED if channel.accepted else e.Doing.ANSWERED
