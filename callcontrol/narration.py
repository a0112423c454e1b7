"""What a transfer tells its bot: a list that can be followed from any point, live."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from callcontrol.core.events import Phase, TellBot
from callcontrol.core.transfer import Transfer
from callcontrol.ports import Entry


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """Something the bot was told. `seq` counts from 1 within the transfer."""

    seq: int
    at: datetime
    phase: Phase
    detail: str


LAST_PHASES = (Phase.MISSED, Phase.ENDED)


class Narration:
    """What the bot has been told so far, and what comes."""

    def __init__(self) -> None:
        self._told: list[Told] = []
        self._more = asyncio.Event()

    def tell(self, command: TellBot, at: datetime) -> None:
        told = Told(seq=len(self._told) + 1, at=at, phase=command.phase, detail=command.detail)
        self._told.append(told)
        self._more.set()
        self._more = asyncio.Event()

    @property
    def so_far(self) -> tuple[Told, ...]:
        return tuple(self._told)

    async def follow(self, after: int = 0) -> AsyncIterator[Told]:
        """Everything after number `after`, until the last phase."""
        while True:
            more = self._more
            for told in self._told[after:]:
                yield told
                after = told.seq
            if self._told and self._told[-1].phase in LAST_PHASES:
                return
            await more.wait()


def replayed(entries: Sequence[Entry], narration: Narration | None = None) -> Transfer:
    """The machine as its journal left it; the commands of then are not given again."""
    machine = Transfer()
    for entry in entries:
        for command in machine.receive(entry.event, entry.at):
            if narration is not None and isinstance(command, TellBot):
                narration.tell(command, entry.at)
    return machine
