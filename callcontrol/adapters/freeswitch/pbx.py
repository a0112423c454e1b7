"""`ports.Pbx` over ESL. Verbs order; the ledger turns what the switch then says into reports.

Sound and the deadlines of waiting channels are the dialplan's; dialplan/README.md is the contract.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from callcontrol.adapters import dialplan
from callcontrol.adapters.freeswitch import checks, messages, originates
from callcontrol.adapters.freeswitch.causes import ANSWERED_ELSEWHERE, CANCELLED, NORMAL_CLEARING, SHUTDOWN
from callcontrol.adapters.freeswitch.channels import Channels
from callcontrol.adapters.freeswitch.dialstrings import dial_string
from callcontrol.adapters.freeswitch.frames import Event, Row
from callcontrol.adapters.freeswitch.lamps import Lamps
from callcontrol.adapters.freeswitch.ledger import Announcement, CallTrack, Ledger, LegTrack
from callcontrol.adapters.freeswitch.lines import Lines
from callcontrol.adapters.freeswitch.session import Supervisor
from callcontrol.adapters.freeswitch.settings import FreeswitchSettings
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

CHANNEL_WITHIN_S = 2.0  # from an accepted originate to its channel
POLL_S = 0.05
LEAD_FIRST_S = 0.05  # a lead who takes the bot along: its end may be told milliseconds after the bot's
AFTER_BRIDGE = "s:XML:callcontrol-bot-gone"

_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 .:_-]+")


class FreeswitchPbx:
    def __init__(self, settings: FreeswitchSettings) -> None:
        self._settings = settings
        self._lines = Lines(settings)
        self._ledger = Ledger(self._lines.address_of, self._lines.phone_at)
        self._supervisor = Supervisor(settings, self._ledger, self._lines, self._event)
        self._channels = Channels(self._supervisor, self._ledger)
        self._lamps = Lamps(self._supervisor, settings.domain)
        self._report: Callable[[Report], None] = lambda _: None
        self._errands = Errands()
        self._published: dict[BotId, str] = {}

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

    def _event(self, event: Event) -> None:
        if event.get("Event-Name") == "PRESENCE_PROBE":
            self._errands.send(self._lamps.probed(event))
        reports = list(self._ledger.apply(event))
        if event.get("Hangup-Cause") in SHUTDOWN:
            return  # not that everybody has left: the next survey tells
        for report in reports:
            if isinstance(report, e.BotHungUp):
                asyncio.get_running_loop().call_later(LEAD_FIRST_S, self._bot_gone, report)
            else:
                self._tell(report)

    def _bot_gone(self, report: e.BotHungUp) -> None:
        if self.linked:  # else the next survey tells
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
        lead = await self._channels.find(channel)
        bot = await self._channels.partner(lead)
        return Call(lead=lead, bot=bot, pbx_started=self._supervisor.pbx_started)

    def watch(self, transfer_id: TransferId, call: Call) -> None:
        """From now on a lead whose bot leaves comes to our dialplan, and is not hung up with it."""
        if self._ledger.watch(transfer_id, call) and self.linked:
            variables = {
                "CALLCONTROL_CONNECTED": "",  # of an earlier transfer
                "CALLCONTROL_AGENT": "",
                "CALLCONTROL_TRANSFER": transfer_id,
                "transfer_after_bridge": AFTER_BRIDGE,
            }
            self._errands.send(self._channels.set(call.lead, variables))

    def watch_leg(self, transfer_id: TransferId, call: Call, leg: Leg) -> None:
        self._ledger.add_leg(LegTrack(leg.id, transfer_id, call.lead, by_answering=_by_answering(leg)))

    def forget(self, transfer_id: TransferId) -> None:
        partners = dict(self._ledger.partners)
        call = self._ledger.forget(transfer_id)
        if call is not None and self.linked:
            lead = call.call.lead
            self._errands.send(
                self._let_go(call, with_bot=call.call.bot is not None and partners.get(lead) == call.call.bot)
            )

    async def _let_go(self, call: CallTrack, *, with_bot: bool) -> None:
        """A lead that our dialplan still holds has nobody left to wait for; one with its bot goes on as before."""
        lead = call.call.lead
        variables = {"CALLCONTROL_TRANSFER": ""}
        if with_bot:
            variables |= {"transfer_after_bridge": "", "CALLCONTROL_AGENT": ""}
        elif call.was_joined:
            # Its agent's leg has ended; it may not have noticed yet, and will look at this then.
            variables |= {"CALLCONTROL_CONNECTED": "1"}
        await self._channels.set(lead, variables)
        if await self._channels.place(lead) in dialplan.HELD and await self._channels.partner(lead) is None:
            await self._channels.transfer(
                lead, "callcontrol-lead", "connected" if call.was_joined else "missed"
            )

    # --- legs

    async def ring(self, order: RingOrder) -> None:
        words = originates.ring(order, self._settings)
        leg = LegTrack(order.leg.id, order.transfer_id, order.lead, by_answering=_by_answering(order.leg))
        self._ledger.add_leg(leg)
        try:
            await self._supervisor.bgapi(leg.id, "originate", words)
        except RefusedError:
            self._ledger.drop(leg.id)
            raise
        except SilenceError:  # it may ring all the same, and nobody would take it
            self._errands.send(self.hang_up(leg.id, Why.CANCELLED, answered=False))
            raise

    async def hang_up(self, channel: ChannelId, why: Why, *, answered: bool) -> None:
        leg = self._ledger.legs.get(channel)
        if answered or (leg is not None and leg.up):
            await self._see_off(channel, leg, why)
            return
        cause = ANSWERED_ELSEWHERE if why in dialplan.NO_MISSED_CALL else CANCELLED
        deadline = asyncio.get_running_loop().time() + CHANNEL_WITHIN_S
        while not await self._channels.hang_up(channel, cause):
            # An originate was accepted, but its channel is not made yet: it would ring on.
            if channel not in self._ledger.legs or asyncio.get_running_loop().time() > deadline:
                for report in self._ledger.never_was(channel, cause):
                    self._tell(report)
                return
            await asyncio.sleep(POLL_S)

    async def _see_off(self, channel: ChannelId, leg: LegTrack | None, why: Why) -> None:
        """Say why to whoever picked up, then hang up; the dialplan does both."""
        if why is not Why.CALL_OVER:
            await _running(leg)
            try:
                await self._channels.transfer(channel, "callcontrol-bye", dialplan.FAREWELL[why])
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
            self._channels.set(channel, {"CALLCONTROL_SOUND": dialplan.playable(sound)}),
            self._channels.transfer(channel, "callcontrol-leg", "brief"),
        )

    # --- joining and handing off

    async def join(self, lead: ChannelId, channel: ChannelId) -> None:
        leg = self._ledger.legs.get(channel)
        if leg is not None and self._ledger.together(leg):
            self._tell(e.Joined(channel=channel))
            return
        if await self._channels.partner(lead) is not None:
            if leg is not None:
                leg.joining = True
            await asyncio.gather(
                self._channels.set(lead, {"CALLCONTROL_AGENT": channel}),
                self._channels.set(channel, {"CALLCONTROL_LEAD": lead}),
                self._come_in(channel, leg),
            )
        else:
            await _running(leg)
            await asyncio.gather(
                self._channels.order("sched_del", channel),  # of a briefing cut short
                self._channels.set(lead, {"CALLCONTROL_AGENT": channel}),
                self._channels.transfer(lead, "callcontrol-lead", "join"),
            )

    async def _come_in(self, channel: ChannelId, leg: LegTrack | None) -> None:
        """Into the call of the lead whose name the leg has been given. A leg that comes to our dialplan only then,
        up to 20 ms after it was answered, goes there by itself; else it has said that it runs.
        """
        await _running(leg)
        if leg is None or (leg.joining and not leg.overhears):
            await self._channels.transfer(channel, "callcontrol-leg", "join")

    async def announce(self, transfer_id: TransferId, lead: ChannelId, sounds: Sequence[Path]) -> None:
        """Laid over what lead and agent hear, each for itself: their bridge is not touched."""
        files = [dialplan.playable(sound) for sound in sounds]
        file = files[0] if len(files) == 1 else f"file_string://{'!'.join(files)}"
        call = self._ledger.calls.get(transfer_id)
        told = Announcement(transfer_id, file, agent=None if call is None else call.joined)
        self._ledger.announcing[lead] = told
        try:
            await asyncio.gather(*(self._displace(channel, "start", file) for channel in told.heard_by(lead)))
        except PortError:
            self._ledger.announcing.pop(lead, None)
            raise

    async def _displace(self, channel: ChannelId, verb: str, file: str) -> None:
        await self._channels.order(
            "uuid_displace", channel, verb, file, *(("0", "mux") if verb == "start" else ())
        )

    def _silence_announcements(self) -> None:
        """An agent has left: what was being said to him stops, and is not reported as said."""
        for lead, told in self._ledger.unheard():
            self._errands.send(self._displace(lead, "stop", told.file))

    async def release_bot(self, channel: ChannelId) -> None:
        """The lead is bridged with the agent, who until then was the third in its call with the bot."""
        call = self._ledger.call_of(channel)
        self._mark_connected(channel, handoff_over=True)
        if (
            call is not None
            and call.joined is not None
            and self._ledger.partners.get(call.call.lead) == channel
        ):
            with contextlib.suppress(ChannelUnknownError):
                await self._channels.order("uuid_bridge", call.call.lead, call.joined)
        await self._channels.hang_up(channel, NORMAL_CLEARING)

    def _mark_connected(self, channel: ChannelId, *, handoff_over: bool) -> None:
        """From here on an agent who hangs up ends the call: the dialplan must not hold the lead then."""
        call = self._ledger.connected(channel, handoff_over=handoff_over)
        if call is not None:
            self._errands.send(self._channels.set(call.call.lead, {"CALLCONTROL_CONNECTED": "1"}))

    async def return_lead(self, lead: ChannelId, goto: str) -> None:
        if goto:
            context, exten, _ = dialplan.place(goto)
            await self._channels.transfer(lead, context, exten)
            return
        context, _ = await self._channels.place(lead)
        if context in dialplan.HOLD_CONTEXTS:
            await self._channels.transfer(lead, "callcontrol-lead", "missed")

    # --- the dialplan's questions

    async def acknowledge(self, channel: ChannelId, transfer_id: TransferId | None, why: str) -> None:
        """Only who still waits for it: a lead that rings the fallback numbers is not taken from them."""
        if await self._channels.get(channel, "CALLCONTROL_ACK") != "asked":
            return
        if transfer_id is not None:
            variables, context, exten = {"CALLCONTROL_TRANSFER": str(transfer_id)}, "callcontrol-lead", "hold"
        else:
            variables = {"CALLCONTROL_WHY": " ".join(_NOT_PLAIN.sub(" ", why).split())[:200]}
            context, exten = "callcontrol-transfer", "refused"
        await asyncio.gather(
            self._channels.set(channel, {**variables, "CALLCONTROL_ACK": ""}),
            self._channels.transfer(channel, context, exten),
        )

    async def publish_fallbacks(self, bot_id: BotId, endpoints: Sequence[Endpoint]) -> None:
        strings = (dial_string(endpoint, self._settings) for endpoint in endpoints)
        kept = dialplan.fallbacks(bot_id, strings)
        news = {bot_id: f"{self._supervisor.pbx_started} {kept}"}
        if news.items() <= self._published.items():
            return
        given = f"^^|callcontrol_fallback_{bot_id}|{','.join(kept)}"
        await self._supervisor.api("global_setvar", given)
        self._published |= news

    # --- agents' phones

    def line(self, endpoint: Endpoint) -> LineState:
        return self._lines.state(endpoint)

    async def show(self, agent_id: AgentId, state: AgentState) -> None:
        await self._lamps.show(agent_id, state)

    async def answer_agent(self, channel: ChannelId, state: AgentState) -> None:
        await self._channels.transfer(channel, "callcontrol-agent", f"say-{state.value.replace('_', '-')}")

    # --- calls of others

    async def follow(self, wanted: Callable[[str], bool]) -> None:
        self._ledger.following.wanted = wanted
        if self.linked:
            self._ledger.following.hold()
            rows: Sequence[Row] = ()
            gone: set[str] = set()
            try:
                rows, gone = await self._supervisor.channels()
            finally:
                for call in self._ledger.others(rows, gone, time.time()):
                    self._report(call)

    async def message(self, endpoint: Endpoint, body: str) -> None:
        await messages.send(self._supervisor, self._lines, endpoint, body)


async def _running(leg: LegTrack | None) -> None:
    if leg is not None:
        await dialplan.comes_to_run(leg.running)


def _by_answering(leg: Leg) -> bool:
    return leg.endpoint.accept_by is AcceptBy.ANSWER
