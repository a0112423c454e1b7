"""When things were seen, on one clock for all contenders.

Phones: the kernel's time stamp on the SIP packet between PBX and phone. Bridges and the dialplan's
marks: the time the PBX itself writes into the event. Both are the machine's clock.
"""

from collections import defaultdict

from tests.lab import Lab
from tests.lab.ami import Message

EVENTS = "call,user"  # all that is needed; the rest would only load the machine


class Sightings:
    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._marks: dict[str, float] = {}
        self._entered: defaultdict[str, dict[str, float]] = defaultdict(dict)  # bridge -> channel -> when
        self._phones: dict[str, tuple[str, str]] = {}  # phone -> the bridge and channel of its last entry
        self.up: set[str] = set()  # the phones' channels that are bridged
        lab.pbx.ami.listeners.append(self._listen)

    async def quieten(self) -> None:
        """Ask both Asterisks for no more events than are looked at."""
        for instance in (self._lab.pbx, self._lab.world.instance):
            await instance.ami.action("Events", EventMask=EVENTS)

    def _listen(self, event: Message) -> None:
        match event["Event"]:
            case "UserEvent" if event["UserEvent"] == "BenchMark":
                self._marks[event["Uniqueid"]] = float(event["Timestamp"])
            case "BridgeEnter":
                bridge, channel = event["BridgeUniqueid"], event["Uniqueid"]
                self._entered[bridge][channel] = float(event["Timestamp"])
                phone = event["Channel"].removeprefix("PJSIP/").rpartition("-")[0]
                self._phones[phone] = (bridge, channel)

    def mark(self, lead: str) -> float | None:
        """When the lead's channel came to the application that rings somebody."""
        return self._marks.get(lead)

    def joined(self, phone: str, lead: str) -> float | None:
        """When phone and lead were in one bridge, both of them."""
        if phone not in self._phones:
            return None
        bridge, channel = self._phones[phone]
        members = self._entered[bridge]
        return max(members[channel], members[lead]) if lead in members else None

    def forget(self) -> None:
        self._marks.clear()
        self._entered.clear()
        self._phones.clear()
        self._lab.wire.forget()
