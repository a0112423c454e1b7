"""The overview and the closing line as sound files, made while the phones are still ringing."""

import asyncio
from pathlib import Path

import structlog

from callcontrol.core.model import HandoffStyle
from callcontrol.ports import PortError, Speech, TransferRow

log = structlog.get_logger(__name__)

PATIENCE_S = 5.0  # a lead waits: then go on without the sound


class Overview:
    """The sounds of one transfer. Without a speech command there are none."""

    def __init__(self, speech: Speech | None, row: TransferRow, *, bot_speaks: bool) -> None:
        self._speech = speech
        self._row = row
        self._bot_speaks = bot_speaks and row.bot.handoff is HandoffStyle.INTRODUCE
        self._tasks: dict[str, asyncio.Task[Path | None]] = {}

    def prepare(self) -> None:
        """Begin what will be needed. Should a bot that speaks itself be lost, it is made then."""
        if self._bot_speaks:
            return
        self._begin(self._row.summary)
        if self._row.bot.handoff is not HandoffStyle.WHISPER:
            self._begin(self._row.bot.closing_line)

    async def summary(self) -> Path | None:
        return await self._sound(self._row.summary)

    async def summary_and_closing(self) -> list[Path]:
        found = [await self._sound(text) for text in (self._row.summary, self._row.bot.closing_line)]
        return [sound for sound in found if sound is not None]

    def stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    async def _sound(self, text: str) -> Path | None:
        try:
            return await asyncio.wait_for(asyncio.shield(self._begin(text)), PATIENCE_S)
        except TimeoutError:
            log.warning("the speech command is too slow, going on without it", transfer=self._row.id)
            return None

    def _begin(self, text: str) -> asyncio.Task[Path | None]:
        if text not in self._tasks:
            self._tasks[text] = asyncio.create_task(self._render(text))
        return self._tasks[text]

    async def _render(self, text: str) -> Path | None:
        if self._speech is None or not text:
            return None
        try:
            return await self._speech.render(text)
        except PortError as error:
            log.warning(
                "the speech command failed, going on without it", transfer=self._row.id, error=str(error)
            )
            return None
