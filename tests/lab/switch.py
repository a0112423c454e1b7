"""The lab's view of the PBX under test, whichever it is: who is bridged with whom, and what a test may ask of it."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal

from tests.lab.appbots import AppBots
from tests.lab.parties import Party
from tests.lab.server import Link, Server
from tests.lab.watch import Watch

Message = dict[str, str]


PbxKind = Literal["asterisk", "freeswitch"]


class Switch(ABC):
    """Follows the PBX's bridges, and finds the PBX's channel for a leg of the world. Channels go by unique id."""

    kind: PbxKind  # as in callcontrol's own configuration
    keeps_registrations: bool  # over a restart; it asks the phones again, within a minute or when told to
    outside: str  # the dial string of a number outside, there too

    def __init__(self, server: Server, watch: Watch) -> None:
        self.watch = watch
        self.callers: dict[str, str] = {}  # number of a bridged caller -> his channel
        self.causes: dict[str, int] = {}  # channel that has ended -> hangup cause (Q.850)
        self.keys: list[str] = []  # pressed by anybody, since the last reset
        self.user_events: list[Message] = []  # likewise
        self._server = server
        self._call_ids: dict[str, str] = {}  # SIP Call-ID -> channel

    # ---- the server

    @property
    def link(self) -> Link:
        return self._server.link

    @property
    def product(self) -> str:
        return self._server.product

    @property
    def folder(self) -> Path:
        return self._server.dir

    @property
    def pid(self) -> int:
        return self._server.pid

    @property
    def phones_port(self) -> int:
        """Where the company's phones register."""
        return self._server.sip_port

    @property
    @abstractmethod
    def trunk_port(self) -> int:
        """Where the carrier and the bot send their calls."""

    @abstractmethod
    def render(self, world_port: int, app_bots: AppBots, phone_secret: str) -> None:
        """Write its configuration."""

    @abstractmethod
    def keep_sound(self, name: str, samples: bytes) -> None:
        """Write a sound (signed linear, 8 kHz) into its folder, in a format it plays."""

    async def start(self) -> None:
        await self._server.start()

    async def stop(self) -> None:
        """End it at once, calls and all."""
        await self._server.stop()

    async def restart(self, *, crash: bool = False) -> None:
        """Stop it as an administrator would, or kill -9 it (`crash`), and start it again on the same ports."""
        await self._server.restart(crash=crash)

    def freeze(self) -> None:
        """Alive to the kernel, silent to everybody."""
        self._server.freeze()

    def thaw(self) -> None:
        self._server.thaw()

    def release(self) -> None:
        self._server.release()

    @abstractmethod
    async def ping(self, timeout_s: float) -> None:
        """Raises TimeoutError where it doesn't answer."""

    # ---- who is where

    @abstractmethod
    def with_channel(self, channel: str) -> set[str]:
        """Return the channels that talk with this one, itself included; empty where it talks with none."""

    @abstractmethod
    async def channels(self) -> list[str]:
        """Every channel alive."""

    @abstractmethod
    async def places(self, *channels: str) -> Sequence[object]:
        """Where these stand in the dialplan, and with whom: equal as long as they were not moved."""

    @abstractmethod
    async def mixes(self, channel: str) -> bool:
        """Whether this channel's sound is mixed from several, or simply the other's."""

    @abstractmethod
    async def bot_key(self, lead_channel: str, bot_channel: str | None) -> str:
        """What the application bot of this call gave as its key; "" where there is none yet."""

    @abstractmethod
    async def _learn_call_ids(self) -> None: ...

    @abstractmethod
    async def call_id_of(self, channel: str) -> str:
        """Return the SIP Call-ID of a channel; "" where it has none."""

    @abstractmethod
    async def registrations(self) -> set[str]:
        """The phones it takes for reachable."""

    def bridged(self, *channels: str) -> bool:
        """Whether exactly these channels talk with one another."""
        return self.with_channel(channels[0]) == set(channels)

    async def partner(self, channel: str) -> str:
        """Wait until the channel is in a bridge with one other, and return that."""
        others = await self.watch.until(
            lambda: self.with_channel(channel) - {channel}, what=f"{channel} to be bridged"
        )
        return next(iter(others))

    async def channel_of(self, call_id: str) -> str:
        """Return the PBX's channel of a SIP call."""

        async def look() -> str | None:
            if call_id not in self._call_ids:
                await self._learn_call_ids()
            return self._call_ids.get(call_id)

        return await self.watch.until(look, what=f"the PBX to have the call {call_id}")

    async def registered(self, phones: Collection[str]) -> None:
        """Wait until these phones are registered and reachable."""

        async def all_there() -> bool:
            return await self.registrations() >= set(phones)

        await self.watch.until(all_there, 15.0, what=f"{', '.join(phones)} to register")

    def forget(self) -> None:
        """A new test begins."""
        self.keys.clear()
        self.user_events.clear()
        self.causes.clear()

    # ---- orders

    @abstractmethod
    def dial(self, party: Party) -> str:
        """The dial string that reaches somebody."""

    @abstractmethod
    async def ring(self, party: Party, channel: str, *, timeout_s: float, alert_info: str) -> None:
        """Ring somebody from nowhere, on a channel with this id; the answered leg stays by itself."""

    @abstractmethod
    async def join(self, channel: str, lead_channel: str) -> None:
        """Bring an answered leg into the lead's live call, touching nobody else's."""

    @abstractmethod
    async def release_bot(self, bot: str, lead: str, agent: str) -> None:
        """Of the three who talk, let the bot go."""

    @abstractmethod
    async def redirect(self, channel: str, context: str, exten: str) -> None:
        """Send a channel to another place in the dialplan."""

    @abstractmethod
    async def hang_up(self, channel: str, *, elsewhere: bool = False) -> None:
        """End a channel; a phone that rings is told where somebody `elsewhere` has answered."""

    @abstractmethod
    async def leave_something(self) -> None:
        """A channel that nobody outside knows of."""

    @abstractmethod
    async def prepare_bench(self) -> None:
        """Get ready what only the speed comparison needs."""

    @abstractmethod
    async def set_global(self, name: str, value: str) -> None: ...

    @abstractmethod
    async def fallbacks(self, bot: str) -> str:
        """The fallback numbers callcontrol has left with the PBX for a bot; "" where none."""
