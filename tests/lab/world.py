"""The outside world: its parties and the calls each of them has."""

import contextlib
import uuid
from dataclasses import dataclass, field

from tests.lab.ami import Message
from tests.lab.behaviour import Behaviour, Dead
from tests.lab.instance import Instance, LabError
from tests.lab.parties import BY_EXTEN, BY_NAME, PARTIES, PHONES, Party
from tests.lab.relay import Router
from tests.lab.watch import Watch

REGISTER_TRIES, REGISTER_TRY_S = 5, 2.0


@dataclass(kw_only=True)
class Leg:
    """One call of one party, on the world's side. Times are wall-clock seconds."""

    who: str
    channel: str
    channel_id: str
    call_id: str
    started_at: float
    media_port: int = 0  # known once it talks
    talking_at: float | None = None
    ended_at: float | None = None

    @property
    def alive(self) -> bool:
        return self.ended_at is None


class World:
    """The second Asterisk, and a ledger of every leg that began since the last `forget`."""

    def __init__(self, instance: Instance, watch: Watch) -> None:
        self.instance = instance
        self.watch = watch
        self.legs: list[Leg] = []
        self.routers = {name: Router(inside_port=instance.sip_port) for name in PHONES}
        self.parties = {party.name: PartyLine(party, self) for party in PARTIES}
        self.has_pjsip_hangup = False
        instance.ami.listeners.append(self._listen)

    def _listen(self, message: Message) -> None:
        match message["Event"], message.get("UserEvent"):
            case "UserEvent", "LabCalled":
                self._leg(message)
            case "UserEvent", "LabTalking":
                leg = self._leg(message)
                leg.media_port = int(message["Media"].rpartition(":")[2])
                leg.talking_at = float(message["Timestamp"])
            case "Hangup", _:
                for leg in self.legs:
                    if leg.channel == message["Channel"] and leg.alive:
                        leg.ended_at = float(message["Timestamp"])
        self.watch.wake()

    def _leg(self, message: Message) -> Leg:
        """Return the leg a UserEvent is about, entered in the ledger where it is new."""
        for leg in reversed(self.legs):
            if leg.channel == message["Channel"] and leg.alive:
                return leg
        exten = message["Who"]
        leg = Leg(
            who=BY_EXTEN[exten].name if exten in BY_EXTEN else exten,
            channel=message["Channel"],
            channel_id=message["Uniqueid"],
            call_id=message["CallId"],
            started_at=float(message["Timestamp"]),
        )
        self.legs.append(leg)
        return leg

    def leg_by_id(self, channel_id: str) -> Leg | None:
        return next((leg for leg in self.legs if leg.channel_id == channel_id and leg.talking_at), None)

    async def place(self, caller: Party, channel: str) -> Leg:
        """Have somebody outside call the PBX; return the leg when it was answered."""
        channel_id = str(uuid.uuid4())
        await self.instance.ami.action(
            "Originate",
            Channel=channel,
            ChannelId=channel_id,
            Context="talking",
            Exten=caller.exten,
            Priority="1",
            CallerID=f'"{caller.display}" <{caller.number or caller.name}>',
            Timeout="60000",
            Async="true",
        )
        return await self.watch.until(
            lambda: self.leg_by_id(channel_id), 15.0, what=f"{caller.name}'s call to be answered"
        )

    async def booted(self) -> None:
        """Learn what this Asterisk can do."""
        known = await self.instance.cli("core show application PJSIPHangup")
        self.has_pjsip_hangup = "Synopsis" in known
        await self.instance.set_global("HAS_PJSIPHANGUP", "1" if self.has_pjsip_hangup else "0")

    async def phones_register(self) -> None:
        """Those that are not, because a PBX that was not up yet has put them off by minutes; returns when all are."""
        for name in (
            set(self.routers) - await self.registered()
        ):  # one that is would sign off first, for a second
            await self.instance.ami.action("PJSIPRegister", Registration=name)

        async def all_there() -> bool:
            return await self.registered() == set(self.routers)

        await self.watch.until(all_there, 15.0, what="every phone to be registered")

    async def registered(self) -> set[str]:
        """The desk phones that are, as far as they know: a PBX may still have one that it has put off, and lose it later."""
        known = await self.instance.cli("pjsip show registrations")
        rows = (line.split() for line in known.splitlines())
        return {row[0].partition("/")[0] for row in rows if row[2:3] == ["Registered"]}

    def forget(self) -> None:
        self.legs = [leg for leg in self.legs if leg.alive]

    async def behave(self) -> None:
        """Everybody's behaviour back to the default: answer at once, registered, cables in."""
        for line in self.parties.values():
            await line.behave()
        await self.instance.set_global("BULK_ANSWERS_AFTER_S", "0")


@dataclass
class LegHandle:
    """What a party can do on one leg of its own."""

    leg: Leg
    world: World

    @property
    def alive(self) -> bool:
        return self.leg.alive

    async def is_gone(self, timeout_s: float = 10.0) -> None:
        """Wait until this leg has ended, whoever ended it."""
        await self.world.watch.until(lambda: not self.alive, timeout_s, what=f"{self.leg.who}'s leg to end")

    async def hang_up(self) -> None:
        """Hang up; a ringing leg is declined."""
        if self.leg.alive:
            await self.world.instance.ami.action(
                "Hangup", Channel=self.leg.channel, Cause="16" if self.leg.talking_at else "21"
            )
            await self.world.watch.until(lambda: not self.leg.alive, what=f"{self.leg.who} to hang up")

    async def press(self, digits: str, *, duration_ms: int = 120) -> None:
        """Press keys, one after another (RFC 4733)."""
        for digit in digits:
            await self.world.instance.ami.action(
                "PlayDTMF", Channel=self.leg.channel, Digit=digit, Duration=str(duration_ms)
            )

    async def answer(self, other: "LegHandle | None" = None) -> None:
        """Pick up a ringing leg now. With `other` both do in one instant, and one may find its caller gone."""
        legs = [self.leg, other.leg] if other else [self.leg]
        await self._go("talking", *legs[1:])
        await self.world.watch.until(
            lambda: any(leg.talking_at for leg in legs), what=f"{self.leg.who} to talk"
        )

    async def hush(self) -> None:
        """Stop speaking, stay on the line."""
        await self._go("silent")

    async def speak(self, tone_hz: int | None = None) -> None:
        """Speak (again), in the party's own voice or at another tone."""
        await self.world.instance.ami.action(
            "Setvar", Channel=self.leg.channel, Variable="tone", Value=str(tone_hz or "")
        )
        await self._go("speaking")

    async def _go(self, context: str, other: Leg | None = None) -> None:
        """With `other` both go in one stroke."""
        fields = {"Channel": self.leg.channel} | _place(self.leg, context)
        if other is not None:
            more = {"Channel": other.channel} | _place(other, context)
            fields |= {f"Extra{key}": value for key, value in more.items()}
        await self.world.instance.ami.action("Redirect", **fields)


def _place(leg: Leg, context: str) -> dict[str, str]:
    party = BY_NAME.get(leg.who)
    return {"Context": context, "Exten": party.exten if party else "s", "Priority": "1"}


@dataclass
class PartyLine:
    """A party's phone: what it will do when called, and what it does on its latest leg."""

    party: Party
    world: World
    _absent: bool = field(default=False)

    @property
    def name(self) -> str:
        return self.party.name

    @property
    def number(self) -> str:
        return self.party.number

    @property
    def legs(self) -> list[Leg]:
        return [leg for leg in self.world.legs if leg.who == self.name]

    @property
    def leg(self) -> Leg | None:
        """Its latest leg that is still alive."""
        return next((leg for leg in reversed(self.legs) if leg.alive), None)

    @property
    def is_ringing(self) -> bool:
        return self.leg is not None and self.leg.talking_at is None

    @property
    def is_talking(self) -> bool:
        return self.leg is not None and self.leg.talking_at is not None

    async def will(self, behaviour: Behaviour) -> None:
        """Behave so from the next call on."""
        router = self.world.routers.get(self.name)
        if router is not None:
            router.plugged_in = not isinstance(behaviour, Dead)
        await self.world.instance.set_global(f"WILL_{self.party.exten}", behaviour.spell())

    async def behave(self) -> None:
        await self.world.instance.set_global(f"WILL_{self.party.exten}", "")
        if (router := self.world.routers.get(self.name)) is not None:
            router.plugged_in = True
            if self._absent:
                await self.register()

    async def dials(self, number: str) -> LegHandle:
        """A desk phone calls an extension of the PBX, or a code; returns when that has answered."""
        if self.name not in self.world.routers:
            raise LabError(f"{self.name} is no phone of the company's")
        return LegHandle(await self.world.place(self.party, f"PJSIP/{number}@{self.name}-line"), self.world)

    async def unregister(self) -> None:
        """Sign a desk phone off from the PBX; returns when the PBX has noticed."""
        await self._registration("PJSIPUnregister", registered=False)
        self._absent = True

    async def register(self) -> None:
        await self._registration("PJSIPRegister", registered=True)
        self._absent = False

    async def _registration(self, action: str, *, registered: bool) -> None:
        if self.name not in self.world.routers:
            raise LabError(f"{self.name} has a number, not a phone that registers")

        async def settled() -> bool:
            return (self.name in await self.world.registered()) is registered

        for _ in range(REGISTER_TRIES):  # it does not listen while it registers by itself
            await self.world.instance.ami.action(action, Registration=self.name)
            with contextlib.suppress(TimeoutError):
                await self.world.watch.until(settled, REGISTER_TRY_S)
                return
        raise LabError(f"{self.name} could not be brought to {action}")

    async def rings(self, timeout_s: float = 10.0) -> Leg:
        """Wait until it rings."""
        return await self.world.watch.until(
            lambda: self.leg if self.is_ringing else None, timeout_s, what=f"{self.name} to ring"
        )

    async def talks(self, timeout_s: float = 10.0) -> Leg:
        """Wait until it is on the line."""
        return await self.world.watch.until(
            lambda: self.leg if self.is_talking else None, timeout_s, what=f"{self.name} to talk"
        )

    async def is_idle(self, timeout_s: float = 10.0) -> None:
        """Wait until it has no call."""
        await self.world.watch.until(lambda: self.leg is None, timeout_s, what=f"{self.name} to be idle")

    def _on(self) -> LegHandle:
        if self.leg is None:
            raise LabError(f"{self.name} has no call")
        return LegHandle(self.leg, self.world)

    async def hang_up(self) -> None:
        await self._on().hang_up()

    async def answer(self, other: "PartyLine | None" = None) -> None:
        await self._on().answer(other._on() if other else None)

    async def press(self, digits: str) -> None:
        await self._on().press(digits)

    async def hush(self) -> None:
        await self._on().hush()

    async def speak(self, tone_hz: int | None = None) -> None:
        await self._on().speak(tone_hz)
