"""The ear itself, on sounds made here."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.lab.listening import RATE, Heard, Sound, assemble, decode, find_prompt, listen, longest_silence
from tests.lab.parties import VOICES
from tests.lab.wire import RtpPacket

T0 = 1_000_000.0


def tone(name: str, seconds: float, *, amplitude: float = 7000, phase: float = 0.3) -> NDArray[np.float64]:
    t = np.arange(round(seconds * RATE)) / RATE
    return amplitude * np.sin(2 * np.pi * VOICES[name] * t + phase)


def quiet(seconds: float) -> NDArray[np.float64]:
    return np.zeros(round(seconds * RATE))


def ulaw(samples: NDArray[np.float64]) -> bytes:
    """G.711 mu-law, by looking for the nearest code."""
    codes = np.arange(256, dtype=np.uint8)
    levels = decode(packet(codes.tobytes()))
    assert levels is not None
    order = np.argsort(levels, kind="stable")
    steps = levels[order].astype(np.float64)
    nearest = np.searchsorted((steps[1:] + steps[:-1]) / 2, samples)
    return codes[order][nearest].tobytes()


def packet(payload: bytes, *, at: float = T0, timestamp: int = 0, ssrc: int = 1, kind: int = 0) -> RtpPacket:
    return RtpPacket(at, ssrc, timestamp, kind, payload)


def over_the_line(*parts: NDArray[np.float64]) -> Sound:
    """What is left of a sound after G.711."""
    samples = decode(packet(ulaw(np.concatenate(parts))))
    assert samples is not None
    return Sound(started_at=T0, samples=samples)


def spans(heard: list[Heard], who: str) -> list[tuple[float, float]]:
    return [(round(one.start_s - T0, 2), round(one.end_s - T0, 2)) for one in heard if one.who == who]


@pytest.mark.parametrize("name", sorted(VOICES))
def test_each_voice_is_heard_as_itself_and_as_nobody_else(name: str):
    assert {one.who for one in listen(over_the_line(tone(name, 1.0)), VOICES)} == {name}


@pytest.mark.parametrize("amplitude", [1500, 4000, 12000, 30000])
def test_a_voice_is_heard_quiet_or_loud(amplitude: float):
    heard = listen(over_the_line(tone("alice", 1.0, amplitude=amplitude)), VOICES)
    assert {one.who for one in heard} == {"alice"}


def test_three_at_once_are_all_heard():
    mixed = tone("lead", 1.0) + tone("bot", 1.0) + tone("bob", 1.0)
    assert {one.who for one in listen(over_the_line(mixed), VOICES)} == {"lead", "bot", "bob"}


def test_neighbouring_voices_of_very_different_levels_are_all_heard():
    mixed = tone("lead", 1.0, amplitude=14000) + tone("bot", 1.0, amplitude=2000)
    assert {one.who for one in listen(over_the_line(mixed), VOICES)} == {"lead", "bot"}


def test_a_pause_is_measured_to_a_frame():
    sound = over_the_line(tone("bot", 1.0), quiet(0.3), tone("bot", 1.0))
    assert spans(listen(sound, VOICES), "bot") == [(0.0, 1.0), (1.3, 2.3)]
    assert longest_silence(sound) == pytest.approx(0.3, abs=0.021)


@pytest.mark.parametrize("offset", [1, 37, 80, 123])
def test_a_change_of_speakers_between_two_frames_invents_nobody(offset: int):
    sound = over_the_line(quiet(offset / RATE), tone("bot", 0.7), tone("carol", 0.7), quiet(0.2))
    heard = listen(sound, VOICES)
    assert {one.who for one in heard} == {"bot", "carol"}
    assert heard[0].end_s == pytest.approx(heard[1].start_s, abs=0.041)


def test_the_edges_of_a_short_pause_are_no_speech():
    for offset in range(0, 160, 7):
        sound = over_the_line(
            quiet(offset / RATE), tone("bot", 0.5), quiet(0.2), tone("bot", 0.5), quiet(0.2)
        )
        assert {one.who for one in listen(sound, VOICES)} == {"bot"}


def test_a_stumble_of_a_busy_machine_is_no_speech():
    stumble = [part for n in range(6) for part in (tone("bot", 0.013, phase=n), quiet(0.004))]
    sound = over_the_line(tone("bot", 0.5), *stumble, tone("bot", 0.5))
    assert {one.who for one in listen(sound, VOICES)} == {"bot"}


def test_silence_and_idle_noise_are_nobody():
    noise = np.random.default_rng(1).normal(0, 20, RATE)
    assert listen(over_the_line(quiet(1.0)), VOICES) == []
    assert listen(over_the_line(noise), VOICES) == []


def test_what_is_loud_and_no_voice_is_speech():
    rng = np.random.default_rng(2)
    syllables = rng.normal(0, 2500, 2 * RATE) * (np.sin(2 * np.pi * 3 * np.arange(2 * RATE) / RATE) > -0.5)
    assert {one.who for one in listen(over_the_line(syllables), VOICES)} == {"speech"}


def test_speech_over_a_voice_is_both():
    rng = np.random.default_rng(3)
    mixed = tone("lead", 1.0) + rng.normal(0, 1200, RATE)
    assert {one.who for one in listen(over_the_line(mixed), VOICES)} == {"lead", "speech"}


def test_silence_of_one_voice_is_measured_under_another():
    sound = over_the_line(
        tone("bot", 0.5) + tone("lead", 0.5), tone("lead", 0.4), tone("bot", 0.5) + tone("lead", 0.5)
    )
    assert longest_silence(sound) == 0.0
    assert longest_silence(sound, {"bot": VOICES["bot"]}) == pytest.approx(0.4, abs=0.021)


def test_a_prompt_is_found_where_it_was_played_and_not_where_another_was():
    rng = np.random.default_rng(4)
    prompt, other = (rng.normal(0, 2000, 2 * RATE).astype(np.int16) for _ in range(2))
    sound = over_the_line(quiet(0.5), tone("bot", 0.3), prompt.astype(np.float64), quiet(0.5))
    assert find_prompt(sound, prompt) == pytest.approx(T0 + 0.8, abs=0.001)
    assert find_prompt(sound, other) is None


@pytest.mark.parametrize("late_s", [0.02, 0.1])
def test_a_prompt_that_falters_is_found_all_the_same(late_s: float):
    rng = np.random.default_rng(5)
    prompt, other = (rng.normal(0, 2000, RATE) for _ in range(2))
    sound = over_the_line(quiet(0.5), prompt[:4000], quiet(late_s), prompt[4000:], quiet(0.5))
    assert find_prompt(sound, prompt.astype(np.int16)) == pytest.approx(T0 + 0.5, abs=0.001)
    assert find_prompt(sound, other.astype(np.int16)) is None


def stream(seconds: float, *, timestamp: int = 0, at: float = T0, ssrc: int = 1) -> list[RtpPacket]:
    payload = ulaw(tone("bot", 0.02))
    return [
        packet(payload, at=at + n * 0.02, timestamp=timestamp + n * 160, ssrc=ssrc)
        for n in range(round(seconds / 0.02))
    ]


def test_packets_that_come_in_bursts_leave_no_gap():
    late = [
        RtpPacket(one.at + (0.0, 0.04, 0.02)[n % 3], one.ssrc, one.timestamp, 0, one.payload)
        for n, one in enumerate(stream(1.0))
    ]
    sound = assemble(late, T0, T0 + 1.0)
    assert longest_silence(sound) <= 0.04
    assert spans(listen(sound, VOICES), "bot")[0][1] == pytest.approx(1.0, abs=0.021)


def test_time_without_a_packet_is_silence():
    packets = stream(1.0) + stream(1.0, timestamp=1 << 30, at=T0 + 1.3, ssrc=2)
    assert longest_silence(assemble(packets, T0, T0 + 2.3)) == pytest.approx(0.3, abs=0.021)


def test_a_pause_that_the_timestamps_hide_is_silence_all_the_same():
    packets = stream(1.0) + stream(1.0, timestamp=8000, at=T0 + 1.2)
    assert longest_silence(assemble(packets, T0, T0 + 2.2)) == pytest.approx(0.2, abs=0.021)


def test_a_key_press_is_no_sound():
    assert decode(packet(b"\x01\x0a\x00\xa0", kind=101)) is None
