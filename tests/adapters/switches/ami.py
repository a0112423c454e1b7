"""The line behind a scripted Asterisk: actions become its verbs, its reports become events."""

from pathlib import Path

from callcontrol.adapters.simulated import SimulatedPbx
from callcontrol.core import events as e
from callcontrol.core.callback import CallAnswered, CallBegan, CallEnded, CallReport
from callcontrol.core.events import Why
from callcontrol.core.model import AcceptBy, ChannelId, Endpoint, EndpointKind, Leg, TransferId
from callcontrol.ports import CallerId, HandoffDone, PortError, Report, RingOrder
from tests.adapters.asterisk.scripted import Action, ScriptedAsterisk, frame, refused, rows, success
from tests.adapters.switches.stage import at_once

CAUSES = {
    e.EndedBy.NORMAL: "16",
    e.EndedBy.BUSY: "17",
    e.EndedBy.DECLINED: "21",
    e.EndedBy.NO_ANSWER: "19",
    e.EndedBy.FORWARDED: "23",
}
ANNOUNCEMENT = "Local/join@callcontrol-announce/n"
STATES = {True: "NOT_INUSE", False: "UNAVAILABLE"}


class AmiLine:
    def __init__(self, line: SimulatedPbx, switch: ScriptedAsterisk) -> None:
        self._line, self._switch = line, switch
        self._variables: dict[tuple[str, str], str] = {}
        self._playing: dict[ChannelId, str] = {}  # by lead: the channel that plays
        self._dialled: dict[ChannelId, str] = {}
        self.registered = {"alice": True, "bob": True, "carol": False}
        self._rung: dict[ChannelId, ChannelId] = {}  # in calls of others, by who dials
        line._report, line._wanted = self._tell, lambda _: True
        for name in ("Originate", "Hangup", "Redirect", "Setvar", "Status", "BridgeInfo"):
            switch.answers[name] = getattr(self, f"_{name.lower()}")
        switch.answers["CoreShowChannels"] = lambda action: rows(
            action, "CoreShowChannelsComplete", *(self._row(c, "CoreShowChannel") for c in line.channels)
        )
        switch.answers["DeviceStateList"] = lambda action: rows(
            action,
            "DeviceStateListComplete",
            *(
                f"Event: DeviceStateChange\r\nDevice: PJSIP/{user}\r\nState: {STATES[there]}"
                for user, there in self.registered.items()
            ),
        )

    # --- orders

    def _originate(self, action: Action) -> str:
        channel = ChannelId(action.get("ChannelId", ""))
        if action["Channel"] == ANNOUNCEMENT:
            given = dict(pair.split("=", 1) for pair in action["Variable"].split("\n"))
            lead = self._id(given["__CALLCONTROL_LEAD"])
            self._playing[lead] = channel
            at_once(self._line.announce(TransferId(""), lead, ()))
        elif action.get("Context") == "callcontrol-leg":
            by = AcceptBy.KEY if action["Exten"] == "key" else AcceptBy.ANSWER
            given = dict(pair.split("=", 1) for pair in action["Variable"].split("\n"))
            address = action["Channel"].removeprefix("PJSIP/")
            endpoint = Endpoint(kind=EndpointKind.EXTENSION, address=address, accept_by=by)
            order = RingOrder(
                transfer_id=TransferId("any"),
                leg=Leg(id=channel, agent_id=None, label="", endpoint=endpoint),
                lead=self._id(given.get("CALLCONTROL_LEAD", "")),
                caller=CallerId(name="", number=""),
                ring_timeout_s=5.0,
                accept_timeout_s=5.0,
                straight=action["Exten"] == "straight",
            )
            self._variables |= {(channel, name): value for name, value in given.items()}
            self._dialled[channel] = action["Channel"]
            at_once(self._line.ring(order))
        return success(action)

    def _hangup(self, action: Action) -> str:
        channel = self._id(action["Channel"])
        if channel in self._playing.values():
            return success(action)
        if channel not in self._line.channels:
            return refused(action, "No such channel")
        at_once(self._line.hang_up(channel, Why.CALL_OVER, answered=True))
        return success(action)

    def _redirect(self, action: Action) -> str:
        channel = self._id(action["Channel"])
        if channel not in self._line.channels:
            return refused(action, "Channel does not exist")
        try:
            match action["Context"], action["Exten"]:
                case "callcontrol-bye", _:
                    at_once(self._line.hang_up(channel, Why.TAKEN, answered=True))
                case "callcontrol-leg", "brief":
                    at_once(self._line.brief(channel, Path("x")))
                case "callcontrol-leg", "join":
                    at_once(self._line.join(self._id(self._variables[channel, "CALLCONTROL_LEAD"]), channel))
                case "callcontrol-lead", "join":
                    leg = ChannelId(self._variables[channel, "CALLCONTROL_AGENT"])
                    at_once(self._line.join(channel, leg))
        except PortError:
            failed = ("UserEvent: CallcontrolJoinFailed", f"Leg: {channel}", "Why: NONEXISTENT")
            self._switch.tell(frame("Event: UserEvent", *failed, f"Uniqueid: {channel}"))
        return success(action)

    def _setvar(self, action: Action) -> str:
        channel = self._id(action.get("Channel", ""))
        if channel and channel not in self._line.channels:
            return refused(action, "No such channel")
        self._variables[channel, action["Variable"]] = action["Value"]
        if action["Variable"] == "CALLCONTROL_STATE":  # the phone says it, and that is all
            del self._line.channels[channel]
        return success(action)

    # --- questions

    def _status(self, action: Action) -> str:
        channel = self._id(action.get("Channel", ""))
        if channel not in self._line.channels:
            return refused(action, "No such channel")
        return rows(action, "StatusComplete", self._row(channel, "Status"))

    def _bridgeinfo(self, action: Action) -> str:
        there = [c for c in self._line.channels if self._bridge(c) == action["BridgeUniqueid"]]
        return rows(action, "BridgeInfoComplete", *(self._row(c, "BridgeInfoChannel") for c in there))

    def _row(self, channel: ChannelId, event: str) -> str:
        found = self._line.channels[channel]
        exten = "briefed" if found.briefed else "accepted" if found.accepted else "key"
        lines = [f"Event: {event}", *self._named(channel), f"ChannelState: {'6' if found.up else '5'}"]
        lines += [f"Context: {'callcontrol-leg' if found.leg else 'public'}", f"Exten: {exten}"]
        key = "BridgeID" if event == "Status" else "BridgeId"
        return "\r\n".join([*lines, f"{key}: {self._bridge(channel)}"])

    def _named(self, channel: ChannelId) -> list[str]:
        return [f"Channel: PJSIP/{channel}", f"Uniqueid: {channel}"]

    def _id(self, channel: str) -> ChannelId:
        return ChannelId(channel.removeprefix("PJSIP/"))

    def _bridge(self, channel: ChannelId) -> str:
        bridge = self._line.channels[channel].bridge
        return "" if bridge is None else f"b{bridge}"

    # --- events

    def _tell(self, report: Report) -> None:
        for data in self._events(report):
            self._switch.tell(data)

    def _events(self, report: Report) -> list[str]:
        match report:
            case e.LegRinging(channel=channel):
                device = frame(
                    "Event: DeviceStateChange", f"Device: {self._device(channel)}", "State: RINGING"
                )
                return [frame("Event: Newstate", *self._named(channel), "ChannelState: 5"), device]
            case e.LegAnswered(channel=channel):
                how = ["Accepted: 1"] if self._line.channels[channel].accepted else []
                device = frame("Event: DeviceStateChange", f"Device: {self._device(channel)}", "State: INUSE")
                up = frame("Event: Newstate", *self._named(channel), "ChannelState: 6")
                return [device, up, self._user_event("LegAnswered", channel, *how)]
            case e.LegAccepted(channel=channel):
                return [self._user_event("LegAccepted", channel)]
            case e.LegDeclined(channel=channel):
                return [self._user_event("LegDeclined", channel)]
            case e.LegBriefed(channel=channel):
                return [self._user_event("LegBriefed", channel)]
            case e.LegEnded(channel=channel, by=e.EndedBy.UNREACHABLE):
                dialled = f"Channel: {self._dialled[channel]}"  # and not a channel's name
                return [
                    frame("Event: OriginateResponse", "Response: Failure", dialled, f"Uniqueid: {channel}")
                ]
            case e.LegEnded(channel=channel, by=by):
                idle = frame("Event: DeviceStateChange", "Device: PJSIP/alice", "State: NOT_INUSE")
                return [idle, frame("Event: Hangup", *self._named(channel), f"Cause: {CAUSES[by]}")]
            case e.LeadHungUp(channel=channel) | e.BotHungUp(channel=channel):
                return [frame("Event: Hangup", *self._named(channel), "Cause: 17")]  # not that of a shutdown
            case e.Joined(channel=channel):
                lead = next(c for c in self._line.talking(channel) if c.startswith("lead-"))
                entered = f"BridgeUniqueid: {self._bridge(channel)}"
                return [frame("Event: BridgeEnter", *self._named(one), entered) for one in (lead, channel)]
            case HandoffDone(channel=lead):
                return [frame("Event: Hangup", *self._named(ChannelId(self._playing.pop(lead))), "Cause: 17")]
            case CallBegan() | CallAnswered() | CallEnded():
                return self._of_others(report)
        return []

    def _of_others(self, report: CallReport) -> list[str]:
        match report:
            case CallBegan(call=call, leg=leg, caller=caller, called=called):
                self._rung[call] = leg
                desk = (f"Uniqueid: {call}", f"Channel: PJSIP/{caller.address}-01")
                trunk = (f"DestUniqueid: {leg}", f"DialString: {called.number}@trunk")
                return [frame("Event: DialBegin", *desk, f"CallerIDNum: {caller.number}", *trunk)]
            case CallAnswered(leg=leg):
                return [frame("Event: DialEnd", f"DestUniqueid: {leg}", "DialStatus: ANSWER")]
            case CallEnded(call=call, cause=cause):
                busy = frame("Event: DialEnd", f"DestUniqueid: {self._rung[call]}", "DialStatus: BUSY")
                gone = [frame("Event: Hangup", f"Uniqueid: {one}") for one in (self._rung.pop(call), call)]
                return [busy, *gone] if cause else gone

    def _device(self, channel: ChannelId) -> str:
        leg = self._line.channels[channel].leg
        return f"PJSIP/{leg.endpoint.address}" if leg is not None else ""

    def _user_event(self, name: str, channel: ChannelId, *more: str) -> str:
        return frame("Event: UserEvent", f"UserEvent: Callcontrol{name}", *self._named(channel), *more)

    def register(self, user: str, there: bool) -> None:
        self.registered[user] = there
        self._switch.tell(
            frame("Event: DeviceStateChange", f"Device: PJSIP/{user}", f"State: {STATES[there]}")
        )
