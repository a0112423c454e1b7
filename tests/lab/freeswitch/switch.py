"""A FreeSWITCH as the PBX under test, as its events tell."""

import contextlib
import json
import wave
from collections.abc import Sequence
from typing import Any

from tests.lab.appbots import AppBots
from tests.lab.freeswitch.esl import EslError, Message
from tests.lab.freeswitch.rendering import render_pbx
from tests.lab.freeswitch.server import FreeSwitchServer
from tests.lab.parties import Party
from tests.lab.switch import Switch
from tests.lab.watch import Watch

DOMAIN = "127.0.0.1"
HOLD_AGAIN = 180  # half an hour: mod_local_stream is silent for a second when its folder has been played
LISTENS_IN = ("three_way", "eavesdrop")
PLACE = (
    "Channel-State",
    "Caller-Context",
    "Caller-Destination-Number",
    "variable_current_application",
    "variable_current_application_data",
    "variable_signal_bond",
)


class FreeSwitch(Switch):
    kind = "freeswitch"
    keeps_registrations = False
    outside = "sofia/gateway/trunk/{address}"

    def __init__(self, pbx: FreeSwitchServer, watch: Watch) -> None:
        super().__init__(pbx, watch)
        self.pbx = pbx
        self._alive: set[str] = set()
        self._other: dict[str, str] = {}  # of two bridged channels, both ways
        self._listens_in: dict[str, str] = {}  # a third party's channel -> whose it has joined
        pbx.esl.listeners.append(self._listen)

    @property
    def trunk_port(self) -> int:
        return self.pbx.trunk_port

    def render(self, world_port: int, app_bots: AppBots, phone_secret: str) -> None:
        render_pbx(self.pbx, world_port, app_bots, phone_secret)

    def keep_sound(self, name: str, samples: bytes) -> None:
        with wave.open(str(self.folder / f"{name}.wav"), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(8000)
            out.writeframes(samples)

    async def start(self) -> None:
        self._forget_all()
        music = self.folder / "moh" / "hold.wav"
        for n in range(HOLD_AGAIN):
            (again := music.with_stem(f"hold-{n}")).unlink(missing_ok=True)
            again.hardlink_to(music)
        await super().start()

    async def restart(self, *, crash: bool = False) -> None:
        await super().restart(crash=crash)
        self._forget_all()

    def _forget_all(self) -> None:
        """Nothing of before is left, and nothing has told so."""
        self._alive.clear()
        self._other.clear()
        self._listens_in.clear()
        self._call_ids.clear()

    async def ping(self, timeout_s: float) -> None:
        await self.pbx.esl.api("status", timeout_s=timeout_s)

    def _listen(self, event: Message) -> None:
        channel = event.get("Unique-ID", "")
        match event["Event-Name"]:
            case "CHANNEL_CREATE":
                self._alive.add(channel)
            case "CHANNEL_ANSWER":
                self._call_ids[event.get("variable_sip_call_id", channel)] = channel
            case "CHANNEL_BRIDGE":
                one, other = event["Bridge-A-Unique-ID"], event["Bridge-B-Unique-ID"]
                self._other |= {one: other, other: one}
                self.callers[event.get("Caller-Caller-ID-Number", "")] = channel
            case "CHANNEL_UNBRIDGE":
                self._part(event["Bridge-A-Unique-ID"], event["Bridge-B-Unique-ID"])
            case "CHANNEL_EXECUTE" if event["Application"] in LISTENS_IN:
                self._listens_in[channel] = event["Application-Data"]
            case "CHANNEL_EXECUTE_COMPLETE" if event["Application"] in LISTENS_IN:
                self._listens_in.pop(channel, None)
            case "CHANNEL_HANGUP_COMPLETE":
                self.causes[channel] = int(event.get("variable_hangup_cause_q850", "0"))
                self._part(channel, self._other.get(channel, ""))
            case "CHANNEL_DESTROY":
                self._alive.discard(channel)
                self._listens_in.pop(channel, None)
            case "DTMF":
                self.keys.append(event["DTMF-Digit"])
            case "CUSTOM":
                name = event["Event-Subclass"].removeprefix("lab::")
                self.user_events.append(event | {"UserEvent": name, "Uniqueid": channel})
        self.watch.wake()

    def _part(self, one: str, other: str) -> None:
        if self._other.get(one) == other:
            del self._other[one]
        if self._other.get(other) == one:
            del self._other[other]

    def with_channel(self, channel: str) -> set[str]:
        pair = {channel, self._other[channel]} if channel in self._other else set()
        for third, whose in self._listens_in.items():
            if channel in (third, whose) or whose in pair:
                pair |= {third, whose} | ({self._other[whose]} if whose in self._other else set())
        return pair

    async def channels(self) -> list[str]:
        return sorted(self._alive)

    async def places(self, *channels: str) -> Sequence[object]:
        dumps = [await self._dump(channel) for channel in sorted(channels)]
        return [tuple(dump.get(key) for key in PLACE) for dump in dumps]

    async def _dump(self, channel: str) -> dict[str, Any]:
        dump: dict[str, Any] = json.loads(await self.pbx.esl.api(f"uuid_dump {channel} json"))
        return dump

    async def mixes(self, channel: str) -> bool:
        return "<media-bug>" in await self.pbx.esl.api(f"uuid_buglist {channel}")

    async def bot_key(self, lead_channel: str, bot_channel: str | None) -> str:
        if bot_channel is None:
            return lead_channel
        return await self.pbx.variable(bot_channel, "other_loopback_leg_uuid")

    async def _learn_call_ids(self) -> None:
        """Each is told with the answer."""

    async def call_id_of(self, channel: str) -> str:
        known = {one: call_id for call_id, one in self._call_ids.items()}
        return known.get(channel, "")

    async def registrations(self) -> set[str]:
        known = await self.pbx.esl.api("sofia status profile internal reg")
        users = (line.partition(":")[2] for line in known.splitlines() if line.startswith("User:"))
        return {user.strip().partition("@")[0] for user in users}

    def dial(self, party: Party) -> str:
        return self.outside.format(address=party.number) if party.number else f"user/{party.name}@{DOMAIN}"

    async def ring(self, party: Party, channel: str, *, timeout_s: float, alert_info: str) -> None:
        await self.originate(
            self.dial(party),
            "&playback(silence_stream://60000)",  # a parked leg would send nothing
            origination_uuid=channel,
            originate_timeout=str(round(timeout_s) + 1),  # whole seconds of the clock are counted
            **({"sip_h_Alert-Info": alert_info} if alert_info else {}),
        )

    async def originate(self, dial: str, to: str, **variables: str) -> None:
        """Ring somebody from nowhere."""
        known = {
            "ignore_early_media": "true",
            "outbound_redirect_fatal": "true",
            "origination_caller_id_name": "'Lena Lead'",
            "origination_caller_id_number": "+493023125001",
        } | variables
        given = ",".join(f"{key}={value}" for key, value in known.items())
        await self.pbx.esl.background(f"originate {{{given}}}{dial} {to}")

    async def join(self, channel: str, lead_channel: str) -> None:
        await self.pbx.esl.api(f"uuid_transfer {channel} three_way:{lead_channel} inline")

    async def release_bot(self, bot: str, lead: str, agent: str) -> None:
        del bot  # nobody is left for it to talk with
        await self.pbx.esl.api(f"uuid_bridge {lead} {agent}")

    async def redirect(self, channel: str, context: str, exten: str) -> None:
        await self.pbx.esl.api(f"uuid_transfer {channel} {exten} XML {context}")

    async def hang_up(self, channel: str, *, elsewhere: bool = False) -> None:
        with contextlib.suppress(EslError):  # it is gone by now
            await self.pbx.esl.api(f"uuid_kill {channel} {'LOSE_RACE' if elsewhere else 'NORMAL_CLEARING'}")

    async def leave_something(self) -> None:
        await self.originate("loopback/wait/lab-hold", "&park()")

    async def prepare_bench(self) -> None:
        if await self.pbx.esl.api("module_exists mod_callcenter") != "true":
            await self.pbx.esl.api("load mod_callcenter")

    async def set_global(self, name: str, value: str) -> None:
        await self.pbx.esl.api(f"global_setvar {name}={value}")

    async def fallbacks(self, bot: str) -> str:
        try:
            return await self.pbx.esl.api(f"global_getvar callcontrol_fallback_{bot}")
        except EslError:  # "-ERR no reply": none yet
            return ""
