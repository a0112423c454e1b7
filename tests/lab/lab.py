"""The lab: a PBX under test, an Asterisk as the outside world, and everybody who lives there."""

import asyncio
import itertools
import secrets
import struct
import tempfile
from collections.abc import Callable, Collection, Sequence
from math import pi, sin
from pathlib import Path
from typing import Literal, TypeVar

from tests.lab import parties, rendering
from tests.lab.ami import Message
from tests.lab.appbots import AppBot, AppBots
from tests.lab.asterisk import AsteriskSwitch
from tests.lab.calls import Call, Leftovers
from tests.lab.choice import pbx_wanted, switch_of
from tests.lab.instance import Instance, LabError
from tests.lab.lamp import Lamp
from tests.lab.listening import Heard
from tests.lab.provision import Installation, provision
from tests.lab.recordings import Recordings
from tests.lab.sip import ReceivedCall, ReceivedMessage, received_calls, received_messages
from tests.lab.switch import PbxKind
from tests.lab.watch import Watch
from tests.lab.wire import Wire
from tests.lab.world import Leg, LegHandle, PartyLine, World

T = TypeVar("T")
FAREWELL_S = 5.0  # a phone that was rung as the others hung up is picked up, and hears that the lead has gone
AppBotKind = Literal["audiosocket", "agi", "audiosocket_asks"]
APP_BOT_DIDS: dict[str, str] = {
    "audiosocket": parties.DID_AUDIOSOCKET,
    "agi": parties.DID_AGI,
    "audiosocket_asks": parties.DID_AUDIOSOCKET_ASKS,
    "local": parties.DID_LOCAL_BOT,
}


class Lab:
    """Start it with `Lab.start()`, end it with `stop()`. Several can run side by side."""

    def __init__(self, run_dir: Path, pbx: PbxKind, installation: Installation) -> None:
        self.run_dir = run_dir
        self.recordings_dir = run_dir / "recordings"
        self.sounds_dir = run_dir / "sounds"  # what is written here the PBX sees, at the same path
        self.watch = Watch()
        self.wait_until = self.watch.until  # looked at after every event of either switch
        world = Instance("world", installation, run_dir, [rendering.CHECKOUT])
        self.world = World(world, self.watch)
        self.switch = switch_of(pbx, installation, run_dir, self.watch)
        self.app_bots = AppBots(self.watch.wake)
        self.wire = Wire(sip_port=world.sip_port, rtp_first=world.rtp.first, rtp_last=world.rtp.last)
        self.recordings = Recordings(self.world, self.app_bots, self.wire)
        self._rotation = itertools.count(1)
        self._bulk = itertools.count(1)
        self._phone_secret = secrets.token_hex(12)
        self._lamps: list[Lamp] = []

    @classmethod
    async def start(
        cls,
        run_dir: Path | None = None,
        *,
        pbx: PbxKind | None = None,
        say: Callable[[str], None] | None = None,
    ) -> "Lab":
        """Start the PBX (that of the environment's PBX, else Asterisk) and the world; return with every phone registered.

        The run directory is kept at the end.
        """
        say = say or (lambda _text: None)
        installation = await asyncio.to_thread(provision)
        run_dir = run_dir or Path(tempfile.mkdtemp(prefix="callcontrol-lab-"))
        run_dir.mkdir(parents=True, exist_ok=True)
        lab = cls(run_dir, pbx or pbx_wanted(), installation)
        say(f"PBX: {lab.switch.product}; world: {lab.world.instance.product}; everything in {run_dir}")
        try:
            await lab._boot()
        except BaseException:
            await lab.stop()
            raise
        say(f"PBX: SIP {lab.switch.phones_port}; world: SIP {lab.world.instance.sip_port}")
        return lab

    async def _boot(self) -> None:
        for folder in (self.recordings_dir, self.sounds_dir):
            folder.mkdir(exist_ok=True)
        self.wire.open()
        await self.app_bots.start()
        for router in self.world.routers.values():
            router.outside_port = self.switch.phones_port
            await router.open()
        self.switch.render(self.world.instance.sip_port, self.app_bots, self._phone_secret)
        rendering.render_world(self.world, self.switch.trunk_port, self._phone_secret)
        self.app_bots.sounds_dir = str(self.switch.folder)
        self.switch.keep_sound("moh/hold", _tone(parties.MOH_HZ, 10))
        self.switch.keep_sound("bot", _tone(parties.BY_NAME["bot"].tone_hz, 2))
        self.switch.keep_sound("silence", bytes(2 * 2 * 8000))
        async with asyncio.TaskGroup() as both:
            both.create_task(self.switch.start())
            both.create_task(self.world.instance.start())
        await self.world.booted()
        await self._phones_register(parties.PHONES)

    async def _phones_register(self, phones: Collection[str]) -> None:
        await self.world.phones_register()
        await self.switch.registered(phones)

    async def restart(self, *, crash: bool = False) -> None:
        """Restart the PBX, as `Switch.restart` does; return with every phone registered, whether or not the PBX
        has seen yet that it can be reached.

        A FreeSWITCH that starts or ends has put off by five minutes whichever phone came just then, and forgets it
        a minute later.
        """
        await self.switch.restart(crash=crash)
        await self._phones_register(() if self.switch.keeps_registrations else parties.PHONES)

    async def stop(self) -> None:
        """End everything that was started."""
        if self.recordings_dir.exists():
            self.save_recordings()
        await asyncio.gather(self.switch.stop(), self.world.instance.stop())
        await self.app_bots.stop()
        for router in self.world.routers.values():
            router.close()
        for lamp in self._lamps:
            lamp.close()
        self.wire.close()
        self.switch.release()
        self.world.instance.release()

    @property
    def pbx(self) -> Instance:
        """The Asterisk under test, for what only an Asterisk can do; all else goes by `switch`."""
        if not isinstance(self.switch, AsteriskSwitch):
            raise LabError("the PBX under test is no Asterisk")
        return self.switch.pbx

    # ---- the parties

    def phone(self, name: str) -> PartyLine:
        """Anybody by name: a desk phone, a mobile, the front desk, the bot, a lead."""
        return self.world.parties[name]

    async def lamp(self, agent_id: str) -> Lamp:
        """An agent's lamp as a phone that subscribed to it shows it. It stays until the lab stops."""
        lamp = Lamp(f"callcontrol-{agent_id}", self.switch.phones_port, self._phone_secret, self.watch)
        self._lamps.append(lamp)
        return await lamp.open()

    def calls_received(self, name: str) -> list[ReceivedCall]:
        """Return the calls a party's phone got since the last reset, and what it was shown of each."""
        self.wire.catch_up()
        party = parties.BY_NAME.get(name)
        users = {name} if party is None else {party.name, party.number}
        return [call for call in received_calls(self.wire.sip, self.wire.sip_port) if call.who in users]

    def messages_received(self, name: str) -> list[ReceivedMessage]:
        """The SIP messages a phone got since the last reset."""
        self.wire.catch_up()
        return [one for one in received_messages(self.wire.sip, self.wire.sip_port) if one.who == name]

    # ---- calls

    async def call(
        self,
        caller: Literal["lead", "bot"] = "lead",
        *,
        lead: str = "lead",
        bot: Literal["sip", "local"] = "sip",
    ) -> Call:
        """Put up a call in which the bot is a leg of its own, and return once both hear each other.

        The lead calls in, or the bot calls out. `bot="local"` is no SIP bot but an AudioSocket bot behind a Local
        channel; there the lead calls.
        """
        who = parties.BY_NAME[lead]
        if bot == "local":
            return await self._call_app_bot("local", lead)
        if caller == "lead":
            number, line = parties.DID_BOT, "pbx"
        else:
            number, line, who = who.number, "pbx-bot", parties.BY_NAME["bot"]
        caller_leg = await self.world.place(who, f"PJSIP/{number}@{line}")
        caller_channel = await self.switch.channel_of(caller_leg.call_id)
        callee_channel = await self.switch.partner(caller_channel)
        callee_leg = await self._leg_of(callee_channel)
        pair = [(caller_leg, caller_channel), (callee_leg, callee_channel)]
        (lead_leg, lead_channel), (bot_leg, bot_channel) = pair if caller == "lead" else reversed(pair)
        call = Call(
            lead=LegHandle(lead_leg, self.world),
            bot=LegHandle(bot_leg, self.world),
            lead_channel=lead_channel,
            bot_channel=bot_channel,
        )
        await self.wait_until(
            lambda: self._hear(lead_leg, "bot") and self._hear(bot_leg, lead),
            what="lead and bot to hear each other",
        )
        return call

    async def call_app_bot(self, kind: AppBotKind = "audiosocket", *, lead: str = "lead") -> Call:
        """Put up a call in which the bot is an application on the lead's channel; return once the lead hears it.

        `audiosocket_asks`: when that bot ends (`call.bot.end()`), the dialplan runs `callcontrol-transfer`.
        """
        return await self._call_app_bot(kind, lead)

    async def _call_app_bot(self, kind: str, lead: str) -> Call:
        leg = await self.world.place(parties.BY_NAME[lead], f"PJSIP/{APP_BOT_DIDS[kind]}@pbx")
        lead_channel = await self.switch.channel_of(leg.call_id)
        bot_channel = await self.switch.partner(lead_channel) if kind == "local" else None
        bot = await self._app_bot(lead_channel, bot_channel)
        await self.wait_until(lambda: self._hear(leg, "bot"), what="the lead to hear the bot")
        return Call(
            lead=LegHandle(leg, self.world), bot=bot, lead_channel=lead_channel, bot_channel=bot_channel
        )

    async def _app_bot(self, lead_channel: str, bot_channel: str | None) -> AppBot:
        async def conversation() -> AppBot | None:
            key = await self.switch.bot_key(lead_channel, bot_channel)
            return next((bot for bot in self.app_bots.conversations if bot.key == key), None)

        return await self.wait_until(conversation, what="the bot to have the lead")

    async def _leg_of(self, channel: str) -> Leg:
        call_id = await self.switch.call_id_of(channel)
        return await self.wait_until(
            lambda: next((leg for leg in self.world.legs if leg.call_id == call_id and leg.talking_at), None),
            what=f"the far end of {channel}",
        )

    def _hear(self, leg: Leg, voice: str) -> bool:
        return voice in self.recordings.heard_just_now(leg)

    async def bulk_calls(self, count: int, *, per_s: float = 40.0) -> list[str]:
        """Put up calls between silent leads and a silent bot, cheaply; return the leads' channels on the PBX."""
        numbers = [f"+493023126{next(self._bulk):04d}" for _ in range(count)]
        for number in numbers:
            await self.world.instance.ami.action(
                "Originate",
                Channel=f"PJSIP/{parties.DID_BULK}@pbx",
                Context="bulk",
                Exten="s",
                Priority="1",
                CallerID=f"Bulk <{number}>",
                Async="true",
            )
            await asyncio.sleep(1 / per_s)
        callers = self.switch.callers
        await self.wait_until(
            lambda: all(number in callers for number in numbers), 30.0, what=f"{count} calls to be up"
        )
        return [callers[number] for number in numbers]

    async def bulk_phones_answer(self, after_s: float | None) -> None:
        """Have p001 to p200 answer after so long and up to 20 ms (they ring first), or never."""
        await self.world.instance.set_global(
            "BULK_ANSWERS_AFTER_S", "never" if after_s is None else str(after_s)
        )

    def user_events(self, name: str) -> list[Message]:
        """Return the PBX's user events of this name since the last reset.

        The lab's own dialplan emits `LabLeadBack` (Result, Why, DialStatus; Uniqueid) where a lead has come back to it.
        """
        return [event for event in self.switch.user_events if event["UserEvent"] == name]

    # ---- what was heard, and waiting

    def heard(self, who: str) -> list[Heard]:
        """Return everything a party heard since the last reset, in order; times are wall-clock seconds."""
        return self.recordings.heard(who)

    def heard_between(self, who: str, start_s: float, end_s: float) -> set[str]:
        """Return whom a party hears between two instants, for 100 ms or more."""
        return self.recordings.heard_between(who, start_s, end_s)

    def who_hears_whom(self, start_s: float, end_s: float) -> dict[str, set[str]]:
        """For every party on the line between two instants: whom it hears."""
        return self.recordings.who_hears_whom(start_s, end_s)

    def heard_prompt(self, who: str, file: Path) -> float | None:
        """Return when a party heard a sound file since the last reset; None where it didn't."""
        return self.recordings.heard_prompt(who, file)

    def longest_silence(self, who: str, start_s: float, end_s: float, *, of: set[str] | None = None) -> float:
        """Return the longest time in which a party hears nothing, or none `of` these; in seconds, by 20 ms."""
        return self.recordings.longest_silence(who, start_s, end_s, of=of)

    def save_recordings(self) -> list[Path]:
        """Write what every party heard since the last reset, as WAV files."""
        return self.recordings.save(self.recordings_dir / f"{next(self._rotation):03d}")

    async def reset(self) -> Leftovers:
        """Everybody hangs up; behaviours back to default; a new recording begins.

        Returns what was still on the PBX when the world had hung up and nobody was being told goodbye any more,
        and which phones were not registered; and mends both.
        """
        self.switch.thaw()
        await self._everyone_hangs_up()
        try:
            await self.quiet(FAREWELL_S)
            channels: Sequence[str] = ()
        except TimeoutError:
            channels = await self.switch.channels()
            for channel in channels:
                await self.switch.hang_up(channel)
            await self.quiet(5.0)
        await self.world.behave()
        if phones := set(parties.PHONES) - await self.world.registered():
            await self._phones_register(phones)
        self.save_recordings()
        self.switch.forget()
        self.wire.forget()
        self.world.forget()
        self.app_bots.forget()
        return Leftovers(channels=tuple(channels), phones=tuple(sorted(phones)))

    async def _everyone_hangs_up(self) -> None:
        await self.world.instance.cli("channel request hangup all")
        for bot in self.app_bots.conversations:
            await bot.end()

    async def quiet(self, timeout_s: float = 10.0) -> None:
        """Wait until neither switch has a call. Raises TimeoutError saying what is left."""
        try:
            await self.wait_until(self._is_quiet, timeout_s)
        except TimeoutError:
            outside = [row["Channel"] for row in await self.world.instance.channels()]
            left = f"on the PBX {await self.switch.channels()}, outside {outside}"
            raise TimeoutError(f"after {timeout_s:g} s there is still {left}") from None

    async def _is_quiet(self) -> bool:
        return not await self.switch.channels() and not await self.world.instance.channels()


def _tone(hertz: int, seconds: int) -> bytes:
    """A tone as signed linear samples, 8 kHz."""
    samples = (round(7000 * sin(2 * pi * hertz * n / 8000)) for n in range(8000))
    return struct.pack("<8000h", *samples) * seconds
