"""The outbox: from an outcome to the text's gateway, and what a backlog of texts costs a live transfer.

Real stores, the real outbox and its HTTP gateway, and a provider in a process of its own.
"""

import asyncio
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from statistics import median

from callcontrol.adapters.sms.http import HttpGateway, Template
from callcontrol.adapters.sql import SqlStore
from callcontrol.adapters.web import Web
from callcontrol.app.clock import SystemClock
from callcontrol.core.followup import FollowUp, TextOut
from callcontrol.core.model import OutcomeActions
from callcontrol.outbox import Lane, Limits, Outbox, Route, Routes
from callcontrol.ports import NewMessage
from callcontrol.switchboard import Switchboard
from tests.adapters.store import people as p
from tests.adapters.store.server import running
from tests.lab.bench import decisions
from tests.lab.bench.report import Sheet, Verdict, ms, quantile, spread
from tests.lab.ports import free_port

BACKLOG = 1000
TAKES_S = 0.05  # as long as a provider not far away
GENTLY = Limits().backlog_per_s
BACK_UP_AFTER_S = 3.5  # so that the gateway is tried again as the first agents answer
LATENCY_ABOUT = """\
From an outcome's commit until the provider has read the request with its text: the outbox is woken, claims the row,
and posts it, on a connection of its own. One transfer after the other; the provider is another process."""
SILENT = OutcomeActions(notify_agent=False, notify_owner=False)
BACKLOG_ABOUT = f"""\
The decisions of "Decisions alone" with as many transfers, whose outcomes bring no texts of their own here. Both times
the outbox runs beside them; once it has {BACKLOG:,} texts behind a gateway that takes no connection at first and is tried
again, with success, as the first agents answer. It takes a text in {TAKES_S * 1000:g} ms, eight at once; the provider is
another process on the same cores. While a transfer is under way, what has waited goes at {GENTLY:g} a second,
afterwards as fast as the gateway takes it. "Meanwhile": how many of the {BACKLOG:,} were sent while transfers were under
way, and in how long; "all after": when the last of them was; both from the first of them on. Rounds take turns, after
one that does not count; "by round" is the p99 of each. The target is held against the median of the ratios of two
rounds in turn, which share what else the machine does; beside it is the ratio of all decisions' p99."""


@dataclass(slots=True)
class Carrier:
    port: int
    read_at: dict[str, float] = field(default_factory=dict)  # by text

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


@asynccontextmanager
async def carrier(takes_s: float, *, port: int = 0) -> AsyncIterator[Carrier]:
    found = Carrier(port or free_port(socket.SOCK_STREAM))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.lab.bench.carrier", str(found.port), str(takes_s)),
        stdout=asyncio.subprocess.PIPE,
    )
    listening = asyncio.create_task(_listen(process, found))
    try:
        await _answers(found.port)
        yield found
    finally:
        process.kill()
        await process.wait()
        await listening


async def _listen(process: asyncio.subprocess.Process, found: Carrier) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        at, _, text = line.decode().partition(" ")
        found.read_at.setdefault(text.strip(), float(at))


async def _answers(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


@asynccontextmanager
async def sending(
    store: SqlStore, url: str, deciding: Callable[[], bool] = lambda: False
) -> AsyncIterator[Outbox]:
    gateway = HttpGateway("web", Template(url=url, form={"body": "{body}"}), Web())
    lane = Lane("web", gateway)
    routes = Routes(routes=[Route(gateways=("web",))])
    outbox = Outbox(store=store, lanes=[lane], routes=routes, clock=SystemClock(), deciding=deciding)
    task = asyncio.create_task(outbox.run())
    try:
        yield outbox
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await gateway.close()


# --- from an outcome to the gateway


async def latencies(count: int) -> dict[str, list[float]]:
    """Seconds, by database."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="callcontrol-outbox-") as folder, running(fsync=True) as server:
        urls = {
            "SQLite": f"sqlite:///{Path(folder) / 'bench.db'}",
            "PostgreSQL": server.url(server.new_database()),
        }
        for database, url in urls.items():
            store = SqlStore(url)
            await store.ensure_schema()
            await store.apply(p.DIRECTORY)
            async with carrier(0.0) as provider, sending(store, provider.url) as outbox:
                found[database] = [await _one(store, outbox, provider, n) for n in range(count)][5:]
            await store.close()
    return found


async def _one(store: SqlStore, outbox: Outbox, provider: Carrier, n: int) -> float:
    name = f"t{n}"
    await p.opened(store, name)
    text = TextOut(recipient="owner", to=f"+1{n}", body=name)
    await store.record(p.missed(name, follow_up=FollowUp(texts=(text,))))
    committed = time.monotonic()
    outbox.wake()
    async with asyncio.timeout(20):
        while (at := provider.read_at.get(f"body={name}")) is None:
            await asyncio.sleep(0.001)
    return at - committed


# --- a backlog beside live transfers


@dataclass(slots=True)
class Rounds:
    """Seconds, of each round."""

    quiet: list[list[float]] = field(default_factory=list)
    beside: list[list[float]] = field(default_factory=list)
    drained: list["Texts"] = field(default_factory=list)


async def backlog(count: int, spread_s: float, rounds: int) -> Rounds:
    found = Rounds()
    await decisions.run(count // 5, 1.0)
    for turn in range(rounds):
        for waiting in (0, BACKLOG) if turn % 2 == 0 else (BACKLOG, 0):
            texts = Texts(waiting=waiting)
            taken = await decisions.run(count, spread_s, beside=texts.beside, actions=SILENT)
            (found.beside if waiting else found.quiet).append(_all(taken))
            if waiting:
                found.drained.append(texts)
    return found


def _all(taken: decisions.Decisions) -> list[float]:
    return [value for values in taken.taken.values() for value in values]


class Texts:
    """The outbox, with so many texts that wait behind a gateway that is down at first, if any do."""

    def __init__(self, *, waiting: int) -> None:
        self.meanwhile = 0  # sent while decisions were made
        self.meanwhile_s = self.all_s = 0.0  # since the first of them was sent
        self._bodies = [f"backlog-{n}" for n in range(waiting)]

    @asynccontextmanager
    async def beside(self, store: SqlStore, board: Switchboard) -> AsyncIterator[None]:
        for first in range(0, len(self._bodies), 100):
            texts = [_text(body) for body in self._bodies[first : first + 100]]
            await p.enqueue(store, texts, datetime.now(UTC))
        async with AsyncExitStack() as stack:
            port = free_port(socket.SOCK_STREAM)
            coming_up = asyncio.create_task(self._come_up(stack, port))
            async with sending(store, f"http://127.0.0.1:{port}/", lambda: board.deciding):
                yield
                decided_at = time.monotonic()
                await self._all_read(await coming_up, decided_at)

    async def _come_up(self, stack: AsyncExitStack, port: int) -> Carrier:
        await asyncio.sleep(BACK_UP_AFTER_S if self._bodies else 0.0)
        return await stack.enter_async_context(carrier(TAKES_S, port=port))

    async def _all_read(self, provider: Carrier, decided_at: float) -> None:
        expected = {f"body={body}" for body in self._bodies}
        async with asyncio.timeout(120):
            while not expected <= provider.read_at.keys():
                await asyncio.sleep(0.1)
        if expected:
            at = sorted(provider.read_at[body] for body in expected)
            self.meanwhile = sum(read < decided_at for read in at)
            self.meanwhile_s, self.all_s = decided_at - at[0], at[-1] - at[0]


def _text(body: str) -> NewMessage:
    return NewMessage(dedupe_key=body, to=f"+1{body.removeprefix('backlog-')}", body=body, recipient="owner")


# --- figures


def latency_sheet(found: dict[str, list[float]]) -> Sheet:
    return Sheet(
        title="Outcome to gateway",
        about=LATENCY_ABOUT,
        headings=("database", "n", "p50", "p95", "p99"),
        rows=tuple(
            (database, *spread(values), ms(quantile(values, 0.99))) for database, values in found.items()
        ),
    )


def backlog_sheet(found: Rounds) -> Sheet:
    return Sheet(
        title=f"Decisions beside {BACKLOG:,} waiting texts",
        about=BACKLOG_ABOUT,
        headings=("beside", "n", "p50", "p95", "p99", "by round", "meanwhile", "all after"),
        rows=(
            ("nothing", *_told(found.quiet), "-", "-"),
            (
                "the backlog",
                *_told(found.beside),
                ", ".join(f"{one.meanwhile} in {one.meanwhile_s:.0f} s" for one in found.drained),
                ", ".join(f"{one.all_s:.0f} s" for one in found.drained),
            ),
        ),
    )


def _told(rounds: Sequence[Sequence[float]]) -> tuple[str, ...]:
    values = list(chain(*rounds))
    by_round = ", ".join(ms(quantile(one, 0.99)) for one in rounds)
    return (*spread(values), ms(quantile(values, 0.99)), by_round)


def verdicts(latency: dict[str, list[float]], rounds: Rounds | None) -> Sequence[Verdict]:
    told = []
    for database, values in latency.items():
        p99 = quantile(values, 0.99)
        told.append(
            Verdict(
                what=f"outcome to gateway, {database}, p99",
                target="under 1,000 ms",
                figure=f"{ms(p99)} ms",
                met=p99 < 1,
            )
        )
    if rounds is not None:
        p99s = [[quantile(one, 0.99) for one in side] for side in (rounds.quiet, rounds.beside)]
        pooled = quantile(chain(*rounds.beside), 0.99) / quantile(chain(*rounds.quiet), 0.99)
        ratio = median(beside / quiet for quiet, beside in zip(*p99s, strict=True))
        told.append(
            Verdict(
                what=f"decision beside {BACKLOG:,} texts, p99",
                target="at most 1.10 times without",
                figure=f"{ratio:.2f} times ({pooled:.2f} of all)",
                met=ratio <= 1.1,
            )
        )
    return told
