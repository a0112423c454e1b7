"""The outbox: from an outcome to the text's gateway, and what a backlog of texts costs a live transfer.

Real stores, the real outbox and its HTTP gateway, and a provider in a process of its own.
"""

import asyncio
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from callcontrol.adapters.sms.http import HttpGateway, Template
from callcontrol.adapters.sql import SqlStore
from callcontrol.adapters.web import Web
from callcontrol.app.clock import SystemClock
from callcontrol.core.followup import FollowUp, TextOut
from callcontrol.outbox import Lane, Outbox, Route, Routes
from callcontrol.ports import MessageState, NewMessage, Which
from tests.adapters.store import people as p
from tests.adapters.store.server import running
from tests.lab.bench import decisions
from tests.lab.bench.report import Sheet, Verdict, ms, quantile, spread
from tests.lab.ports import free_port

BACKLOG = 1000
TAKES_S = 0.05  # as long as a provider not far away
BACK_UP_AFTER_S = decisions.FIRST_EVENT_S + 0.5  # when the first decisions are made
LATENCY_ABOUT = """\
From an outcome's commit until the provider has read the request with its text: the outbox is woken, claims the row,
and posts it, on a connection of its own. One transfer after the other; the provider is another process."""
BACKLOG_ABOUT = f"""\
The decisions of the table above with as many transfers, without and with {BACKLOG:,} texts queued behind a gateway that
takes no connection at first and comes up when the decisions begin. It takes a text in {TAKES_S * 1000:g} ms, eight at
once. Rounds take turns. "Texts" is how many were sent in a round, and how many of them while decisions were made; the
provider is another process on the same cores."""


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
async def sending(store: SqlStore, url: str) -> AsyncIterator[Outbox]:
    gateway = HttpGateway("web", Template(url=url, form={"body": "{body}"}), Web())
    lane = Lane("web", gateway)
    routes = Routes(routes=[Route(gateways=("web",))])
    outbox = Outbox(store=store, lanes=[lane], routes=routes, clock=SystemClock())
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
    quiet: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    sent: list[tuple[int, int]] = field(default_factory=list)  # in all, and while decisions were made


async def backlog(count: int, spread_s: float, rounds: int) -> Rounds:
    found = Rounds()
    for _ in range(rounds):
        found.quiet += _all(await decisions.run(count, spread_s))
        draining = Draining()
        found.beside += _all(await decisions.run(count, spread_s, beside=draining.beside))
        found.sent.append((draining.sent, draining.meanwhile))
    return found


def _all(taken: decisions.Decisions) -> list[float]:
    return [value for values in taken.taken.values() for value in values]


@dataclass(slots=True)
class Draining:
    sent: int = 0
    meanwhile: int = 0

    @asynccontextmanager
    async def beside(self, store: SqlStore) -> AsyncIterator[None]:
        port = free_port(socket.SOCK_STREAM)
        now = datetime.now(UTC)
        for first in range(0, BACKLOG, 100):
            texts = [
                NewMessage(dedupe_key=f"backlog-{n}", to=f"+1{n}", body=f"backlog-{n}", recipient="owner")
                for n in range(first, first + 100)
            ]
            await p.enqueue(store, texts, now)
        async with sending(store, f"http://127.0.0.1:{port}/"):
            coming_up = asyncio.create_task(self._come_up(port, store))
            yield
            self.meanwhile = await _sent(store)
            await coming_up

    async def _come_up(self, port: int, store: SqlStore) -> None:
        await asyncio.sleep(BACK_UP_AFTER_S)
        async with carrier(TAKES_S, port=port), asyncio.timeout(120):
            while (sent := await _sent(store)) < BACKLOG:
                await asyncio.sleep(0.5)
        self.sent = sent


async def _sent(store: SqlStore) -> int:
    found = await store.messages(Which(states=(MessageState.SENT,)), BACKLOG * 2)
    return sum(one.body.startswith("backlog-") for one in found)


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
    totals = ", ".join(f"{sent} ({meanwhile})" for sent, meanwhile in found.sent)
    return Sheet(
        title=f"Decisions beside {BACKLOG:,} waiting texts",
        about=BACKLOG_ABOUT,
        headings=("beside", "n", "p50", "p95", "p99", "texts"),
        rows=(
            ("nothing", *spread(found.quiet), ms(quantile(found.quiet, 0.99)), "0"),
            ("the backlog", *spread(found.beside), ms(quantile(found.beside, 0.99)), totals),
        ),
    )


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
        ratio = quantile(rounds.beside, 0.99) / quantile(rounds.quiet, 0.99)
        told.append(
            Verdict(
                what=f"decision beside {BACKLOG:,} texts, p99",
                target="at most 1.10 times without",
                figure=f"{ratio:.2f} times",
                met=ratio <= 1.1,
            )
        )
    return told
