"""The line behind a scripted FreeSWITCH: commands become its verbs, its reports become events."""

import re
from pathlib import Path

from callcontrol.adapters.simulated import SimulatedPbx
from callcontrol.adapters.simulated.pbx import Channel
from callcontrol.core import events as e
from callcontrol.core.callback import CallAnswered, CallBegan, CallEnded, CallReport
from callcontrol.core.events import Why
from callcontrol.core.model import AcceptBy, ChannelId, Endpoint, EndpointKind, Leg, TransferId
from callcontrol.ports import CallerId, HandoffDone, PortError, Report, RingOrder
from tests.adapters.freeswitch.scripted import Command, ScriptedFreeswitch, custom, event, rows, state
from tests.adapters.switches.stage import at_once

GONE = "-ERR No such channel!\n"
CAUSES = {
    e.EndedBy.NORMAL: "NORMAL_CLEARING",
    e.EndedBy.BUSY: "USER_BUSY",
    e.EndedBy.DECLINED: "CALL_REJECTED",
    e.EndedBy.NO_ANSWER: "NO_ANSWER",
    e.EndedBy.UNREACHABLE: "USER_NOT_REGISTERED",
    e.EndedBy.FORWARDED: "REQUESTED_CHAN_UNAVAIL",
}


class EslLine:
    def __init__(self, line: SimulatedPbx, switch: ScriptedFreeswitch) -> None:
        self._line, self._switch = line, switch
        self._variables: dict[tuple[str, str], str] = {}
        self._playing: dict[ChannelId, str] = {}
        self._three: set[ChannelId] = set()
        self.registered = {"alice", "bob"}
        self._rung: dict[ChannelId, ChannelId] = {}  # in calls of others, by who dials
        line._report, line._wanted = self._tell, lambda _: True
        for name in ("originate", "show", "uuid_exists", "uuid_getvar", "uuid_setvar_multi", "uuid_kill",
                     "uuid_transfer", "uuid_displace", "uuid_bridge", "sched_del"):  # fmt: skip
            switch.answers[name] = getattr(self, f"_{name}")

    # --- orders

    def _originate(self, command: Command) -> str:
        given = re.fullmatch(r"\{(.*)\}user/(\S+) (answer|key) XML callcontrol-leg", command.rest)
        assert given is not None, command.rest
        channel = ChannelId(re.findall(r"origination_uuid=([^,]+)", given[1])[0])
        assert command.headers["Job-UUID"] == channel
        by = AcceptBy.ANSWER if given[3] == "answer" else AcceptBy.KEY
        endpoint = Endpoint(kind=EndpointKind.EXTENSION, address=given[2], accept_by=by)
        order = RingOrder(
            transfer_id=TransferId("any"),
            leg=Leg(id=channel, agent_id=None, label="", endpoint=endpoint),
            lead=ChannelId(""),
            caller=CallerId(name="", number=""),
            ring_timeout_s=5.0,
            accept_timeout_s=5.0,
        )
        at_once(self._line.ring(order))
        return f"+OK Job-UUID: {channel}"

    def _uuid_kill(self, command: Command) -> str:
        channel = ChannelId(command.rest.split()[0])
        if channel not in self._line.channels:
            return GONE
        at_once(self._line.hang_up(channel, Why.CALL_OVER, answered=True))
        return "+OK\n"

    def _uuid_transfer(self, command: Command) -> str:
        name, exten, _, context = command.rest.split()
        channel = ChannelId(name)
        if channel not in self._line.channels:
            return GONE
        try:
            match context, exten:
                case "callcontrol-bye", _:
                    at_once(self._line.hang_up(channel, Why.TAKEN, answered=True))
                case "callcontrol-leg", "brief":
                    at_once(self._line.brief(channel, Path(self._variables[channel, "CALLCONTROL_SOUND"])))
                case "callcontrol-leg", "join":
                    lead = ChannelId(self._variables[channel, "CALLCONTROL_LEAD"])
                    self._three.add(channel)
                    at_once(self._line.join(lead, channel))
                case "callcontrol-lead", "join":
                    at_once(
                        self._line.join(channel, ChannelId(self._variables[channel, "CALLCONTROL_AGENT"]))
                    )
                case "callcontrol-agent", _:
                    del self._line.channels[channel]
        except PortError:
            self._switch.tell(custom("callcontrol::join_failed", channel, {"Leg": channel, "Why": "gone"}))
        return "+OK\n"

    def _uuid_displace(self, command: Command) -> str:
        name, verb, file, *_ = command.rest.split()
        lead = ChannelId(name)
        if lead not in self._line.channels:
            return "-ERR Cannot locate session!\n"
        if verb == "start" and self._line.channels[lead].leg is None:
            self._playing[lead] = file
            at_once(self._line.announce(TransferId(""), lead, ()))
        return "+OK Success\n"

    def _uuid_bridge(self, command: Command) -> str:
        one, other = command.rest.split()
        there = one in self._line.channels and other in self._line.channels
        return f"+OK {other}\n" if there else "-ERR Invalid uuid\n"

    def _uuid_setvar_multi(self, command: Command) -> str:
        channel, _, given = command.rest.partition(" ")
        if channel not in self._line.channels:
            return GONE
        for pair in given.split(";"):
            name, _, value = pair.partition("=")
            self._variables[channel, name] = value
        return "+OK\n"

    def _sched_del(self, _: Command) -> str:
        return "+OK\n"

    # --- questions

    def _uuid_exists(self, command: Command) -> str:
        return "true" if command.rest in self._line.channels else "false"

    def _uuid_getvar(self, command: Command) -> str:
        channel, name = command.rest.split()
        if channel not in self._line.channels:
            return GONE
        if name == "signal_bond":
            return next(iter(self._line.talking(ChannelId(channel))), "_undef_")
        return self._variables.get((channel, name), "") or "_undef_"

    def _show(self, command: Command) -> str:
        match command.rest.split()[0]:
            case "registrations":
                return rows(*({"reg_user": user, "token": user} for user in sorted(self.registered)))
            case "bridged_calls":
                pairs = [
                    (one, other)
                    for one in self._line.channels
                    for other in self._line.talking(one)
                    if one < other
                ]
                return rows(*({"uuid": one, "b_uuid": other} for one, other in pairs))
            case _:
                return rows(*(self._row(channel) for channel in self._line.channels.values()))

    def _row(self, found: Channel) -> dict[str, str]:
        exten = "briefed" if found.briefed else "accepted" if found.accepted else "key"
        leg = (
            {"context": "callcontrol-leg", "dest": exten} if found.leg is not None else {"context": "public"}
        )
        user = {"presence_id": f"{found.leg.endpoint.address}@pbx.example"} if found.leg is not None else {}
        return {"uuid": found.id, "callstate": "ACTIVE" if found.up else "RINGING", **leg, **user}

    # --- events

    def _tell(self, report: Report) -> None:
        for data in self._events(report):
            self._switch.tell(data)

    def _events(self, report: Report) -> list[bytes]:
        match report:
            case e.LegRinging(channel=channel):
                return [state(channel, "RINGING", **self._presence(channel))]
            case e.LegAnswered(channel=channel):
                found = self._line.channels[channel]
                how = {"Accepted": "1"} if found.accepted else {}
                up = state(channel, "ACTIVE", **self._presence(channel))
                return [up, custom("callcontrol::leg_answered", channel, how)]
            case e.LegAccepted(channel=channel):
                return [custom("callcontrol::leg_accepted", channel)]
            case e.LegDeclined(channel=channel):
                return [custom("callcontrol::leg_declined", channel)]
            case e.LegBriefed(channel=channel):
                return [custom("callcontrol::leg_briefed", channel)]
            case e.LegEnded(channel=channel, by=e.EndedBy.UNREACHABLE as by):
                return [event("BACKGROUND_JOB", {"Job-UUID": channel, "_body": f"-ERR {CAUSES[by]}\n"})]
            case e.LegEnded(channel=channel, by=by):
                return [state(channel, "HANGUP", Hangup_Cause=CAUSES[by])]
            case e.LeadHungUp(channel=channel) | e.BotHungUp(channel=channel):
                return [state(channel, "HANGUP", Hangup_Cause="NORMAL_CLEARING")]
            case e.Joined(channel=channel):
                return [self._joined(channel)]
            case HandoffDone(channel=lead):
                bug = {"Media-Bug-Function": "displace", "Media-Bug-Target": self._playing.pop(lead)}
                return [event("MEDIA_BUG_STOP", {"Unique-ID": lead, **bug})]
            case CallBegan() | CallAnswered() | CallEnded():
                return self._of_others(report)
        return []

    def _of_others(self, report: CallReport) -> list[bytes]:
        match report:
            case CallBegan(call=call, leg=leg, caller=caller, called=called):
                self._rung[call] = leg
                dialled = {
                    "Unique-ID": leg,
                    "Other-Leg-Unique-ID": call,
                    "Caller-Caller-ID-Number": caller.number,
                    "Caller-Destination-Number": called.number,
                }
                desk = state(call, "RINGING", Channel_Presence_ID=f"{caller.address}@pbx.example")
                return [desk, event("CHANNEL_ORIGINATE", dialled)]
            case CallAnswered(call=call, leg=leg):
                ends = {"Bridge-A-Unique-ID": call, "Bridge-B-Unique-ID": leg}
                return [state(leg, "ACTIVE"), event("CHANNEL_BRIDGE", ends)]
            case CallEnded(call=call, cause=cause):
                said = "USER_BUSY" if cause else "NORMAL_CLEARING"
                return [state(one, "HANGUP", Hangup_Cause=said) for one in (self._rung.pop(call), call)]

    def _joined(self, channel: ChannelId) -> bytes:
        lead = next(c for c in self._line.talking(channel) if c.startswith("lead-"))
        if channel in self._three:
            bug = {"Media-Bug-Function": "eavesdrop", "Media-Bug-Target": lead}
            return event("MEDIA_BUG_START", {"Unique-ID": lead, **bug})
        return event("CHANNEL_BRIDGE", {"Bridge-A-Unique-ID": lead, "Bridge-B-Unique-ID": channel})

    def _presence(self, channel: ChannelId) -> dict[str, str]:
        found = self._line.channels[channel]
        return (
            {"Channel_Presence_ID": f"{found.leg.endpoint.address}@pbx.example"}
            if found.leg is not None
            else {}
        )

    def register(self, user: str, there: bool) -> None:
        (self.registered.add if there else self.registered.discard)(user)
        name = "register" if there else "unregister"
        self._switch.tell(custom(f"sofia::{name}", "", {"username": user, "call-id": user}))
