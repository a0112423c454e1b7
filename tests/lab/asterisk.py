"""An Asterisk as the PBX under test, as its events tell."""

import contextlib
from collections.abc import Sequence

from tests.lab import rendering
from tests.lab.ami import AmiError, Message
from tests.lab.appbots import AppBots
from tests.lab.instance import Instance
from tests.lab.parties import Party
from tests.lab.switch import Switch
from tests.lab.watch import Watch

PLACE = ("Uniqueid", "Channel", "Context", "Exten", "Priority", "Application", "BridgeId")


class AsteriskSwitch(Switch):
    kind = "asterisk"
    keeps_registrations = True
    outside = "PJSIP/{address}@trunk"

    def __init__(self, pbx: Instance, watch: Watch) -> None:
        super().__init__(pbx, watch)
        self.pbx = pbx
        self.bridges: dict[str, set[str]] = {}  # bridge id -> unique ids of its channels
        pbx.ami.listeners.append(self._listen)

    @property
    def trunk_port(self) -> int:
        return self.pbx.sip_port

    def render(self, world_port: int, app_bots: AppBots, phone_secret: str) -> None:
        rendering.render_pbx(self.pbx, world_port, app_bots, phone_secret)

    def keep_sound(self, name: str, samples: bytes) -> None:
        (self.folder / f"{name}.sln").write_bytes(samples)

    async def ping(self, timeout_s: float) -> None:
        await self.pbx.ami.action("Ping", timeout_s=timeout_s)

    def _listen(self, message: Message) -> None:
        match message["Event"]:
            case "BridgeEnter":
                self.bridges.setdefault(message["BridgeUniqueid"], set()).add(message["Uniqueid"])
                self.callers[message["CallerIDNum"]] = message["Uniqueid"]
            case "BridgeLeave":
                self.bridges.get(message["BridgeUniqueid"], set()).discard(message["Uniqueid"])
            case "BridgeDestroy":
                self.bridges.pop(message["BridgeUniqueid"], None)
            case "Hangup":
                self.causes[message["Uniqueid"]] = int(message["Cause"])
            case "DTMFEnd":
                self.keys.append(message["Digit"])
            case "UserEvent":
                self.user_events.append(message)
            case "FullyBooted":
                self.bridges.clear()
                self.callers.clear()
                self._call_ids.clear()
        self.watch.wake()

    def with_channel(self, channel: str) -> set[str]:
        return next((members for members in self.bridges.values() if channel in members), set())

    async def channels(self) -> list[str]:
        return [channel["Uniqueid"] for channel in await self.pbx.channels()]

    async def places(self, *channels: str) -> Sequence[object]:
        known = await self.pbx.channels()
        return sorted(tuple(one[key] for key in PLACE) for one in known if one["Uniqueid"] in channels)

    async def mixes(self, channel: str) -> bool:
        del channel  # all are looked at
        return "softmix" in await self.pbx.cli("bridge show all")

    async def bot_key(self, lead_channel: str, bot_channel: str | None) -> str:
        on = lead_channel
        if bot_channel is not None:
            on = (await self.pbx.variable(bot_channel, "CHANNEL(name)")).removesuffix("1") + "2"
        return await self.pbx.variable(on, "BOT_ID") or lead_channel

    async def _learn_call_ids(self) -> None:
        for channel in await self.pbx.channels():
            if channel["Channel"].startswith("PJSIP/"):
                await self.call_id_of(channel["Uniqueid"])

    async def call_id_of(self, channel: str) -> str:
        known = {one: call_id for call_id, one in self._call_ids.items()}
        if channel in known:
            return known[channel]
        try:
            call_id = await self.pbx.variable(channel, "CHANNEL(pjsip,call-id)")
        except AmiError:
            return ""  # it is gone by now
        self._call_ids[call_id] = channel
        return call_id

    async def registrations(self) -> set[str]:
        try:
            states = await self.pbx.ami.listing("PJSIPShowContacts")
        except AmiError:
            return set()  # an empty list is an error to AMI
        return {state["Endpoint"] for state in states if state.get("Status") == "Reachable"}

    def dial(self, party: Party) -> str:
        return self.outside.format(address=party.number) if party.number else f"PJSIP/{party.name}"

    async def ring(self, party: Party, channel: str, *, timeout_s: float, alert_info: str) -> None:
        await self.pbx.ami.action(
            "Originate",
            Channel=self.dial(party),
            ChannelId=channel,
            Application="Wait",
            Data="60",
            CallerID='"Lena Lead" <+493023125001>',
            Timeout=str(round(timeout_s * 1000)),
            Variable=f"PJSIP_HEADER(add,Alert-Info)={alert_info}",
            Async="true",
        )

    async def join(self, channel: str, lead_channel: str) -> None:
        name = await self.pbx.variable(lead_channel, "CHANNEL(name)")
        await self.pbx.ami.action("Setvar", Channel=channel, Variable="LAB_LEAD", Value=name)
        await self.redirect(channel, "lab-hold", "join")

    async def release_bot(self, bot: str, lead: str, agent: str) -> None:
        del lead, agent  # they stay in the bridge
        await self.hang_up(bot)

    async def redirect(self, channel: str, context: str, exten: str) -> None:
        await self.pbx.ami.action("Redirect", Channel=channel, Context=context, Exten=exten, Priority="1")

    async def hang_up(self, channel: str, *, elsewhere: bool = False) -> None:
        with contextlib.suppress(AmiError):  # it is gone by now
            await self.pbx.ami.action("Hangup", Channel=channel, Cause="26" if elsewhere else "16")

    async def leave_something(self) -> None:
        await self.pbx.ami.action(
            "Originate", Channel="Local/wait@lab-hold/n", Application="Wait", Data="60", Async="true"
        )

    async def prepare_bench(self) -> None:
        """Its queues are there from the start."""

    async def set_global(self, name: str, value: str) -> None:
        await self.pbx.set_global(name, value)

    async def fallbacks(self, bot: str) -> str:
        said = await self.pbx.cli(f"database get callcontrol fallback-{bot}")
        return said.partition("Value: ")[2]
