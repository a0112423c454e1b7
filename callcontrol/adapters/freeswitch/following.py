"""Calls that are none of ours, from or to a number somebody waits for: found among all that are dialled.

A call is the channel that dials; its legs are those it rings, one after the other or at once. A loopback
channel is no leg: what its other half dials is. No I/O here. A call with neither number wanted is
dropped at the first look.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from callcontrol.adapters.freeswitch.frames import UP, Event, Row
from callcontrol.core.callback import CallAnswered, CallBegan, CallEnded, CallReport, Party
from callcontrol.core.model import ChannelId

_OUR_CONTEXTS = "callcontrol-"
_DIALLED_BY = (
    "Other-Leg-Unique-ID",
    "variable_ent_originate_aleg_uuid",  # several dial strings at once, `:_:`
    "variable_cc_member_session_uuid",  # a queue rings an agent
)
_NUMBER = re.compile(r"\+?[0-9][0-9*#.-]*")
_PARTS = re.compile(r"[/@:;,%]")
_PLUS = re.compile(r"%2[Bb]")
_CANCELLED, _UNREACHABLE = "the caller hung up first", "the line could not be reached"
_WORDS = {
    "USER_BUSY": "busy",
    "CALL_REJECTED": "declined",
    **dict.fromkeys(
        ("NO_ANSWER", "NO_USER_RESPONSE", "ALLOTTED_TIMEOUT", "PROGRESS_TIMEOUT", "RECOVERY_ON_TIMER_EXPIRE"),
        "rang out",
    ),
    **dict.fromkeys(("ORIGINATOR_CANCEL", "LOSE_RACE", "NORMAL_CLEARING", "NONE", ""), _CANCELLED),
    **dict.fromkeys(
        (
            "NORMAL_TEMPORARY_FAILURE",
            "NORMAL_CIRCUIT_CONGESTION",
            "SWITCH_CONGESTION",
            "NETWORK_OUT_OF_ORDER",
        ),
        "the network refused",
    ),
}


@dataclass(frozen=True, slots=True)
class _Caller:
    id: ChannelId
    phone: str
    numbers: tuple[str, ...]  # its own, and what it shows
    waited_for: bool = False  # behind a loopback channel that was dialled for somebody who is


@dataclass(slots=True)
class _Dialled:
    leg: ChannelId
    caller: _Caller
    number: str  # as it was dialled
    phone: str
    far_half: ChannelId  # of a loopback channel; else empty
    ago_s: float = 0.0
    bridged: bool = False


@dataclass(slots=True)
class _Call:
    id: ChannelId
    caller: Party
    legs: set[ChannelId] = field(default_factory=set)
    answered: ChannelId | None = None
    cause: str = ""


@dataclass(slots=True)
class _Leg:
    """Early sound may bridge it before it has answered; a voicemail may answer, and never be bridged."""

    call: _Call
    up: bool = False
    bridged: bool = False


class Following:
    def __init__(
        self, address_of: Callable[[str], str], phone_at: Callable[[ChannelId], str] = lambda _: ""
    ) -> None:
        """`address_of`: the directory's extension for a user of the switch; `phone_at`: that of the phone
        whose channel it is, empty where it is no phone's.
        """
        self.wanted: Callable[[str], bool] = lambda _number: False
        self._address_of = address_of
        self._phone_at = phone_at
        self._calls: dict[ChannelId, _Call] = {}
        self._legs: dict[ChannelId, _Leg] = {}
        self._behind: dict[ChannelId, _Caller | None] = {}  # by a loopback channel's second half; None: ours
        self._passed: dict[ChannelId, _Dialled] = {}  # legs that ring for nobody who is waited for
        self._held: list[Event] | None = None  # while a list of the channels is on its way

    @property
    def channels(self) -> tuple[ChannelId, ...]:
        """Those whose end is waited for."""
        unanswered = (call.id for call in self._calls.values() if call.answered is None)
        return (*self._legs, *self._passed, *self._behind, *unanswered)

    def hold(self) -> None:
        """What happens from now on is told after the survey that follows, which may be older or younger."""
        self._held = []

    def apply(self, event: Event, is_ours: Callable[[ChannelId], bool]) -> Iterator[CallReport]:
        """CHANNEL_ORIGINATE, _CALLSTATE, _BRIDGE and _HANGUP of any channel."""
        if self._held is not None:
            self._held.append(event)
            return
        channel = ChannelId(event.get("Unique-ID", ""))
        match event.get("Event-Name"), event.get("Channel-Call-State"):
            case "CHANNEL_ORIGINATE", _:
                yield from self._originates(event, channel, is_ours)
            case "CHANNEL_BRIDGE", _:
                for end in (event.get("Bridge-A-Unique-ID", ""), event.get("Bridge-B-Unique-ID", "")):
                    yield from self._is_bridged(ChannelId(end))
            case ("CHANNEL_HANGUP", _) | ("CHANNEL_CALLSTATE", "HANGUP"):
                yield from self._hangs_up(channel, event.get("Hangup-Cause", ""))
            case "CHANNEL_CALLSTATE", state if state in UP:
                yield from self._is_up(channel)

    def _originates(
        self, event: Event, leg: ChannelId, is_ours: Callable[[ChannelId], bool]
    ) -> Iterator[CallReport]:
        """One that no channel dials is an `originate`: nobody calls yet."""
        half = ChannelId(event.get("variable_other_loopback_leg_uuid", ""))
        by = ChannelId(next((event[key] for key in _DIALLED_BY if event.get(key)), ""))
        if is_ours(leg) or is_ours(by) or event.get("Caller-Context", "").startswith(_OUR_CONTEXTS):
            if half:
                self._behind[half] = None
            return
        if by:
            numbers = (
                event.get("Other-Leg-Caller-ID-Number", ""),
                event.get("Caller-Caller-ID-Number", ""),
            )
            user = event.get("Channel-Presence-ID", "").partition("@")[0]
            yield from self._dials(
                _Dialled(
                    leg=leg,
                    caller=_Caller(by, self._phone_at(by), numbers),
                    number=event.get("Caller-Destination-Number", ""),
                    phone=self._address_of(user) if user else "",
                    far_half=half,
                )
            )

    def _dials(self, told: _Dialled) -> Iterator[CallReport]:
        caller = self._behind.get(told.caller.id, told.caller)
        if caller is None:
            if told.far_half:
                self._behind[told.far_half] = None
            return
        dialled = next(filter(self.wanted, numbers_in(told.number)), "")
        number = next(filter(self.wanted, caller.numbers), "")
        follows = bool(dialled or number or caller.waited_for)
        if told.far_half:
            self._behind[told.far_half] = replace(caller, waited_for=follows)
        if follows:
            yield self._rings(told, caller, number or caller.numbers[-1], dialled)
        elif not told.far_half:
            self._passed[told.leg] = told

    def _rings(self, told: _Dialled, caller: _Caller, number: str, dialled: str) -> CallBegan:
        call = self._calls.get(caller.id)
        if call is None:
            call = self._calls[caller.id] = _Call(caller.id, Party(address=caller.phone, number=number))
        if not told.far_half and told.leg not in self._legs:
            call.legs.add(told.leg)
            self._legs[told.leg] = _Leg(call, bridged=told.bridged)
        return CallBegan(
            call=call.id,
            leg=told.leg,
            caller=call.caller,
            called=Party(address=told.phone, number=dialled or next(numbers_in(told.number), "")),
            ago_s=told.ago_s,
        )

    def _is_up(self, channel: ChannelId) -> Iterator[CallReport]:
        """One that was nobody's business when it began to ring may have become somebody's."""
        if (passed := self._passed.pop(channel, None)) is not None:
            yield from self._look_again(passed)
        if (leg := self._legs.get(channel)) is not None:
            leg.up = True
            yield from self._answers(channel, leg)

    def _is_bridged(self, channel: ChannelId) -> Iterator[CallReport]:
        if (passed := self._passed.get(channel)) is not None:
            passed.bridged = True
        elif (leg := self._legs.get(channel)) is not None:
            leg.bridged = True
            yield from self._answers(channel, leg)

    def _answers(self, channel: ChannelId, leg: _Leg) -> Iterator[CallReport]:
        if leg.up and leg.bridged and leg.call.answered is None:
            leg.call.answered = channel
            yield CallAnswered(call=leg.call.id, leg=channel)

    def _look_again(self, passed: _Dialled) -> Iterator[CallReport]:
        yield from self._dials(passed)
        self._passed.pop(passed.leg, None)

    def _hangs_up(self, channel: ChannelId, cause: str) -> Iterator[CallReport]:
        """A leg that did not answer may be followed by another. A caller who has gone leaves an answered leg
        alone: the lead was handed to somebody else.
        """
        self._behind.pop(channel, None)
        if (passed := self._passed.pop(channel, None)) is not None:
            yield from self._look_again(passed)
        if (leg := self._legs.pop(channel, None)) is not None:
            leg.call.legs.discard(channel)
            if leg.call.answered == channel:
                yield self._over(leg.call, "")
            else:
                leg.call.cause = _WORDS.get(cause, _UNREACHABLE)
        elif (call := self._calls.get(channel)) is not None and call.answered is None:
            yield self._over(call, _CANCELLED if call.legs else call.cause)

    def _over(self, call: _Call, cause: str) -> CallEnded:
        self._calls.pop(call.id, None)
        for leg in call.legs:
            self._legs.pop(leg, None)
        return CallEnded(call=call.id, cause=cause)

    # --- calls that are up

    def survey(
        self,
        rows: Sequence[Row],
        gone: Collection[str],
        now_s: float,
        is_ours: Callable[[ChannelId], bool],
    ) -> Iterator[CallReport]:
        """From `show channels`: as if each leg that is listed were dialled, and answered, just now.

        `gone`: which of them are no more. A loopback channel that has just stepped aside still tells by whom
        its leg was dialled. `now_s`: seconds of the epoch, as the rows' own.
        """
        self._calls, self._legs, self._behind, self._passed = {}, {}, {}, {}
        known = {ChannelId(row.get("uuid", "")): row for row in rows}
        halves = {row.get("name", ""): channel for channel, row in known.items()}
        for row in sorted(rows, key=_outermost_first):
            leg, by = ChannelId(row.get("uuid", "")), ChannelId(row.get("call_uuid", ""))
            half = halves.get(f"{row.get('name', '')[:-1]}b", ChannelId("")) if _is_loopback(row) else ""
            if leg in gone and not half:
                continue
            if is_ours(leg) or is_ours(by) or row.get("context", "").startswith(_OUR_CONTEXTS):
                if half:
                    self._behind[ChannelId(half)] = None
            elif (
                row.get("direction") == "outbound"
                and by != leg
                and _has_dialled(caller := known.get(by, {}), self._behind)
            ):
                user = row.get("presence_id", "").partition("@")[0]
                told = _Dialled(
                    leg=leg,
                    caller=_Caller(
                        by, self._phone_at(by), (caller.get("cid_num", ""), row.get("cid_num", ""))
                    ),
                    number=row.get("dest", ""),
                    phone=self._address_of(user) if user else "",
                    far_half=ChannelId(half),
                    ago_s=max(0.0, now_s - _seconds(row.get("created_epoch", ""), now_s)),
                    bridged=True,
                )
                yield from self._dials(told)
                if row.get("callstate") in UP:
                    yield from self._is_up(leg)
        held, self._held = self._held or (), None
        for event in held:
            yield from self.apply(event, is_ours)


def numbers_in(dialled: str) -> Iterator[str]:
    """What looks like a number in `+4930123456`, `%2B4930123456`, `sip:0049301234@10.0.0.1`, `101%pbx.example`."""
    return (part for part in _PARTS.split(_PLUS.sub("+", dialled)) if _NUMBER.fullmatch(part))


def torn(rows: Sequence[Row]) -> bool:
    """Whether a list shows a loopback channel that is stepping aside, two seconds after it was answered: its halves,
    and who has dialled its leg now, are written one after the other. By whom a call is cannot be told then.
    """
    first, second = ({row["name"][:-1] for row in rows if _is_loopback(row, half)} for half in "ab")
    known = {"", *(row.get("uuid", "") for row in rows)}
    return first != second or any(
        row.get("call_uuid", "") not in known for row in rows if row.get("direction") == "outbound"
    )


def _has_dialled(caller: Row, behind: Collection[ChannelId]) -> bool:
    """Not so who was merely put together with one that somebody else had dialled; nor the second half of a loopback
    channel whose first is not there.
    """
    if _is_loopback(caller, "b"):
        return ChannelId(caller.get("uuid", "")) in behind
    return caller.get("direction") == "inbound" or caller.get("application") == "bridge"


def _is_loopback(row: Row, half: str = "a") -> bool:
    name = row.get("name", "")
    return name.startswith("loopback/") and name.endswith(f"-{half}")


def _outermost_first(row: Row) -> tuple[bool, float]:
    return not _is_loopback(row), _seconds(row.get("created_epoch", ""), 0.0)


def _seconds(epoch: str, otherwise: float) -> float:
    return float(epoch) if epoch.isdecimal() else otherwise
