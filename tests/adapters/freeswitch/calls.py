"""Calls of others, as FreeSWITCH 1.10 tells of them, and what is made of them."""

from collections.abc import Sequence

from callcontrol.adapters.freeswitch.following import Following
from callcontrol.adapters.freeswitch.frames import Row
from callcontrol.core.callback import CallBegan, CallReport, Party
from callcontrol.core.model import ChannelId

LEAD = "+493023125001"
ALICE, LEG, OTHER = ChannelId("a-1"), ChannelId("l-1"), ChannelId("l-2")
NEAR, FAR = ChannelId("loop-a"), ChannelId("loop-b")
OURS = ChannelId("0" * 36)
NOW = 1_795_698_979.5


class Switch:
    """Says events, and keeps what is made of them."""

    def __init__(self) -> None:
        phones = {ALICE: "alice"}
        self.following = Following(lambda user: user, lambda channel: phones.get(channel, ""))
        self.following.wanted = lambda number: number in (LEAD, "00493023125001")
        self.reports: list[CallReport] = []

    def says(self, event: str, channel: str, headers: Row) -> None:
        told = {"Event-Name": event, "Unique-ID": channel, **headers}
        self.reports += self.following.apply(told, self._is_ours)

    def lists(self, *rows: Row, gone: tuple[str, ...] = ()) -> Sequence[CallReport]:
        return list(self.following.survey(rows, gone, NOW, self._is_ours))

    def _is_ours(self, channel: ChannelId) -> bool:
        return channel == OURS

    def dials(
        self,
        number: str = LEAD,
        *,
        caller: str = ALICE,
        own: str = "alice",
        shown: str = "101",
        leg: str = LEG,
        user: str = "",
        far_half: str = "",
        headers: Row | None = None,
    ) -> None:
        told = {
            "Other-Leg-Unique-ID": caller,
            "Other-Leg-Caller-ID-Number": own,
            "Caller-Caller-ID-Number": shown,
            "Caller-Destination-Number": number,
            "Channel-Presence-ID": f"{user}@pbx.example" if user else "",
            "variable_other_loopback_leg_uuid": far_half,
            "Caller-Context": "agents",
        }
        self.says("CHANNEL_ORIGINATE", leg, told | dict(headers or {}))

    def is_up(self, channel: str = LEG, state: str = "ACTIVE") -> None:
        self.says("CHANNEL_CALLSTATE", channel, {"Channel-Call-State": state})

    def bridges(self, one: str = ALICE, other: str = LEG) -> None:
        self.says("CHANNEL_BRIDGE", one, {"Bridge-A-Unique-ID": one, "Bridge-B-Unique-ID": other})

    def answers(self, leg: str = LEG, caller: str = ALICE) -> None:
        self.is_up(leg)
        self.bridges(caller, leg)

    def hangs_up(self, channel: str, cause: str = "NORMAL_CLEARING") -> None:
        """It is told twice."""
        self.says("CHANNEL_HANGUP", channel, {"Channel-Call-State": "ACTIVE", "Hangup-Cause": cause})
        self.says("CHANNEL_CALLSTATE", channel, {"Channel-Call-State": "HANGUP", "Hangup-Cause": cause})

    @property
    def kinds(self) -> list[type[CallReport]]:
        return [type(report) for report in self.reports]


def began(caller: Party, called: Party, leg: ChannelId = LEG, call: ChannelId = ALICE) -> CallBegan:
    return CallBegan(call=call, leg=leg, caller=caller, called=called)


DESK = Party(address="alice", number="101")
OUTSIDE = Party(number=LEAD)
