"""Where every live channel of the switch is. A survey begins it, events keep it true.

What is known here need not be asked, at a round trip each, while a lead is waiting.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from callcontrol.adapters.asterisk.frames import Frame
from callcontrol.core.model import ChannelId


@dataclass(slots=True)
class Place:
    """Its name is what actions take: a unique id is matched by its beginning."""

    id: ChannelId
    name: str
    bridge: str = ""  # empty: in none, or not heard of yet
    alone: bool = False  # in none for certain: it runs a dialplan that says so


class Places:
    def __init__(self) -> None:
        self._by_id: dict[ChannelId, Place] = {}
        self._by_name: dict[str, Place] = {}
        self._members: dict[str, set[ChannelId]] = {}

    def begin(self, rows: Iterable[Frame]) -> None:
        """Take over what CoreShowChannels lists."""
        self._by_id, self._by_name, self._members = {}, {}, {}
        for row in rows:
            self.seen(ChannelId(row.get("Uniqueid", "")), row.get("Channel", ""))
            self.entered(ChannelId(row.get("Uniqueid", "")), row.get("BridgeId", ""))

    def get(self, channel: ChannelId) -> Place | None:
        return self._by_id.get(channel)

    def find(self, channel: str) -> Place | None:
        """By unique id or by name, each compared whole."""
        return self._by_id.get(ChannelId(channel)) or self._by_name.get(channel)

    def mates(self, place: Place) -> list[ChannelId]:
        """Who else is in its bridge."""
        return [other for other in self._members.get(place.bridge, ()) if other != place.id]

    def together(self, one: ChannelId, other: ChannelId) -> bool:
        here, there = self._by_id.get(one), self._by_id.get(other)
        return here is not None and there is not None and here.bridge == there.bridge != ""

    def seen(self, channel: ChannelId, name: str) -> Place:
        """It lives, and is called so now."""
        place = self._by_id.get(channel)
        if place is None:
            place = self._by_id[channel] = Place(channel, name)
        elif name and name != place.name:
            self._by_name.pop(place.name, None)
            place.name = name
        self._by_name[place.name] = place
        return place

    def entered(self, channel: ChannelId, bridge: str) -> None:
        self.left(channel)
        if bridge:
            place = self._by_id[channel]
            place.bridge, place.alone = bridge, False
            self._members.setdefault(bridge, set()).add(channel)

    def left(self, channel: ChannelId) -> None:
        place = self._by_id[channel]
        members = self._members.get(place.bridge)
        if members is not None:
            members.discard(channel)
            if not members:
                del self._members[place.bridge]
        place.bridge = ""

    def gone(self, channel: ChannelId) -> None:
        if channel in self._by_id:
            self.left(channel)
            place = self._by_id.pop(channel)
            if self._by_name.get(place.name) is place:
                del self._by_name[place.name]
