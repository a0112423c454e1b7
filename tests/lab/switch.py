"""The lab's view of the PBX: who is bridged with whom, as its events tell."""

from collections.abc import Collection

from tests.lab.ami import AmiError, Message
from tests.lab.instance import Instance
from tests.lab.watch import Watch


class Switch:
    """Follows the PBX's bridges, and finds the PBX's channel for a leg of the world."""

    def __init__(self, pbx: Instance, watch: Watch) -> None:
        self.pbx = pbx
        self.watch = watch
        self.bridges: dict[str, set[str]] = {}  # bridge id -> unique ids of its channels
        self.callers: dict[str, str] = {}  # number of a bridged caller -> unique id of his channel
        self.user_events: list[Message] = []  # since the last reset
        self._call_ids: dict[str, str] = {}  # SIP Call-ID -> unique id
        pbx.ami.listeners.append(self._listen)

    def _listen(self, message: Message) -> None:
        match message["Event"]:
            case "BridgeEnter":
                self.bridges.setdefault(message["BridgeUniqueid"], set()).add(message["Uniqueid"])
                self.callers[message["CallerIDNum"]] = message["Uniqueid"]
            case "BridgeLeave":
                self.bridges.get(message["BridgeUniqueid"], set()).discard(message["Uniqueid"])
            case "BridgeDestroy":
                self.bridges.pop(message["BridgeUniqueid"], None)
            case "UserEvent":
                self.user_events.append(message)
            case "FullyBooted":
                self.bridges.clear()
                self.callers.clear()
                self._call_ids.clear()
        self.watch.wake()

    def with_channel(self, channel: str) -> set[str]:
        """Return the channels in the same bridge as this one, itself included; empty where it is in none."""
        return next((members for members in self.bridges.values() if channel in members), set())

    def bridged(self, *channels: str) -> bool:
        """Whether exactly these channels share a bridge."""
        return self.with_channel(channels[0]) == set(channels)

    async def partner(self, channel: str) -> str:
        """Wait until the channel is in a bridge with one other, and return that."""
        others = await self.watch.until(
            lambda: self.with_channel(channel) - {channel}, what=f"{channel} to be bridged"
        )
        return next(iter(others))

    async def channel_of(self, call_id: str) -> str:
        """Return the unique id of the PBX's channel of a SIP call."""

        async def look() -> str | None:
            if call_id not in self._call_ids:
                for channel in await self.pbx.channels():
                    await self.call_id_of(channel["Uniqueid"], channel["Channel"])
            return self._call_ids.get(call_id)

        return await self.watch.until(look, what=f"the PBX to have the call {call_id}")

    async def call_id_of(self, channel: str, name: str = "PJSIP/") -> str:
        """Return the SIP Call-ID of a PBX channel; "" where it has none."""
        known = {one: call_id for call_id, one in self._call_ids.items()}
        if channel in known or not name.startswith("PJSIP/"):
            return known.get(channel, "")
        try:
            call_id = await self.pbx.variable(channel, "CHANNEL(pjsip,call-id)")
        except AmiError:
            return ""  # it is gone by now
        self._call_ids[call_id] = channel
        return call_id

    async def registered(self, phones: Collection[str]) -> None:
        """Wait until these phones are registered and reachable."""

        async def all_there() -> bool:
            try:
                states = await self.pbx.ami.listing("PJSIPShowContacts")
            except AmiError:
                return False  # an empty list is an error to AMI
            there = {state["Endpoint"] for state in states if state.get("Status") == "Reachable"}
            return there >= set(phones)

        await self.watch.until(all_there, 15.0, what=f"{', '.join(phones)} to register")
