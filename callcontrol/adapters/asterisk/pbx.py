"""`ports.Pbx` over AMI. Verbs order; the ledger turns what the switch then says into reports.

Sound and the deadlines of waiting channels are the dialplan's; dialplan/README.md is the contract.
"""

import asyncio
import contextlib
import re
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import structlog

from callcontrol.adapters import dialplan
from callcontrol.adapters.asterisk import checks, messages, originates
from callcontrol.adapters.asterisk.causes import ANSWERED_ELSEWHERE, NORMAL_CLEARING
from callcontrol.adapters.asterisk.channels import Channels
from callcontrol.adapters.asterisk.dialstrings import dial_string
from callcontrol.adapters.asterisk.frames import Frame
from callcontrol.adapters.asterisk.lamps import Lamps
from callcontrol.adapters.asterisk.ledger import CallTrack, Ledger, LegTrack
from callcontrol.adapters.asterisk.lines import Lines
from callcontrol.adapters.asterisk.link import Reply
from callcontrol.adapters.asterisk.session import Supervisor
from callcontrol.adapters.asterisk.settings import AsteriskSettings
from callcontrol.adapters.orders import Errands, RefusedError, SilenceError
from callcontrol.core import events as e
from callcontrol.core.events import Why
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
from callcontrol.ports import ChannelUnknownError, Finding, HandoffDone, PortError, Report, RingOrder

log = structlog.get_logger(__name__)

HANGUP_WITHIN_S = 0.1  # of an OriginateResponse, which overtakes it in the switch
CHANNEL_WITHIN_S = 2.0  # from an accepted Originate to its channel
POLL_S = 0.05
MARK_AFTER_S = 0.004  # that a lead's dialplan is told of its transfer: the phones' orders go before

_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 .,:'_-]+")
_CAUSES_OF_A_SHUTDOWN = ("0", "16")


class AsteriskPbx:
    def __init__(self, settings: AsteriskSettings) -> None:
        self._settings = settings
        self._lines = Lines(settings)
        self._ledger = Ledger(self._lines.address_of)
        self._supervisor = Supervisor(settings, self._ledger, self._lines, self._event)
        self._channels = Channels(self._supervisor, self._ledger)
        self._lamps = Lamps(self._channels)
        self._report: Callable[[Report], None] = lambda _: None
        self._errands = Errands()
        self._published: dict[BotId, str] = {}
        self._unmarked: set[TransferId] = set()  # whose leads do not know yet

    # --- the link

    async def run(self, report: Callable[[Report], None]) -> None:
        self._report = report
        try:
            await self._supervisor.run(report)
        finally:
            await self._errands.stop()

    @property
    def linked(self) -> bool:
        return self._supervisor.linked

    async def check(self, agents: Sequence[Agent]) -> Sequence[Finding]:
        return await checks.check(self._settings, agents)

    def _event(self, frame: Frame) -> None:
        if frame.get("Event") == "OriginateResponse":
            self._originated(frame)
            return
        reports = list(self._ledger.apply(frame))
        if reports and frame.get("Event") == "Hangup" and frame.get("Cause") in _CAUSES_OF_A_SHUTDOWN:
            self._errands.send(self._tell_unless_shutting_down(reports))
        else:
            for report in reports:
                self._tell(report)

    async def _tell_unless_shutting_down(self, reports: Sequence[Report]) -> None:
        """A switch that shuts down hangs every channel up first, as if each had left by itself.

        It answers no action from then on. Whatever the reason, the next survey tells who is gone.
        """
        with contextlib.suppress(PortError):
            await self._channels.act("Ping", {})
            for report in reports:
                self._tell(report)

    def _originated(self, frame: Frame) -> None:
        """Nothing else tells that a leg got no channel. Where it had one, its Hangup says more."""
        channel = ChannelId(frame.get("Uniqueid", ""))
        leg = self._ledger.legs.get(channel)
        has_channel = leg is not None and frame.get("Channel") != leg.dialled
        if frame.get("Response") == "Failure" and not has_channel:
            asyncio.get_running_loop().call_later(HANGUP_WITHIN_S, self._no_channel, channel)

    def _no_channel(self, channel: ChannelId) -> None:
        for report in self._ledger.never_was(channel):
            self._tell(report)

    def _tell(self, report: Report) -> None:
        match report:
            case e.Joined() | e.BotHungUp() | HandoffDone():
                self._mark_connected(report.channel, handoff_over=not isinstance(report, e.Joined))
            case e.LegEnded():
                self._silence_announcements()
            case _:
                pass
        self._report(report)

    # --- calls

    async def locate(self, channel: str) -> Call:
        """What events have told for certain is not asked."""
        place = self._ledger.places.find(channel) if self.linked else None
        others = [] if place is None else self._ledger.places.mates(place)
        if place is not None and (place.alone or len(others) == 1):
            lead = place.id
        else:
            lead, others = await self._look(channel)
        if len(others) > 1:
            raise PortError(
                f"{len(others)} others share the lead's bridge: no telling the bot", retryable=False
            )
        return Call(lead=lead, bot=others[0] if others else None, pbx_started=self._supervisor.pbx_started)

    async def _look(self, channel: str) -> tuple[ChannelId, list[ChannelId]]:
        """The lead, and who shares its bridge."""
        row = await self._channels.status(channel)
        lead = ChannelId(row["Uniqueid"])
        mates = await self._channels.members(row.get("BridgeID", ""))
        for mate, name in ({lead: row["Channel"]} | mates).items():
            self._ledger.places.seen(mate, name)
        return lead, [mate for mate in mates if mate != lead]

    def watch(self, transfer_id: TransferId, call: Call) -> None:
        if self._ledger.watch(transfer_id, call) and self.linked:
            self._unmarked.add(transfer_id)
            asyncio.get_running_loop().call_later(MARK_AFTER_S, self._mark_in_time, transfer_id, call.lead)

    def _mark_in_time(self, transfer_id: TransferId, lead: ChannelId) -> None:
        if transfer_id in self._unmarked:
            self._unmarked.discard(transfer_id)
            self._errands.send(self._mark(transfer_id, lead))

    async def _mark(self, transfer_id: TransferId, lead: ChannelId) -> None:
        """Tell the lead's dialplan of the transfer, should its bot die."""
        await asyncio.gather(
            self._channels.set(lead, "CALLCONTROL_TRANSFER", transfer_id),
            self._channels.set(lead, "CALLCONTROL_CONNECTED", ""),  # of an earlier transfer
        )

    def watch_leg(self, transfer_id: TransferId, call: Call, leg: Leg) -> None:
        self._ledger.add_leg(LegTrack(leg.id, transfer_id, call.lead, by_answering=_by_answering(leg)))

    def forget(self, transfer_id: TransferId) -> None:
        self._unmarked.discard(transfer_id)
        call = self._ledger.forget(transfer_id)
        if (
            call is not None
            and self.linked
            and (place := self._ledger.places.get(call.call.lead)) is not None
        ):
            self._errands.send(self._let_go(call, place.name))

    async def _let_go(self, call: CallTrack, lead: str) -> None:
        """A lead that our dialplan still holds has nobody left to wait for."""
        await self._channels.order(lead, "Setvar", {"Variable": "CALLCONTROL_TRANSFER", "Value": ""})
        if call.was_joined and _held(await self._channels.status(lead)):
            # Its agent's leg has ended; it may not have noticed yet, and will look at this then.
            await self._channels.order(lead, "Setvar", {"Variable": "CALLCONTROL_CONNECTED", "Value": "1"})
        row = await self._channels.status(lead)
        if _held(row) and not row.get("BridgeID"):
            await self._channels.redirect(
                lead, "callcontrol-lead", "connected" if call.was_joined else "missed"
            )

    # --- legs

    def ring(self, order: RingOrder) -> Coroutine[Any, Any, None]:
        lead = originates.tellable(self._channels.address(order.lead))
        fields = originates.ring(order, self._settings, lead=lead)
        try:
            reply = self._channels.act("Originate", fields)
        finally:  # with no link too: the next survey looks at it
            leg = LegTrack(
                order.leg.id,
                order.transfer_id,
                order.lead,
                dialled=str(fields["Channel"]),
                told_lead=lead,
                by_answering=_by_answering(order.leg),
                straight=order.straight,
            )
            self._ledger.add_leg(leg)
        return self._dialled(leg.id, reply)

    async def _dialled(self, leg: ChannelId, reply: Awaitable[Reply]) -> None:
        try:
            await reply
        except RefusedError:
            self._ledger.drop(leg)
            raise
        except SilenceError:  # it may ring all the same, and nobody would take it
            self._errands.send(self.hang_up(leg, Why.CANCELLED, answered=False))
            raise

    async def hang_up(self, channel: ChannelId, why: Why, *, answered: bool) -> None:
        leg = self._ledger.legs.get(channel)
        if answered or (leg is not None and leg.up):
            await self._see_off(channel, leg, why)
            return
        cause = ANSWERED_ELSEWHERE if why in dialplan.NO_MISSED_CALL else NORMAL_CLEARING
        deadline = asyncio.get_running_loop().time() + CHANNEL_WITHIN_S
        while not await self._channels.hang_up(channel, cause):
            # An Originate was accepted, but its channel is not made yet: it would ring on.
            if channel not in self._ledger.legs or asyncio.get_running_loop().time() > deadline:
                self._no_channel(channel)
                return
            await asyncio.sleep(POLL_S)

    async def _see_off(self, channel: ChannelId, leg: LegTrack | None, why: Why) -> None:
        """Say why to whoever picked up, then hang up; the dialplan does both."""
        if why is not Why.CALL_OVER:
            await _running(leg)
            try:
                await self._channels.redirect(channel, "callcontrol-bye", dialplan.FAREWELL[why])
            except ChannelUnknownError:
                return
            except RefusedError as error:
                log.warning("a leg is hung up without a word", leg=channel, said=error.said)
            else:
                return
        await self._channels.hang_up(channel, NORMAL_CLEARING)

    async def brief(self, channel: ChannelId, sound: Path) -> None:
        await _running(self._ledger.legs.get(channel))
        await asyncio.gather(
            self._channels.set(channel, "CALLCONTROL_SOUND", _sound(sound)),
            self._channels.redirect(channel, "callcontrol-leg", "brief"),
        )

    # --- joining and handing off

    async def join(self, lead: ChannelId, channel: ChannelId) -> None:
        leg = self._ledger.legs.get(channel)
        await _running(leg)
        if leg is not None and self._ledger.together(leg):
            self._tell(e.Joined(channel=channel))
            return
        if await self._channels.is_bridged(lead):
            name = self._channels.address(lead)
            moved = self._channels.redirect(channel, "callcontrol-leg", "join")
            if leg is not None and leg.told_lead == name:
                await moved
            else:
                await asyncio.gather(self._channels.set(channel, "CALLCONTROL_LEAD", name), moved)
        else:
            await asyncio.gather(
                self._channels.set(channel, "TIMEOUT(absolute)", "0"),
                self._channels.set(lead, "CALLCONTROL_AGENT", channel),
                self._channels.redirect(lead, "callcontrol-lead", "join"),
            )

    async def announce(self, transfer_id: TransferId, lead: ChannelId, sounds: Sequence[Path]) -> None:
        channel = ChannelId(str(uuid.uuid4()))
        files = "&".join(_sound(sound) for sound in sounds)
        fields = originates.announce(self._channels.address(lead), files, channel, str(uuid.uuid4()))
        self._ledger.announce(transfer_id, lead, channel)
        try:
            await self._channels.act("Originate", fields)
        except PortError:
            self._ledger.silence(channel)
            raise

    def _silence_announcements(self) -> None:
        """An agent has left: what was being said to him stops, and is not reported as said."""
        for channel in self._ledger.unheard():
            self._ledger.silence(channel)
            self._errands.send(self._channels.hang_up(channel, NORMAL_CLEARING))

    async def release_bot(self, channel: ChannelId) -> None:
        self._mark_connected(channel, handoff_over=True)
        await self._channels.hang_up(channel, NORMAL_CLEARING)

    def _mark_connected(self, channel: ChannelId, *, handoff_over: bool) -> None:
        """From here on an agent who hangs up ends the call: the dialplan must not hold the lead then."""
        lead = self._ledger.connected(channel, handoff_over=handoff_over)
        if lead is not None:
            self._errands.send(self._channels.set(lead, "CALLCONTROL_CONNECTED", "1"))

    async def return_lead(self, lead: ChannelId, goto: str) -> None:
        if goto:
            await self._channels.redirect(lead, *dialplan.place(goto))
            return
        row = await self._channels.status(self._channels.address(lead))
        if row.get("Context") in dialplan.HOLD_CONTEXTS:
            await self._channels.redirect(lead, "callcontrol-lead", "missed")

    # --- the dialplan's questions

    async def acknowledge(self, channel: ChannelId, transfer_id: TransferId | None, why: str) -> None:
        """In this order: the dialplan waits for the second."""
        if transfer_id is not None:
            said, ack = self._channels.set(channel, "CALLCONTROL_TRANSFER", transfer_id), "accepted"
        else:
            said, ack = (
                self._channels.set(channel, "CALLCONTROL_WHY", _NOT_PLAIN.sub(" ", why)[:200]),
                "refused",
            )
        await asyncio.gather(said, self._channels.set(channel, "CALLCONTROL_ACK", ack))

    async def publish_fallbacks(self, bot_id: BotId, endpoints: Sequence[Endpoint]) -> None:
        strings = (dial_string(endpoint, self._settings) for endpoint in endpoints)
        kept = dialplan.fallbacks(bot_id, strings)
        news = {bot_id: f"{self._supervisor.pbx_started} {kept}"}
        if news.items() <= self._published.items():
            return
        await self._channels.act("Originate", originates.publish(bot_id, "&".join(kept)))
        self._published |= news

    # --- agents' phones

    def line(self, endpoint: Endpoint) -> LineState:
        return self._lines.state(endpoint)

    async def show(self, agent_id: AgentId, state: AgentState) -> None:
        await self._lamps.show(agent_id, state, self._supervisor.pbx_started)

    async def answer_agent(self, channel: ChannelId, state: AgentState) -> None:
        await self._channels.set(channel, "CALLCONTROL_STATE", state.value)

    # --- calls of others

    async def follow(self, wanted: Callable[[str], bool]) -> None:
        self._ledger.following.wanted = wanted
        if self.linked:
            self._ledger.following.hold()
            rows: Sequence[Frame] = ()
            try:
                rows = (await self._channels.act("CoreShowChannels", {}, many=True)).rows
            finally:
                for call in self._ledger.others(rows):
                    self._report(call)

    async def message(self, endpoint: Endpoint, body: str) -> None:
        await messages.send(self._supervisor, self._settings, endpoint, body)


async def _running(leg: LegTrack | None) -> None:
    if leg is not None:
        await dialplan.comes_to_run(leg.running)


def _by_answering(leg: Leg) -> bool:
    return leg.endpoint.accept_by is AcceptBy.ANSWER


def _held(row: Frame) -> bool:
    return (row.get("Context"), row.get("Exten")) in dialplan.HELD


def _sound(path: Path) -> str:
    """As Playback takes it: no suffix, so that the switch picks the format it likes best."""
    return dialplan.playable(path.with_suffix(""))
