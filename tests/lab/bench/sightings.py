"""When things were seen, on one clock for all contenders.

Phones: the kernel's time stamp on the SIP packet between PBX and phone. Bridges and the dialplan's
marks: the time an Asterisk itself writes into the event; a FreeSWITCH writes the last tick of a timer there, up to
20 ms ago, so that with it the time of arrival counts, some 2 ms later than the event. All are the machine's clock.
"""

import re
import time
from collections import defaultdict
from typing import Protocol

from tests.lab import Lab
from tests.lab.ami import Message
from tests.lab.asterisk import AsteriskSwitch
from tests.lab.freeswitch.switch import FreeSwitch

EVENTS = "call,user"  # all that is needed; the rest would only load the machine


class Sightings(Protocol):
    async def quieten(self) -> None:
        """Ask both switches for no more events than are looked at."""

    def mark(self, lead: str) -> float | None:
        """When the lead's channel came to the application that rings somebody."""

    def joined(self, phone: str, lead: str) -> float | None:
        """When phone and lead came to talk, both of them."""

    def forget(self) -> None: ...


def sightings_of(lab: Lab) -> Sightings:
    if isinstance(lab.switch, FreeSwitch):
        return FreeSwitchSightings(lab, lab.switch)
    assert isinstance(lab.switch, AsteriskSwitch)
    return AsteriskSightings(lab)


class FreeSwitchSightings:
    def __init__(self, lab: Lab, switch: FreeSwitch) -> None:
        self._lab = lab
        self._switch = switch
        self._phones: dict[str, str] = {}  # channel -> the phone it rings
        self._joining: dict[str, str] = {}  # lead -> the channel that is about to listen in
        self._met: dict[tuple[str, str], float] = {}  # phone and lead -> when
        switch.pbx.esl.listeners.append(self._listen)

    async def quieten(self) -> None:
        await self._switch.pbx.esl.subscribe("MEDIA_BUG_START")
        self._switch.pbx.esl.hurry()
        await self._lab.world.instance.ami.action("Events", EventMask=EVENTS)

    def _listen(self, event: Message) -> None:
        at, channel = time.time(), event.get("Unique-ID", "")
        match event["Event-Name"]:
            case "CHANNEL_CREATE":
                self._phones[channel] = "".join(re.findall(r"\bp\d{3}\b", event.get("Channel-Name", "")))
            case "CHANNEL_BRIDGE":
                one, other = event["Bridge-A-Unique-ID"], event["Bridge-B-Unique-ID"]
                for phone, lead in ((one, other), (other, one)):
                    self._met.setdefault((self._phones.get(phone, ""), lead), at)
            case "CHANNEL_EXECUTE" if event["Application"] == "three_way":
                self._joining[event["Application-Data"]] = channel
            case "MEDIA_BUG_START" if (phone := self._joining.pop(channel, None)) is not None:
                self._met.setdefault((self._phones.get(phone, ""), channel), at)

    def mark(self, lead: str) -> float | None:
        """Unknown: what an event of FreeSWITCH's tells has often rung the phone before the event is here."""

    def joined(self, phone: str, lead: str) -> float | None:
        return self._met.get((phone, lead))

    def forget(self) -> None:
        for told in (self._phones, self._joining, self._met):
            told.clear()
        self._lab.wire.forget()


class AsteriskSightings:
    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._marks: dict[str, float] = {}
        self._entered: defaultdict[str, dict[str, float]] = defaultdict(dict)  # bridge -> channel -> when
        self._phones: dict[str, tuple[str, str]] = {}  # phone -> the bridge and channel of its last entry
        self.up: set[str] = set()  # the phones' channels that are bridged
        lab.pbx.ami.listeners.append(self._listen)

    async def quieten(self) -> None:
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
        return self._marks.get(lead)

    def joined(self, phone: str, lead: str) -> float | None:
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
