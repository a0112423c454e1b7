"""Speech by commands: real ones where they are installed, and small scripts for what goes wrong."""

import asyncio
import os
import shutil
import stat
import sys
import time
import wave
from pathlib import Path

import pytest

from callcontrol.adapters.speech.command import CommandSpeech, SpeechSettings
from callcontrol.config.settings import Speech
from callcontrol.ports import PortError

COPY = (sys.executable, "-c", "import shutil, sys; shutil.copy(*sys.argv[1:])", "{raw}", "{out}")


def python(script: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"import os, sys, time\n{script}", "{raw}")


def speech(folder: Path, script: str, **more) -> CommandSpeech:
    given = {"command": python(script), "convert": COPY, "directory": folder / "sounds"}
    return CommandSpeech(SpeechSettings(**(given | more)))


ECHO = "open(sys.argv[1], 'w').write(sys.stdin.read())"


def sounds(folder: Path) -> list[Path]:
    return sorted((folder / "sounds").iterdir())


@pytest.mark.skipif(not (shutil.which("espeak-ng") and shutil.which("sox")), reason="needs espeak-ng and sox")
async def test_the_default_commands_make_what_asterisk_plays(tmp_path):
    default = Speech()
    settings = SpeechSettings(command=default.command, convert=default.convert, directory=tmp_path / "sounds")
    file = await CommandSpeech(settings).render("I'll let you guys take it from here.")
    with wave.open(str(file)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2)
        assert sound.getnframes() > 8000


async def test_the_text_comes_on_standard_input_and_never_as_an_argument(tmp_path):
    script = "assert not any('hostile' in a for a in sys.argv)\n" + ECHO
    file = await speech(tmp_path, script).render("hostile; $(reboot) -w /etc/passwd")
    assert file.read_text() == "hostile; $(reboot) -w /etc/passwd"


async def test_the_switch_may_read_the_file_and_its_folder(tmp_path):
    before = os.umask(0o077)
    try:
        file = await speech(tmp_path, ECHO).render("Hello.")
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o755


async def test_the_same_text_is_rendered_once_also_at_the_same_time(tmp_path):
    count = f"open({str(tmp_path / 'count')!r}, 'a').write('x')\n"
    voice = speech(tmp_path, count + "time.sleep(0.1)\n" + ECHO)
    files = await asyncio.gather(*(voice.render("Hello.") for _ in range(5)))
    files.append(await speech(tmp_path, count + "time.sleep(0.1)\n" + ECHO).render("Hello."))
    assert len(set(files)) == 1
    assert (tmp_path / "count").read_text() == "x"


async def test_another_text_and_another_voice_are_other_files(tmp_path):
    files = {
        await speech(tmp_path, ECHO).render("One."),
        await speech(tmp_path, ECHO).render("Two."),
        await speech(tmp_path, ECHO + "\n").render("One."),
    }
    assert len(files) == 3


async def test_the_switch_may_see_the_folder_elsewhere(tmp_path):
    voice = speech(tmp_path, ECHO, directory_on_pbx=Path("/mnt/sounds"))
    file = await voice.render("Hello.")
    assert file.parent == Path("/mnt/sounds")
    assert (tmp_path / "sounds" / file.name).exists()


async def test_the_commands_see_no_secret_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("CALLCONTROL_AMI_SECRET", "hunter2")
    file = await speech(tmp_path, "open(sys.argv[1], 'w').write(str(sorted(os.environ)))").render("x")
    assert "CALLCONTROL" not in file.read_text()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("sys.exit('no such voice')", "ended with 1: no such voice"),
        ("sys.exit(3)", "ended with 3: no word"),
        ("pass", "ended with 1"),  # the second command finds no file
        ("open(sys.argv[1], 'w')", "made no sound file"),
    ],
)
async def test_a_command_that_fails_is_an_error_with_its_last_word_and_leaves_nothing(tmp_path, script, said):
    with pytest.raises(PortError, match=said) as raised:
        await speech(tmp_path, script).render("Hello.")
    assert not raised.value.retryable
    assert sounds(tmp_path) == []


async def test_a_command_that_is_not_installed_is_said_so(tmp_path):
    with pytest.raises(PortError, match="no-such-command is not installed"):
        await speech(tmp_path, "", command=("no-such-command", "{raw}")).render("Hello.")


async def test_a_command_that_hangs_is_killed_with_its_children(tmp_path):
    pid = tmp_path / "pid"
    script = (
        "import subprocess\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(pid)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)"
    )
    began = time.monotonic()
    with pytest.raises(PortError, match="took over 1 s") as raised:
        await speech(tmp_path, script, timeout_s=1.0).render("Hello.")
    assert raised.value.retryable
    assert time.monotonic() - began < 5
    assert not _running(int(pid.read_text()))
    assert sounds(tmp_path) == []


def _running(pid: int) -> bool:
    stat_file = Path(f"/proc/{pid}/stat")
    return stat_file.exists() and stat_file.read_text().rpartition(")")[2].split()[0] != "Z"


async def test_a_render_that_is_cancelled_leaves_no_process_and_no_file(tmp_path):
    pid = tmp_path / "pid"
    script = f"open({str(pid)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"
    rendering = asyncio.create_task(speech(tmp_path, script).render("Hello."))
    async with asyncio.timeout(5):
        while not (pid.exists() and pid.read_text()):
            await asyncio.sleep(0.02)
    rendering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rendering
    assert not _running(int(pid.read_text()))
    assert sounds(tmp_path) == []


async def test_files_older_than_a_day_go_but_not_those_in_use(tmp_path):
    voice = speech(tmp_path, ECHO)
    used, unused = await voice.render("Used."), await voice.render("Unused.")
    two_days_ago = time.time() - 2 * 86_400
    for file in (used, unused):
        os.utime(file, (two_days_ago, two_days_ago))
    await voice.render("Used.")
    await speech(tmp_path, ECHO).render("After a restart.")
    assert used.exists()
    assert not unused.exists()
