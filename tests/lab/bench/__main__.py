"""`make bench`: measure, print the tables, write docs/performance.md. A slow machine is no failure."""

import argparse
import asyncio
import logging
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from rich.console import Console

from tests.lab import Lab
from tests.lab.bench import company, decisions, figures, load, report
from tests.lab.bench.client import Client
from tests.lab.bench.figures import DIAL, DIALPLAN, HTTP, QUEUE
from tests.lab.bench.one_by_one import Trial, Turns
from tests.lab.bench.report import Sheet, Verdict
from tests.lab.bench.sightings import Sightings
from tests.lab.bench.ways import by_redirect, over_http
from tests.lab.site import Site, site

LIVE = 100  # transfers live, for the memory figure
out = Console(highlight=False)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    turns: int
    trio_turns: int
    calls: int
    rounds: int
    decisions: int
    spread_s: float


@dataclass
class Findings:
    sheets: list[Sheet] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    def add(self, sheet: Sheet, *verdicts: Verdict) -> None:
        self.sheets.append(sheet)
        self.verdicts += verdicts
        report.show(out, sheet)


async def bench(sizes: Sizes, page: Path | None) -> None:
    found = Findings()
    with tempfile.TemporaryDirectory(prefix="callcontrol-bench-") as name:
        folder = Path(name)
        lab = await Lab.start(folder / "lab", say=lambda text: out.print(f"  {text}"))
        try:
            async with site(lab, folder / "company", company.directory()) as daemon:
                await measure_calls(lab, daemon, sizes, found)
        finally:
            await lab.stop()
    if sizes.decisions:
        out.print("  decisions on the simulated switch")
        taken = await decisions.run(sizes.decisions, sizes.spread_s)
        found.add(figures.decisions(taken, sizes.spread_s), figures.decisions_verdict(taken))
    verdicts = report.verdict_sheet(found.verdicts)
    report.show(out, verdicts)
    if page is not None:
        asterisk = ".".join(map(str, lab.pbx.version))
        report.write([verdicts, *found.sheets], asterisk, page)
        out.print(f"\nwritten to {page}")


async def measure_calls(lab: Lab, daemon: Site, sizes: Sizes, found: Findings) -> None:
    client = Client(daemon.port, daemon.token)
    seen = Sightings(lab)
    await seen.quieten()
    memory = {0: resident(daemon)}
    try:
        await one_by_one(lab, client, seen, sizes, found)
        if sizes.rounds:
            await under_load(lab, daemon, client, seen, sizes, memory, found)
    finally:
        client.close()


async def one_by_one(lab: Lab, client: Client, seen: Sightings, sizes: Sizes, found: Findings) -> None:
    out.print(f"  {sizes.turns} transfers each way, one at a time")
    ways = [
        over_http(HTTP, client),
        by_redirect(DIALPLAN, lab, "bench-callcontrol", "p"),
        by_redirect(DIAL, lab, "bench-dial", "p"),
        by_redirect(QUEUE, lab, "bench-queue", "s"),
    ]
    turns = Turns(lab, seen)
    trials: list[Trial] = await turns.take(ways, sizes.turns)
    found.add(figures.ringing(trials, "Trigger to ringing"), *figures.quiet_verdicts(trials))
    found.add(figures.joining(trials))
    if sizes.trio_turns:
        trio = [
            over_http(HTTP, client, bot="trio", lead_id="trio"),
            by_redirect(DIAL, lab, "bench-dial", "g"),
            by_redirect(QUEUE, lab, "bench-queue", "q"),
        ]
        group = await turns.take_ringing(trio, sizes.trio_turns)
        found.add(figures.ringing(group, "Trigger to the first of three phones ringing"))


async def under_load(
    lab: Lab,
    daemon: Site,
    client: Client,
    seen: Sightings,
    sizes: Sizes,
    memory: dict[int, int],
    found: Findings,
) -> None:
    ways = [over_http(HTTP, client), by_redirect(DIAL, lab, "bench-dial", "p")]
    rounds = []
    for turn in range(sizes.rounds):
        for way in ways[turn % 2 :] + ways[: turn % 2]:
            out.print(f"  {sizes.calls} calls up, {load.PER_S:g} transfers a second: {way.name}")
            first = way.name == HTTP and LIVE not in memory
            samples = {n: sampler(memory, daemon, n) for n in (LIVE, sizes.calls)} if first else None
            rounds.append(await load.run(lab, seen, way, sizes.calls, at=samples))
            await load.clear(lab, seen, settled(daemon))
    found.add(figures.loaded(rounds, sizes.calls), *figures.load_verdicts(rounds))
    if LIVE in memory:
        found.add(figures.memory(memory), figures.memory_verdict(memory, LIVE))


def resident(daemon: Site) -> int:
    """Bytes."""
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def sampler(memory: dict[int, int], daemon: Site, live: int) -> Callable[[], None]:
    def sample() -> None:
        memory[live] = resident(daemon)

    return sample


def settled(daemon: Site) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return not await daemon.store.unclosed()

    return look


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    whole = Sizes(turns=60, trio_turns=30, calls=200, rounds=2, decisions=500, spread_s=5.0)
    for name, value in vars(whole).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    parser.add_argument("--page", type=Path, default=report.PAGE, help="where the tables are written")
    parser.add_argument("--no-page", action="store_true", help="print only")
    given = vars(parser.parse_args())
    logging.basicConfig(level=logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    page = None if given.pop("no_page") else given["page"]
    del given["page"]
    asyncio.run(bench(Sizes(**given), page))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
