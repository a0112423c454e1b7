"""What each party heard, made from the packets that reached it."""

import time
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.lab.appbots import AppBots
from tests.lab.listening import (
    RATE,
    Heard,
    Sound,
    assemble,
    find_prompt,
    listen,
    longest_silence,
    read_prompt,
)
from tests.lab.parties import VOICES
from tests.lab.wire import RtpPacket, Wire
from tests.lab.world import Leg, World


class Recordings:
    """Reads the wire's packets as the parties' ears."""

    def __init__(self, world: World, app_bots: AppBots, wire: Wire) -> None:
        self._world = world
        self._app_bots = app_bots
        self._wire = wire

    def heard(self, who: str) -> list[Heard]:
        """Everything a party heard since the last reset, in order."""
        return [one for _name, sound in self._sounds(who) for one in listen(sound, VOICES)]

    def heard_just_now(self, leg: Leg) -> set[str]:
        """Whom a leg has heard in the last 300 ms."""
        now = time.time()
        packets = [packet for packet in self._packets(leg, now) if packet.at > now - 0.3]
        return {one.who for one in listen(assemble(packets, now - 0.3, now), VOICES)}

    def sound(self, who: str, start_s: float, end_s: float) -> Sound:
        """What reached a party's ear between two instants, on whichever leg it was."""
        whole = np.zeros(round((end_s - start_s) * RATE), dtype=np.int16)
        for _name, sound in self._sounds(who):
            part = sound.between(start_s, min(end_s, sound.ended_at))
            first = round((part.started_at - start_s) * RATE)
            room = whole[first : first + len(part.samples)] if first >= 0 else whole[:0]
            room += part.samples[: len(room)]
        return Sound(started_at=start_s, samples=whole)

    def heard_between(self, who: str, start_s: float, end_s: float) -> set[str]:
        """Whom a party hears between two instants (for 100 ms or more)."""
        return {one.who for one in listen(self.sound(who, start_s, end_s), VOICES)}

    def heard_prompt(self, who: str, file: Path) -> float | None:
        """When a party first heard a sound file since the last reset; None where it didn't."""
        prompt = read_prompt(file)
        starts = (find_prompt(sound, prompt) for _name, sound in self._sounds(who))
        return next((start for start in starts if start is not None), None)

    def who_hears_whom(self, start_s: float, end_s: float) -> dict[str, set[str]]:
        """For every party that was on the line then: whom it heard."""
        names = {
            leg.who
            for leg in self._world.legs
            if leg.started_at < end_s and (leg.ended_at or end_s) > start_s
        }
        names |= {"bot"} if self._app_bots.conversations else set()
        return {name: self.heard_between(name, start_s, end_s) for name in sorted(names)}

    def longest_silence(self, who: str, start_s: float, end_s: float, *, of: set[str] | None = None) -> float:
        """The longest stretch in which a party hears nothing at all, or none `of` these; in seconds, by 20 ms."""
        voices = None if of is None else {name: VOICES[name] for name in of}
        return longest_silence(self.sound(who, start_s, end_s), voices)

    def save(self, folder: Path) -> list[Path]:
        """Write what every party heard as WAV files, one a leg."""
        files = []
        names = sorted(
            {leg.who for leg in self._world.legs} | ({"bot"} if self._app_bots.conversations else set())
        )
        for who in names:
            for name, sound in self._sounds(who):
                if np.any(sound.samples):
                    folder.mkdir(parents=True, exist_ok=True)
                    files.append(folder / f"{name}.wav")
                    _write(files[-1], sound)
        return files

    def _sounds(self, who: str) -> Iterator[tuple[str, Sound]]:
        now = time.time()
        for n, leg in enumerate((leg for leg in self._world.legs if leg.who == who), start=1):
            end_s = leg.ended_at or now
            yield f"{who}-{n}", assemble(self._packets(leg, end_s), leg.started_at, end_s)
        for n, bot in enumerate(self._app_bots.conversations if who == "bot" else (), start=1):
            packets = list(bot.packets)
            end_s = packets[-1].at + 0.02 if packets else bot.started_at
            yield f"{who}-app-{n}", assemble(packets, bot.started_at, end_s)

    def _packets(self, leg: Leg, end_s: float) -> list[RtpPacket]:
        arrived = list(self._wire.rtp.get(leg.media_port, ()))
        return [packet for packet in arrived if leg.started_at <= packet.at <= end_s]


def _write(file: Path, sound: Sound) -> None:
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(sound.samples.astype("<i2").tobytes())
