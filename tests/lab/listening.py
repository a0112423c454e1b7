"""From packets to words: who is heard in a recording, and when.

A sound is cut into frames of 20 ms. A voice is heard in a frame where its tone stands out; whatever is loud and is
nobody's tone is "speech". Times are wall-clock seconds throughout.
"""

import wave
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.lab.wire import RtpPacket

RATE = 8000
FRAME = 160
FRAME_S = FRAME / RATE
JITTER_S = 0.06  # what the buffer of a phone evens out; a packet later than this is a gap one hears

TONE_FLOOR = 500  # peak amplitude; the lab's tones are near 7,000
IN_STEP_RAD = 0.5  # from one frame to the next; 4 Hz off the tone
SILENCE_FLOOR = 100  # RMS; mu-law's idle noise is under 10
SPEECH_FLOOR = 250  # RMS of what is left when the tones are taken away
PROMPT_LIKENESS = 0.75  # of 1; one that falters comes to 0.9, another prompt of the same voice to 0.7
PROMPT_PIECES = 3
PROMPT_LATE_FRAMES = 5

ULAW = 0
SLIN = 118  # signed linear, as AudioSocket carries it

Samples = NDArray[np.int16]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Heard:
    who: str
    start_s: float
    end_s: float


@dataclass(frozen=True, kw_only=True)
class Sound:
    started_at: float
    samples: Samples

    @property
    def ended_at(self) -> float:
        return self.started_at + len(self.samples) / RATE

    def between(self, start_s: float, end_s: float) -> "Sound":
        first = max(0, round((start_s - self.started_at) * RATE))
        last = max(first, round((end_s - self.started_at) * RATE))
        return Sound(started_at=self.started_at + first / RATE, samples=self.samples[first:last])


def _ulaw_table() -> Samples:
    code = ~np.arange(256, dtype=np.uint8)
    exponent = (code >> 4) & 7
    magnitude = ((((code & 0xF).astype(np.int32) << 3) + 0x84) << exponent) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


_ULAW = _ulaw_table()


def decode(packet: RtpPacket) -> Samples | None:
    """Return a packet's samples; None for what isn't audio, such as a DTMF event."""
    if packet.payload_type == ULAW:
        return _ULAW[np.frombuffer(packet.payload, dtype=np.uint8)]
    if packet.payload_type == SLIN:
        return np.frombuffer(packet.payload, dtype="<i2").astype(np.int16)
    return None


def assemble(packets: Iterable[RtpPacket], start_s: float, end_s: float) -> Sound:
    """Lay packets on the clock as a phone with a small jitter buffer would play them; silence where none came."""
    samples = np.zeros(max(0, round((end_s - start_s) * RATE)), dtype=np.int16)
    ssrc, anchor_at, anchor_timestamp = -1, 0.0, 0
    for packet in packets:
        audio = decode(packet)
        if audio is None:
            continue
        played_at = anchor_at + (packet.timestamp - anchor_timestamp) / RATE
        if packet.ssrc != ssrc or abs(packet.at - played_at) > JITTER_S:
            ssrc, anchor_at, anchor_timestamp = packet.ssrc, packet.at, packet.timestamp
            played_at = packet.at
        first = round((played_at - start_s) * RATE)
        if 0 <= first <= len(samples) - len(audio):
            samples[first : first + len(audio)] = audio
    return Sound(started_at=start_s, samples=samples)


def _frames(sound: Sound) -> NDArray[np.float64]:
    count = len(sound.samples) // FRAME
    return sound.samples[: count * FRAME].reshape(count, FRAME).astype(np.float64)


def _tones(
    frames: NDArray[np.float64], voices: Mapping[str, int]
) -> dict[str, tuple[Mask, NDArray[np.float64]]]:
    """For each voice: the frames its tone stands out in, and its amplitude in every frame.

    It stands out where it is loud, louder than what lies 100 Hz beside it (a tone's neighbours are empty there, those
    of a syllable or of an abrupt start are not), and in step with a frame beside it, as whole periods are and the
    overtones of somebody talking aren't.
    """
    window = np.hanning(FRAME + 1)[:FRAME]
    spectrum = np.fft.rfft(frames * window, axis=1) * 2 / window.sum()
    amplitude = np.abs(spectrum)
    found = {}
    for name, hertz in voices.items():
        k = round(hertz * FRAME_S)
        beside = np.maximum(amplitude[:, k - 2], amplitude[:, k + 2])
        in_step = np.abs(np.angle(spectrum[1:, k] * np.conj(spectrum[:-1, k]))) < IN_STEP_RAD
        steady = np.append(in_step, False) | np.insert(in_step, 0, False)
        found[name] = (
            (amplitude[:, k] > TONE_FLOOR) & (amplitude[:, k] > 4 * beside) & steady,
            amplitude[:, k],
        )
    return found


def _runs(mask: Mask, *, bridge: int = 0, shortest: int = 1) -> list[tuple[int, int]]:
    """Return the runs of a mask as [first, last) frames: holes up to `bridge` closed, then short runs dropped."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    runs: list[tuple[int, int]] = []
    for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if runs and first - runs[-1][1] <= bridge:
            runs[-1] = (runs[-1][0], last)
        else:
            runs.append((first, last))
    return [run for run in runs if run[1] - run[0] >= shortest]


def _spoken(loud: Mask) -> list[tuple[int, int]]:
    """Return the runs of speech, pauses between words closed.

    A tone's start or end is loud for a frame; a busy machine's bridge stumbles for a few. Speech is loud longer.
    """
    steady = np.zeros_like(loud)
    for first, last in _runs(loud, shortest=3):
        steady[first:last] = True
    return [(first, last) for first, last in _runs(steady, bridge=15) if steady[first:last].sum() >= 10]


def listen(sound: Sound, voices: Mapping[str, int]) -> list[Heard]:
    """Name the voices in a sound, in the order they start. Anything loud that is no voice is "speech"."""
    frames = _frames(sound)
    power = np.mean(frames**2, axis=1)
    runs: list[tuple[str, tuple[int, int]]] = []
    for name, (mask, amplitude) in _tones(frames, voices).items():
        runs += [(name, run) for run in _runs(mask, bridge=2, shortest=5)]
        power -= np.where(mask, amplitude**2 / 2, 0)
    speech = np.sqrt(np.maximum(power, 0)) > SPEECH_FLOOR
    runs += [("speech", run) for run in _spoken(speech)]
    return sorted(
        (
            Heard(
                who=name,
                start_s=sound.started_at + first * FRAME_S,
                end_s=sound.started_at + last * FRAME_S,
            )
            for name, (first, last) in runs
        ),
        key=lambda heard: (heard.start_s, heard.who),
    )


def read_prompt(file: Path) -> Samples:
    """Read a sound file as Asterisk plays it: .ulaw, .sln, or .wav of 8 kHz."""
    if file.suffix == ".wav":
        with wave.open(str(file)) as source:
            return np.frombuffer(source.readframes(source.getnframes()), dtype="<i2").astype(np.int16)
    data = file.read_bytes()
    return (
        _ULAW[np.frombuffer(data, dtype=np.uint8)]
        if file.suffix == ".ulaw"
        else np.frombuffer(data, dtype="<i2")
    )


def find_prompt(sound: Sound, prompt: Samples) -> float | None:
    """Return when a prompt begins to be heard in a sound; None where it isn't. Its first second is enough.

    It is looked for piece by piece: a busy switch may be some packets late in the middle of it.
    """
    wanted = prompt[:RATE].astype(np.float64)
    heard = sound.samples.astype(np.float64)
    if len(heard) < len(wanted):
        return None
    starts = len(heard) - len(wanted) + 1
    match, at = np.zeros(starts), 0
    for piece in np.array_split(wanted, PROMPT_PIECES):
        likeness = _likeness(heard, piece)[at:]
        late = range(PROMPT_LATE_FRAMES + 1 if at else 1)  # the first says when it begins
        shifted = (likeness[n * FRAME : n * FRAME + starts] for n in late)
        match += np.max([np.pad(one, (0, starts - len(one))) for one in shifted], axis=0) / PROMPT_PIECES
        at += len(piece)
    best = int(np.argmax(match))
    return sound.started_at + best / RATE if match[best] > PROMPT_LIKENESS else None


def _likeness(heard: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each start how much it sounds so, from -1 to 1."""
    size = len(heard) + len(wanted)
    likeness = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(wanted, size)), size)
    starts = len(heard) - len(wanted) + 1
    energy = np.cumsum(np.concatenate(([0.0], heard**2)))
    loudness = np.sqrt((energy[len(wanted) :] - energy[:starts]) * np.sum(wanted**2))
    return likeness[:starts] / np.maximum(loudness, 1.0)


def longest_silence(sound: Sound, voices: Mapping[str, int] | None = None) -> float:
    """Return the longest stretch, in seconds, with nothing to hear; with `voices`, without any of those tones."""
    frames = _frames(sound)
    if voices is None:
        silent = np.sqrt(np.mean(frames**2, axis=1)) < SILENCE_FLOOR
    else:
        masks = [mask for mask, _amplitude in _tones(frames, voices).values()]
        silent = ~np.logical_or.reduce(masks, axis=0) if masks else np.ones(len(frames), dtype=np.bool_)
    runs = _runs(silent)
    return max((last - first for first, last in runs), default=0) * FRAME_S


def overlapping(
    heard: Sequence[Heard], start_s: float, end_s: float, *, at_least_s: float = 0.06
) -> Collection[str]:
    """Return who is heard for `at_least_s` between two instants."""
    return {one.who for one in heard if min(one.end_s, end_s) - max(one.start_s, start_s) >= at_least_s}
