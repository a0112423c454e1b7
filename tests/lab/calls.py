"""A lead's conversation with a bot, as the tests hold it."""

from dataclasses import dataclass

from tests.lab.appbots import AppBot
from tests.lab.world import LegHandle


@dataclass(frozen=True, kw_only=True)
class Call:
    """Up: lead and bot are bridged, and hear each other.

    `lead_channel` and `bot_channel` are unique ids on the PBX; `bot_channel` is None where the bot is an application
    on the lead's channel.
    """

    lead: LegHandle
    bot: LegHandle | AppBot
    lead_channel: str
    bot_channel: str | None


@dataclass(frozen=True, kw_only=True)
class Leftovers:
    """What a test left behind. False where that is nothing."""

    channels: tuple[str, ...] = ()  # on the PBX
    phones: tuple[str, ...] = ()  # that were not registered any more

    def __bool__(self) -> bool:
        return bool(self.channels or self.phones)
