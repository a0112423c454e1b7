"""Single channels: finding them, and orders to them. They are addressed by unique id, compared whole."""

import re
from collections.abc import Mapping

from callcontrol.adapters.freeswitch.ledger import Ledger
from callcontrol.adapters.freeswitch.session import Supervisor
from callcontrol.adapters.orders import RefusedError
from callcontrol.core.model import ChannelId
from callcontrol.ports import ChannelUnknownError, PortError

_CHANNEL = re.compile(r"[A-Za-z0-9_.-]{1,150}")
_NAME = re.compile(r"[^\x00-\x20\x7f]{1,200}")
_VALUE = re.compile(r"[A-Za-z0-9 _.:/+-]*")
_GONE = ("no such channel", "invalid uuid", "cannot locate session")
_UNSET = "_undef_"


class Channels:
    def __init__(self, supervisor: Supervisor, ledger: Ledger) -> None:
        self._supervisor = supervisor
        self._ledger = ledger

    async def order(self, verb: str, channel: ChannelId, *words: str) -> str:
        """Raises ChannelUnknownError, and PortError for what else was refused."""
        if not _CHANNEL.fullmatch(channel):
            raise ChannelUnknownError(channel)
        try:
            return await self._supervisor.api(verb, channel, *words)
        except RefusedError as error:
            if any(words in error.said.lower() for words in _GONE):
                raise ChannelUnknownError(channel) from None
            raise

    async def set(self, channel: ChannelId, variables: Mapping[str, str]) -> None:
        """An empty value takes the variable away."""
        for value in variables.values():
            if not _VALUE.fullmatch(value):
                raise PortError(f"{value!r} can be no variable's value", retryable=False)
        given = ";".join(f"{name}={value}" for name, value in variables.items())
        await self.order("uuid_setvar_multi", channel, given)

    async def get(self, channel: ChannelId, variable: str) -> str:
        said = await self.order("uuid_getvar", channel, variable)
        return "" if said == _UNSET else said

    async def transfer(self, channel: ChannelId, context: str, exten: str) -> None:
        await self.order("uuid_transfer", channel, exten, "XML", context)

    async def place(self, channel: ChannelId) -> tuple[str, str]:
        """Context and extension."""
        return await self.get(channel, "context"), await self.get(channel, "destination_number")

    async def hang_up(self, channel: ChannelId, cause: str) -> bool:
        """False where there is no such channel."""
        try:
            await self.order("uuid_kill", channel, cause)
        except ChannelUnknownError:
            return False
        return True

    async def find(self, channel: str) -> ChannelId:
        """A channel by unique id or, where only one has it, by name. Raises ChannelUnknownError."""
        if self._supervisor.linked and (known := ChannelId(channel)) in self._ledger.partners:
            return known
        if _CHANNEL.fullmatch(channel) and await self._supervisor.api("uuid_exists", channel) == "true":
            return ChannelId(channel)
        if _NAME.fullmatch(channel):
            rows = await self._supervisor.show("channels")
            named = [row["uuid"] for row in rows if row.get("name") == channel and "uuid" in row]
            if len(named) == 1:
                return ChannelId(named[0])
        raise ChannelUnknownError(channel)

    async def partner(self, channel: ChannelId) -> ChannelId | None:
        """Who is bridged with it: known from events, else asked, as who is in no bridge is seldom asked for."""
        if (known := self._ledger.partners.get(channel)) is not None:
            return known
        other = await self.get(channel, "signal_bond")
        if other and _CHANNEL.fullmatch(other) and await self._supervisor.api("uuid_exists", other) == "true":
            return ChannelId(other)
        return None
