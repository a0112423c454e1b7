"""Bots that are an application on the lead's channel: servers for AudioSocket, FastAGI and an event socket.

All speak the bot's tone to the lead until they are told to end, or the PBX takes the lead away.
"""

import asyncio
import math
import re
import struct
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.lab.parties import BY_NAME
from tests.lab.wire import RtpPacket

HOST = "127.0.0.1"
HANG_UP, UUID_FRAME, AUDIO = 0x00, 0x01, 0x10
FRAME_S = 0.02
SAMPLES = 160
SLIN = 118


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(kw_only=True, eq=False)
class AppBot:
    """One conversation of such a bot with a lead."""

    kind: str  # "audiosocket", "agi", "socket" or "script"
    key: str  # AudioSocket: the UUID the dialplan sent; else the channel's unique id
    writer: asyncio.StreamWriter
    started_at: float = field(default_factory=time.time)
    speaking: bool = True
    sending: bool = True  # AudioSocket: False sends nothing at all, not even silence
    closing: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    packets: list[RtpPacket] = field(default_factory=list)  # what it heard
    heed: Callable[[], None] = lambda: None  # what `speaking` says now

    async def end(self) -> None:
        """End the conversation from the bot's side: the lead goes on in the dialplan (a script: within 2 s)."""
        self.closing = True
        if self.kind in {"audiosocket", "socket"}:
            self.writer.close()
        await self.ended.wait()

    async def hang_up(self) -> None:
        """The same word as for a bot with a leg of its own."""
        await self.end()

    async def is_gone(self, timeout_s: float = 10.0) -> None:
        """Wait until the conversation has ended, whoever ended it."""
        async with asyncio.timeout(timeout_s):
            await self.ended.wait()

    async def hush(self) -> None:
        self.speaking = False
        self.heed()

    async def speak(self) -> None:
        self.speaking = True
        self.heed()

    @property
    def alive(self) -> bool:
        return not self.ended.is_set()


def _tone_frame(hertz: int) -> bytes:
    """20 ms of a tone that is a multiple of 50 Hz: repeats without a seam."""
    return struct.pack(
        f"<{SAMPLES}h", *(round(7000 * math.sin(2 * math.pi * hertz * n / 8000)) for n in range(SAMPLES))
    )


class AppBots:
    """The servers, and the conversations since the last `forget`."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.conversations: list[AppBot] = []
        self.audiosocket_port = 0
        self.agi_port = 0
        self.socket_port = 0
        self.sounds_dir = ""  # holds bot and silence, as .sln for Asterisk and .wav for FreeSWITCH
        self._wake = wake
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._frame = struct.pack("!BH", AUDIO, SAMPLES * 2) + _tone_frame(BY_NAME["bot"].tone_hz)
        self._hush = struct.pack("!BH", AUDIO, SAMPLES * 2) + bytes(SAMPLES * 2)

    async def start(self) -> None:
        audiosocket = await asyncio.start_server(self._owned(self._audiosocket), HOST, 0)
        agi = await asyncio.start_server(self._owned(self._agi), HOST, 0)
        outbound = await asyncio.start_server(self._owned(self._socket), HOST, 0)
        self._servers = [audiosocket, agi, outbound]
        self.audiosocket_port = audiosocket.sockets[0].getsockname()[1]
        self.agi_port = agi.sockets[0].getsockname()[1]
        self.socket_port = outbound.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def forget(self) -> None:
        self.conversations = [bot for bot in self.conversations if bot.alive]

    def _owned(self, serve: Serve) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._until_closed(serve, reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return accepted

    async def _until_closed(
        self, serve: Serve, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            await serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the PBX took the lead away
        finally:
            writer.close()
            for bot in self.conversations:
                if bot.writer is writer:
                    bot.ended.set()
            self._wake()

    def _begin(self, kind: str, key: str, writer: asyncio.StreamWriter) -> AppBot:
        bot = AppBot(kind=kind, key=key, writer=writer)
        self.conversations.append(bot)
        self._wake()
        return bot

    async def _audiosocket(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kind, body = await _read_frame(reader)
        if kind != UUID_FRAME:
            return
        bot = self._begin("audiosocket", str(uuid.UUID(bytes=body)), writer)
        voice = asyncio.create_task(self._talk(bot))
        try:
            while kind != HANG_UP:
                kind, body = await _read_frame(reader)
                if kind == AUDIO:
                    timestamp = sum(len(packet.payload) for packet in bot.packets[-1:]) // 2
                    timestamp += bot.packets[-1].timestamp if bot.packets else 0
                    bot.packets.append(RtpPacket(time.time(), 0, timestamp, SLIN, body))
        finally:
            voice.cancel()

    async def _talk(self, bot: AppBot) -> None:
        """Send a frame every 20 ms, by the clock: a late wake-up is made up for."""
        start, sent = time.monotonic(), 0
        while not bot.writer.is_closing():
            if bot.sending:
                bot.writer.write(self._frame if bot.speaking else self._hush)
            sent += 1
            await asyncio.sleep(max(0.0, start + sent * FRAME_S - time.monotonic()))

    async def _agi(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        environment = (await reader.readuntil(b"\n\n")).decode(errors="replace")
        facts = dict(line.split(": ", 1) for line in environment.splitlines() if ": " in line)
        bot = self._begin("agi", facts["agi_uniqueid"], writer)
        # Two seconds at a time: Asterisk notices that the script has gone only between commands.
        while not bot.closing:
            sound = "bot" if bot.speaking else "silence"
            writer.write(f'STREAM FILE {self.sounds_dir}/{sound} ""\n'.encode())
            if not (await reader.readline()).startswith(b"200 result=0"):
                break

    async def _socket(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """FreeSWITCH brings the lead by its `socket` application, and takes orders until one side closes."""
        writer.write(b"connect\n\n")
        facts = (await reader.readuntil(b"\n\n")).decode(errors="replace")
        key = re.findall(r"^Unique-ID: (.*)", facts, re.MULTILINE)[0]
        if "Socket-Mode: async" not in facts:
            await self._script(self._begin("script", key, writer), reader)
            return
        bot = self._begin("socket", key, writer)
        bot.heed = lambda: self._play(bot, "endless_playback")
        bot.heed()
        while await reader.read(4096):
            pass

    async def _script(self, bot: AppBot, reader: asyncio.StreamReader) -> None:
        """Two seconds at a time: FreeSWITCH looks at such a socket only between its applications."""
        bot.writer.write(b"myevents\n\n")
        self._play(bot, "playback")
        while line := await reader.readline():
            if line.startswith(b"Application-Response: "):
                if bot.closing or b"FILE%20PLAYED" not in line:  # the lead was taken away
                    return
                self._play(bot, "playback")

    def _play(self, bot: AppBot, application: str) -> None:
        sound = f"{self.sounds_dir}/{'bot' if bot.speaking else 'silence'}.wav"
        if application == "endless_playback":
            bot.writer.write(f"api uuid_break {bot.key} all\n\n".encode())
        lines = (
            "sendmsg",
            "call-command: execute",
            f"execute-app-name: {application}",
            f"execute-app-arg: {sound}",
        )
        bot.writer.write(("\n".join(lines) + "\n\n").encode())


async def _read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    kind, length = struct.unpack("!BH", await reader.readexactly(3))
    return kind, await reader.readexactly(length)
