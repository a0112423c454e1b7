"""kill -9 at each step of sending, on both databases, with a provider that counts what it delivers."""

import asyncio
import signal
from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from callcontrol.ports import MessageState, NewMessage, Which
from tests.adapters.sms.provider import HANGS, Asked, Provider, Says, provider
from tests.adapters.store import people as p
from tests.courier import argv

TEXTS = 4


def delivered(server: Provider, *, knows_keys: bool) -> Counter[str]:
    """What reached people: a provider that knows keys delivers each of them once."""
    asked: dict[str, Asked] | dict[int, Asked] = (
        {one.headers["idempotency-key"]: one for one in server.asked}
        if knows_keys
        else dict(enumerate(server.asked))
    )
    return Counter(one.json["text"] for one in asked.values())


@asynccontextmanager
async def courier(url: str, server: Provider, kind: str, step: str):
    process = await asyncio.create_subprocess_exec(
        *argv(url, server.url, kind, step), stdout=asyncio.subprocess.PIPE
    )
    assert await process.stdout.readline() == b"runs\n"
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()


async def settled(store) -> list:
    """Every message, once nothing is left to be done."""
    async with asyncio.timeout(30):
        while True:
            found = await store.messages(Which(), 100)
            if {one.state for one in found} <= {MessageState.SENT, MessageState.PARKED}:
                return list(reversed(found))
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("kind", ["keyed", "unkeyed", "resends"])
@pytest.mark.parametrize("step", ["claimed", "sending", "sent"])
async def test_a_text_whose_courier_is_killed(office, url, step, kind):
    texts = [
        NewMessage(dedupe_key=f"key-{n}", to=f"+1{n}", body=f"text {n}", recipient="owner")
        for n in range(TEXTS)
    ]
    await p.enqueue(office, texts, datetime.now(UTC))
    async with provider() as server:
        if step == "sending":
            server.will(HANGS)
        async with courier(url, server, kind, step) as process:
            async with asyncio.timeout(20):
                if step == "sending":
                    while not server.asked:
                        await asyncio.sleep(0.01)
                else:
                    await process.stdout.readline()
        went_out_before = {one.json["text"] for one in server.asked}
        server.will(Says(202))
        async with courier(url, server, kind, "none"):
            found = await settled(office)

        counts = delivered(server, knows_keys=kind == "keyed")
        states = [(one.state.value, one.doubtful) for one in found]
        if kind == "unkeyed":
            assert states == [("parked", True), *[("sent", False)] * (TEXTS - 1)]
            assert found[0].last_error == "may have been sent: callcontrol ended while it was being sent"
            assert counts == Counter(went_out_before) + Counter(f"text {n}" for n in range(1, TEXTS))
            assert max(counts.values()) == 1, "at most once"
        else:
            assert states == [("sent", False)] * TEXTS
            assert set(counts) == {f"text {n}" for n in range(TEXTS)}, "at least once"
        if kind == "keyed":
            assert max(counts.values()) == 1, "exactly once"


@pytest.mark.parametrize(("kind", "at_once"), [("unkeyed", 1), ("gently", 4)])
async def test_kills_at_random_lose_nothing_and_double_nothing(office, url, kind, at_once):
    texts = [
        NewMessage(dedupe_key=f"key-{n}", to=f"+1{n}", body=f"text {n}", recipient="owner")
        for n in range(150)
    ]
    await p.enqueue(office, texts, datetime.now(UTC))
    async with provider() as server:
        server.will(Says(202))
        for n in range(4):
            async with courier(url, server, kind, "none"):
                before = len(server.asked)
                async with asyncio.timeout(20):
                    while len(server.asked) < before + 5 + 3 * n:
                        await asyncio.sleep(0.005)
        async with courier(url, server, kind, "none"):
            found = await settled(office)
        counts = delivered(server, knows_keys=False)
    assert max(counts.values()) == 1
    listed = {one.body for one in found if one.state is MessageState.PARKED}
    assert all(one.doubtful for one in found if one.state is MessageState.PARKED)
    assert {one.body for one in found} - set(counts) <= listed, "what was not delivered is listed"
    assert len(listed) <= 4 * at_once, "no more at a time were on their way"
