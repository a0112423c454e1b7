"""Calls that are none of ours, from or to a number somebody waits for: found among all that are dialled.

A call is the channel that dials; its legs are those it rings, one after the other or at once. A Local
channel is no leg: what its other half dials is. No I/O here. A call with neither number wanted is
dropped at the first look.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from callcontrol.adapters.asterisk.frames import Frame
from callcontrol.core.callback import CallAnswered, CallBegan, CallEnded, CallReport, Party
from callcontrol.core.model import ChannelId

_UP = "6"  # ChannelState
_OUR_CONTEXTS = "callcontrol-"
_DIALLED_BY = {"AppDial": "Dial", "AppQueue": "Queue"}  # what a leg's row says -> what its caller's says
_NUMBER = re.compile(r"\+?[0-9][0-9*#.-]*")
_PARTS = re.compile(r"[/@:;,^&]")
_DURATION = re.compile(r"(\d+):(\d\d):(\d\d)")
_CAUSES = {
    "BUSY": "busy",
    "NOANSWER": "rang out",
    "CANCEL": "the caller hung up first",
    "CONGESTION": "the network refused",
    "CHANUNAVAIL": "the line could not be reached",
}


@dataclass(slots=True)
class _Call:
    id: ChannelId
    caller: Party
    legs: set[ChannelId] = field(default_factory=set)
    answered: ChannelId | None = None
    cause: str = ""


class Following:
    def __init__(self, address_of: Callable[[str], str]) -> None:
        """`address_of`: the directory's extension for a phone of the switch."""
        self.wanted: Callable[[str], bool] = lambda _number: False
        self._address_of = address_of
        self._calls: dict[ChannelId, _Call] = {}
        self._call_of: dict[ChannelId, _Call] = {}  # by each of its legs
        self._behind: dict[str, _Call] = {}  # by the second half of a Local channel that it rings
        self._passed: dict[ChannelId, Frame] = {}  # legs that ring for nobody who is waited for
        self._held: list[Frame] | None = None  # while a list of the channels is on its way

    def hold(self) -> None:
        """What happens from now on is told after the survey that follows, which may be older or younger."""
        self._held = []

    def apply(self, frame: Frame, is_ours: Callable[[ChannelId], bool]) -> Iterator[CallReport]:
        """DialBegin, DialEnd and Hangup of any channel."""
        if self._held is not None:
            self._held.append(frame)
            return
        match frame.get("Event"):
            case "DialBegin":
                yield from self._dial_begins(frame, is_ours)
            case "DialEnd":
                yield from self._dial_ends(frame, is_ours)
            case "Hangup":
                yield from self._hangs_up(ChannelId(frame.get("Uniqueid", "")))

    def _dial_begins(self, frame: Frame, is_ours: Callable[[ChannelId], bool]) -> Iterator[CallReport]:
        """One without a channel that dials is an Originate: nobody calls yet."""
        caller, leg = ChannelId(frame.get("Uniqueid", "")), ChannelId(frame.get("DestUniqueid", ""))
        if not caller or frame.get("Context", "").startswith(_OUR_CONTEXTS):
            return
        behind = self._behind.get(frame.get("Channel", ""))
        dialled = next(filter(self.wanted, numbers_in(frame.get("DialString", ""))), "")
        caller_id = frame.get("CallerIDNum", "")
        if not dialled and behind is None and not self.wanted(caller_id):
            self._passed[leg] = frame
            return
        if is_ours(caller) or is_ours(ChannelId(frame.get("Linkedid", ""))):
            return
        call = behind or self._calls.get(caller)
        if call is None:
            at = Party(address=self._phone(frame.get("Channel", "")), number=caller_id)
            call = self._calls[caller] = _Call(caller, at)
        yield self._rings(call, frame, dialled)

    def _rings(self, call: _Call, frame: Frame, dialled: str) -> CallBegan:
        leg, name = ChannelId(frame.get("DestUniqueid", "")), frame.get("DestChannel", "")
        if _is_local(name):
            self._behind[f"{name.removesuffix(';1')};2"] = call
        else:
            call.legs.add(leg)
            self._call_of[leg] = call
        number = dialled or next(numbers_in(frame.get("DialString", "")), "")
        return CallBegan(
            call=call.id,
            leg=leg,
            caller=call.caller,
            called=Party(address=self._phone(name), number=number),
            ago_s=_seconds(frame.get("Duration", "")),
        )

    def _dial_ends(self, frame: Frame, is_ours: Callable[[ChannelId], bool]) -> Iterator[CallReport]:
        """A leg that did not answer may be followed by another. One that was nobody's business when it began
        to ring may have become somebody's.
        """
        leg = ChannelId(frame.get("DestUniqueid", ""))
        if (passed := self._passed.pop(leg, None)) is not None:
            yield from self._dial_begins(passed, is_ours)
            self._passed.pop(leg, None)
        call = self._call_of.get(leg)
        if call is None:
            return
        status = frame.get("DialStatus", "")
        if status == "ANSWER":
            if call.answered is None:
                call.answered = leg
                yield CallAnswered(call=call.id, leg=leg)
        else:
            call.cause = _CAUSES.get(status, status.lower())
            call.legs.discard(leg)
            del self._call_of[leg]

    def _hangs_up(self, channel: ChannelId) -> Iterator[CallReport]:
        """A caller who has gone leaves an answered leg alone: the lead was handed to somebody else."""
        call = self._calls.get(channel) or self._call_of.get(channel)
        if call is None:
            return
        if channel == call.answered or (channel == call.id and call.answered is None):
            self._forget(call)
            yield CallEnded(call=call.id, cause=call.cause if call.answered is None else "")

    def _forget(self, call: _Call) -> None:
        self._calls.pop(call.id, None)
        for leg in call.legs:
            self._call_of.pop(leg, None)
        self._behind = {name: other for name, other in self._behind.items() if other is not call}

    # --- calls that are up

    def survey(self, rows: Sequence[Frame], is_ours: Callable[[ChannelId], bool]) -> Iterator[CallReport]:
        """From CoreShowChannels: as if each leg that is listed were dialled, and answered, just now."""
        self._calls, self._call_of, self._behind, self._passed = {}, {}, {}, {}
        linked: dict[str, list[Frame]] = {}
        for row in rows:
            linked.setdefault(row.get("Linkedid", ""), []).append(row)
        for row in sorted(rows, key=lambda row: not _is_local(row.get("Channel", ""))):
            application = _DIALLED_BY.get(row.get("Application", ""))
            callers = [
                one for one in linked[row.get("Linkedid", "")] if one.get("Application") == application
            ]
            found = next(_dialled(callers, row.get("Channel", "")), None)
            if found is not None:
                yield from self._is_up(*found, row, is_ours)
        held, self._held = self._held or (), None
        for frame in held:
            yield from self.apply(frame, is_ours)

    def _is_up(
        self, caller: Frame, string: str, leg: Frame, is_ours: Callable[[ChannelId], bool]
    ) -> Iterator[CallReport]:
        told = caller | {
            "DestUniqueid": leg.get("Uniqueid", ""),
            "DestChannel": leg.get("Channel", ""),
            "DialString": string,
            "Duration": leg.get("Duration", ""),
        }
        yield from self._dial_begins(told, is_ours)
        if leg.get("ChannelState") == _UP:
            answer = {"DestUniqueid": leg.get("Uniqueid", ""), "DialStatus": "ANSWER"}
            yield from self._dial_ends(answer, is_ours)

    def _phone(self, channel: str) -> str:
        """The extension of the phone whose channel that is; empty for half a Local channel."""
        return "" if _is_local(channel) else self._address_of(channel.rpartition("-")[0])


def numbers_in(dial_string: str) -> Iterator[str]:
    """What looks like a number in `+4930123456@trunk`, `trunk/sip:0049301234@10.0.0.1`, `g1/030123456`."""
    return (part for part in _PARTS.split(dial_string) if _NUMBER.fullmatch(part))


def _dialled(callers: Sequence[Frame], leg: str) -> Iterator[tuple[Frame, str]]:
    """Who may have dialled this channel, and as what; the likeliest first."""
    technology, _, device = leg.rpartition("-")[0].partition("/")
    strings = [(caller, *_parted(string)) for caller in callers for string in _strings(caller)]
    for caller, dialled_by, rest in strings:
        if dialled_by == technology and (rest.startswith(device) or device in _PARTS.split(rest)):
            yield caller, rest
    for caller, dialled_by, rest in strings:
        if dialled_by in ("Local", ""):  # a Local channel that has stepped aside; a queue names nobody
            yield caller, rest


def _strings(caller: Frame) -> list[str]:
    if caller.get("Application") != "Dial":
        return [""]
    return caller.get("ApplicationData", "").partition(",")[0].split("&")


def _parted(string: str) -> tuple[str, str]:
    technology, _, rest = string.partition("/")
    return technology, rest


def _is_local(channel: str) -> bool:
    return channel.startswith("Local/")


def _seconds(duration: str) -> float:
    found = _DURATION.fullmatch(duration)
    return 0.0 if found is None else float(int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3]))
