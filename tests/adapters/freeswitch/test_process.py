"""The adapter inside a process of its own: what an event costs, and how the process ends."""

import asyncio
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from callcontrol.adapters.freeswitch import FreeswitchPbx
from callcontrol.ports import HandoffDone, LinkUp, Report
from tests.adapters.freeswitch.scripted import QUICK, custom, event, scripted

EVENTS = 10_000
DEAREST_US = 100.0

# A peer in another process, so that its work is not counted: it answers all, and after `log` it waits for
# `api go`, which is followed by the flood.
PEER = """
import socket, sys
flood = open(sys.argv[1], "rb").read()
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
session, _ = listening.accept()
session.sendall(b"Content-Type: auth/request\\n\\n")
said = b""
while data := session.recv(65536):
    said += data
    while b"\\n\\n" in said:
        command, _, said = said.partition(b"\\n\\n")
        if command == b"api go":
            session.sendall(b"Content-Type: api/response\\nContent-Length: 2\\n\\nok" + flood)
        elif command.startswith(b"api show"):
            session.sendall(b'Content-Type: api/response\\nContent-Length: 15\\n\\n{"row_count":0}')
        elif command.startswith(b"api"):
            session.sendall(b"Content-Type: api/response\\nContent-Length: 2\\n\\nok")
        else:
            session.sendall(b"Content-Type: command/reply\\nReply-Text: +OK\\n\\n")
"""


def mixture() -> bytes:
    """As a FreeSWITCH sends them in a busy hour: most say what a call does, some carry every variable."""
    profile = {f"Caller-{n:02d}-Something-Of-The-Profile": f"value-{n:040d}" for n in range(25)}
    variables = {f"variable_some_variable_{n:02d}": f"value-{n:040d}" for n in range(60)}
    small = event(
        "CHANNEL_CALLSTATE",
        {"Unique-ID": "1", "Channel-Call-State": "ACTIVE", "Channel-Presence-ID": "a@x", **profile},
    )
    big = event(
        "CHANNEL_BRIDGE", {"Bridge-A-Unique-ID": "1", "Bridge-B-Unique-ID": "2", **profile, **variables}
    )
    return (small * 8 + big * 2) * (EVENTS // 10) + custom("callcontrol::handoff_finished", "the last one")


async def test_an_event_costs_less_than_a_hundred_microseconds_of_the_cpu(tmp_path):
    flood = tmp_path / "flood"
    flood.write_bytes(mixture())
    peer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PEER, str(flood), stdout=asyncio.subprocess.PIPE
    )
    assert peer.stdout is not None
    settings = replace(QUICK, port=int(await peer.stdout.readline()), command_timeout_s=5.0)
    pbx, linked, last = FreeswitchPbx(settings), asyncio.Event(), asyncio.Event()

    def take(report: Report) -> None:
        if isinstance(report, LinkUp):
            linked.set()
        if report == HandoffDone(channel="the last one"):
            last.set()

    running = asyncio.create_task(pbx.run(take))
    try:
        async with asyncio.timeout(60):
            await linked.wait()
            began = time.process_time()
            await pbx._supervisor.api("go")
            await last.wait()
        took_us = (time.process_time() - began) * 1e6 / EVENTS
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        peer.kill()
        await peer.communicate()
    print(f"an event, us of CPU: {took_us:.1f}")
    assert took_us < DEAREST_US


PROCESS = """
import asyncio, sys
from callcontrol.adapters.freeswitch import FreeswitchPbx, FreeswitchSettings

async def main():
    pbx = FreeswitchPbx(FreeswitchSettings(secret="s3cret", port=int(sys.argv[1])))
    running = asyncio.create_task(pbx.run(lambda report: None))
    while not pbx.linked:
        await asyncio.sleep(0.01)
    sys.exit(int(sys.argv[2]))

asyncio.run(main())
"""


@pytest.mark.parametrize("code", [0, 3])
async def test_a_process_that_ends_with_its_link_up_ends_as_it_wants_to(code: int):
    """A loop of gevent's that still runs while the interpreter takes itself down crashes it, now and then."""
    async with scripted() as freeswitch:
        for _ in range(3):
            command = [sys.executable, "-c", PROCESS, str(freeswitch.port), str(code)]
            ended = await asyncio.to_thread(
                subprocess.run, command, check=False, capture_output=True, timeout=30
            )
            assert (ended.returncode, ended.stderr.decode().count("Traceback")) == (code, 0)
