"""Texts as lines of a file."""

import asyncio
import json
import stat
from pathlib import Path

import pytest

from callcontrol.adapters.sms.file import FileGateway
from callcontrol.core.model import TransferId
from callcontrol.ports import Message, PortError


def text(number: int, body: str = "Please call back.") -> Message:
    return Message(
        id=number,
        dedupe_key=f"t{number}:owner",
        transfer_id=TransferId("t"),
        to="+13035550100",
        body=body,
        recipient="owner",
        attempts=1,
    )


def lines(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


async def test_a_text_is_one_line_that_only_its_owner_reads(tmp_path):
    file = tmp_path / "state" / "texts.jsonl"
    await FileGateway(file).send(text(1, 'Zwei\nZeilen "ü" 😀'))
    [line] = lines(file)
    assert line["to"] == "+13035550100"
    assert line["body"] == 'Zwei\nZeilen "ü" 😀'
    assert line["transfer"] == "t"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_text_sent_again_is_still_one_line_also_by_another_process(tmp_path):
    file = tmp_path / "texts.jsonl"
    gateway = FileGateway(file)
    await gateway.send(text(1))
    await FileGateway(file).send(text(2))
    await gateway.send(text(1))
    await gateway.send(text(2))
    await FileGateway(file).send(text(1))
    assert [line["key"] for line in lines(file)] == ["t1:owner", "t2:owner"]


async def test_a_line_torn_by_a_crash_spoils_no_other(tmp_path):
    file = tmp_path / "texts.jsonl"
    gateway = FileGateway(file)
    await gateway.send(text(1))
    with file.open("a") as torn:
        torn.write('{"at": "2026-')
    await gateway.send(text(2))
    await gateway.send(text(2))
    first, middle, last = file.read_text().splitlines()
    assert middle == '{"at": "2026-'
    assert [json.loads(line)["key"] for line in (first, last)] == ["t1:owner", "t2:owner"]


async def test_texts_at_the_same_time_do_not_mix(tmp_path):
    file = tmp_path / "texts.jsonl"
    one, other = FileGateway(file), FileGateway(file)
    await asyncio.gather(*((one, other)[n % 2].send(text(n, "x" * 5000)) for n in range(40)))
    assert {line["key"] for line in lines(file)} == {f"t{n}:owner" for n in range(40)}
    assert len(lines(file)) == 40


async def test_a_file_rotated_away_is_begun_anew(tmp_path):
    file = tmp_path / "texts.jsonl"
    gateway = FileGateway(file)
    await gateway.send(text(1))
    await gateway.send(text(2))
    file.rename(tmp_path / "texts.1")
    await gateway.send(text(3))
    assert [line["key"] for line in lines(file)] == ["t3:owner"]


async def test_a_disk_that_refuses_is_an_error_to_try_again_after(tmp_path):
    (tmp_path / "folder").write_text("in the way")
    with pytest.raises(PortError) as raised:
        await FileGateway(tmp_path / "folder" / "texts.jsonl").send(text(1))
    assert raised.value.retryable
