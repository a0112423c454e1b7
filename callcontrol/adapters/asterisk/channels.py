"""Single channels: finding them, and orders to them.

Lead and bot are addressed by channel name, legs by the unique id we gave them: Asterisk takes the
beginning of a unique id for the whole, and ours are all of one length.
"""

import re
from collections.abc import Coroutine
from typing import Any

from callcontrol.adapters.asterisk.frames import Fields, Frame
from callcontrol.adapters.asterisk.ledger import Ledger
from callcontrol.adapters.asterisk.link import Reply
from callcontrol.adapters.asterisk.session import Supervisor
from callcontrol.adapters.orders import RefusedError
from callcontrol.core.model import ChannelId
from callcontrol.ports import ChannelUnknownError

_CHANNEL = re.compile(r"[^\x00-\x1f\x7f/][^\x00-\x1f\x7f]{0,199}")
_GONE = ("no such channel", "channel does not exist", "channel not up")


class Channels:
    def __init__(self, supervisor: Supervisor, ledger: Ledger) -> None:
        self._supervisor = supervisor
        self._ledger = ledger

    def act(self, name: str, fields: Fields, *, many: bool = False) -> Coroutine[Any, Any, Reply]:
        return self._supervisor.act(name, fields, many=many)

    def address(self, channel: ChannelId | str) -> str:
        """Its name where we know it: names are compared whole."""
        place = self._ledger.places.get(ChannelId(channel))
        return place.name if place is not None and place.name else channel

    async def order(self, channel: ChannelId | str, name: str, fields: dict[str, str]) -> Reply:
        """Raises ChannelUnknownError, and PortError for what else was refused."""
        try:
            return await self.act(name, {"Channel": self.address(channel), **fields})
        except RefusedError as error:
            if any(words in error.said.lower() for words in _GONE):
                raise ChannelUnknownError(channel) from None
            raise

    async def set(self, channel: ChannelId, variable: str, value: str) -> None:
        await self.order(channel, "Setvar", {"Variable": variable, "Value": value})

    async def redirect(self, channel: ChannelId | str, context: str, exten: str, priority: str = "1") -> None:
        place = {"Context": context, "Exten": exten, "Priority": priority}
        await self.order(channel, "Redirect", place)

    async def hang_up(self, channel: ChannelId, cause: int) -> bool:
        """False where there is no such channel."""
        try:
            await self.order(channel, "Hangup", {"Cause": str(cause)})
        except ChannelUnknownError:
            return False
        return True

    async def status(self, channel: str) -> Frame:
        """One channel, by name or unique id. Raises ChannelUnknownError."""
        if not _CHANNEL.fullmatch(channel):
            raise ChannelUnknownError(channel)
        try:
            rows = (await self.act("Status", {"Channel": channel}, many=True)).rows
            if rows and not any(_is(row, channel) for row in rows):  # its id only begins alike
                rows = (await self.act("Status", {}, many=True)).rows
        except RefusedError:
            rows = ()
        for row in rows:
            if _is(row, channel):
                return row
        raise ChannelUnknownError(channel)

    async def is_bridged(self, lead: ChannelId) -> bool:
        """Known from events where it is; asked again where it is not: moving a lead can't be undone."""
        place = self._ledger.places.get(lead)
        if place is not None and (place.bridge or place.alone):
            return bool(place.bridge)
        row = await self.status(self.address(lead))
        return bool(row.get("BridgeID", ""))

    async def members(self, bridge: str) -> dict[ChannelId, str]:
        """The channels in a bridge, by unique id, with their names."""
        if not bridge:
            return {}
        try:
            reply = await self.act("BridgeInfo", {"BridgeUniqueid": bridge}, many=True)
        except RefusedError:
            return {}  # it has just been dissolved
        return {ChannelId(row["Uniqueid"]): row["Channel"] for row in reply.rows if "Uniqueid" in row}


def _is(row: Frame, channel: str) -> bool:
    return channel.lower() in (row.get("Uniqueid", "").lower(), row.get("Channel", "").lower())
