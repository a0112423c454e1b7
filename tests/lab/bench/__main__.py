"""`make bench`: measure, print the tables, write docs/performance.md. A slow machine is no failure."""

import argparse
import asyncio
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog
from rich.console import Console

from tests.lab import Lab
from tests.lab.bench import analytics, company, decisions, figures, load, outbox, report, routing, words
from tests.lab.bench.client import Client
from tests.lab.bench.figures import DIAL, DIALPLAN, HTTP, QUEUE
from tests.lab.bench.one_by_one import Turns
from tests.lab.bench.report import Sheet, Verdict
from tests.lab.bench.sightings import Sightings, sightings_of
from tests.lab.bench.ways import by_redirect, over_http
from tests.lab.choice import pbx_wanted
from tests.lab.site import Site, site
from tests.lab.switch import PbxKind

PARTS = ("calls", "decisions", "texts", "reports", "routing")  # the last takes five minutes
BY_PBX = {"asterisk": PARTS, "freeswitch": ("calls",)}  # the rest knows no switch
LIVE = 100  # transfers live, for the memory figure
out = Console(highlight=False)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    turns: int
    trio_turns: int
    calls: int
    per_s: float
    rounds: int
    decisions: int
    spread_s: float
    resolves: int
    resolve_rounds: int
    texts: int
    text_rounds: int
    report_legs: int
    report_rounds: int


@dataclass
class Findings:
    kind: PbxKind
    sheets: list[Sheet] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    def add(self, sheet: Sheet, *verdicts: Verdict) -> None:
        self.sheets.append(words.sheet_for(self.kind, sheet))
        self.verdicts += [words.verdict_for(self.kind, verdict) for verdict in verdicts]
        report.show(out, self.sheets[-1])


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What is measured, on what, and what was found."""

    lab: Lab
    daemon: Site
    client: Client
    seen: Sightings
    sizes: Sizes
    found: Findings
    memory: dict[int, int]  # transfers live -> bytes

    @property
    def on_asterisk(self) -> bool:
        return self.lab.switch.kind == "asterisk"

    async def one_by_one(self) -> None:
        lab, client, sizes, found = self.lab, self.client, self.sizes, self.found
        out.print(f"  {sizes.turns} transfers each way, one at a time")
        ways = [
            over_http(HTTP, client),
            by_redirect(DIALPLAN, lab, "bench-callcontrol", "p"),
            by_redirect(DIAL, lab, "bench-dial", "p"),
            by_redirect(QUEUE, lab, "bench-queue", "s"),
        ]
        turns = Turns(lab, self.seen)
        trials = await turns.take(ways, sizes.turns)
        judge = figures.quiet_verdicts if self.on_asterisk else figures.freeswitch_verdicts
        verdicts = judge(trials)
        found.add(figures.ringing(trials, "Trigger to ringing", figures.RINGING_ABOUT), *verdicts)
        found.add(figures.joining(trials))
        if sizes.trio_turns:
            out.print(f"  {sizes.trio_turns} times three phones at once")
            trio = [
                over_http(HTTP, client, bot="trio", lead_id="trio"),
                by_redirect(DIAL, lab, "bench-dial", "g"),
                by_redirect(QUEUE, lab, "bench-queue", "q"),
            ]
            group = await turns.take_ringing(trio, sizes.trio_turns)
            title = "Trigger to the first of three phones ringing"
            found.add(figures.ringing(group, title, figures.TRIO_ABOUT))

    async def under_load(self) -> None:
        calls = self.sizes.calls
        ways = [over_http(HTTP, self.client), by_redirect(DIAL, self.lab, "bench-dial", "p")]
        rounds = []
        for turn in range(self.sizes.rounds):
            for way in ways[turn % 2 :] + ways[: turn % 2]:
                out.print(f"  {calls} calls up, {self.sizes.per_s:g} transfers a second: {way.name}")
                first = way.name == HTTP and LIVE not in self.memory
                samples = {n: self._sampler(n) for n in (LIVE, calls)} if first else None
                done = await load.run(self.lab, self.seen, way, calls, per_s=self.sizes.per_s, at=samples)
                for gap in done.gaps:
                    out.print(f"    {gap}")
                rounds.append(done)
                await load.clear(self.lab, self.seen, self._settled)
        judged = figures.load_verdicts(rounds) if self.on_asterisk else [figures.lost_verdict(rounds)]
        self.found.add(figures.loaded(rounds, calls, self.sizes.per_s), *judged)
        if LIVE in self.memory:
            self.found.add(figures.memory(self.memory), figures.memory_verdict(self.memory, LIVE))

    def _sampler(self, live: int) -> Callable[[], None]:
        def sample() -> None:
            self.memory[live] = resident(self.daemon)

        return sample

    async def _settled(self) -> bool:
        return not await self.daemon.store.unclosed()


def resident(daemon: Site) -> int:
    """Bytes."""
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


async def measure(sizes: Sizes, parts: Sequence[str], page: Path | None) -> None:
    found, load_before = Findings(pbx_wanted()), os.getloadavg()[0]
    product = await measure_calls(sizes, found) if "calls" in parts else ""
    if "decisions" in parts:
        out.print("  decisions on the simulated switch")
        taken = await decisions.run(sizes.decisions, sizes.spread_s)
        found.add(figures.decisions(taken, sizes.spread_s), figures.decisions_verdict(taken))
    for part, measured in (
        ("texts", measure_texts),
        ("reports", measure_reports),
        ("routing", measure_routing),
    ):
        if part in parts:
            await measured(sizes, found)
    verdicts = report.verdict_sheet(found.verdicts)
    report.show(out, verdicts)
    if page is not None:
        report.write([verdicts, *found.sheets], found.kind, product, load_before, page)
        out.print(f"\nwritten to {page}")


async def measure_routing(sizes: Sizes, found: Findings) -> None:
    out.print("  whom to ring, on sites of 10 to 10,000 agents; this takes some minutes")
    taken = await routing.run(sizes.resolves, sizes.resolve_rounds)
    by_rule, everyone = routing.sheets(taken)
    found.add(by_rule, *routing.verdicts(taken))
    found.add(everyone)


async def measure_texts(sizes: Sizes, found: Findings) -> None:
    out.print(f"  {sizes.texts} texts, one after the other, on both databases")
    latency = await outbox.latencies(sizes.texts)
    rounds = None
    if sizes.text_rounds:
        out.print(f"  decisions with and without {outbox.BACKLOG:,} texts that drain")
        rounds = await outbox.backlog(sizes.decisions, sizes.spread_s, sizes.text_rounds)
    found.add(outbox.latency_sheet(latency), *outbox.verdicts(latency, rounds))
    if rounds is not None:
        found.add(outbox.backlog_sheet(rounds))


async def measure_reports(sizes: Sizes, found: Findings) -> None:
    out.print(f"  the report over {sizes.report_legs:,} legs, which are written first")
    taken = await analytics.run(sizes.report_legs, sizes.report_rounds)
    found.add(analytics.sheet(taken), analytics.verdict(taken))


async def measure_calls(sizes: Sizes, found: Findings) -> str:
    """The switch, by name and version."""
    with tempfile.TemporaryDirectory(prefix="callcontrol-bench-") as name:
        folder = Path(name)
        lab = await Lab.start(folder / "lab", say=lambda text: out.print(f"  {text}"))
        try:
            async with site(lab, folder / "company", company.directory(), alert_info=None) as daemon:
                await measure_transfers(lab, daemon, sizes, found)
        finally:
            await lab.stop()
        return lab.switch.product


async def measure_transfers(lab: Lab, daemon: Site, sizes: Sizes, found: Findings) -> None:
    client, seen = Client(daemon.port, daemon.token), sightings_of(lab)
    await lab.switch.prepare_bench()
    await seen.quieten()
    memory = {0: resident(daemon)}
    bench = Bench(lab=lab, daemon=daemon, client=client, seen=seen, sizes=sizes, found=found, memory=memory)
    try:
        await bench.one_by_one()
        if sizes.rounds:
            await bench.under_load()
    finally:
        client.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    whole = Sizes(
        turns=50,
        trio_turns=20,
        calls=200,
        per_s=20.0,
        rounds=2,
        decisions=500,
        spread_s=5.0,
        resolves=400,
        resolve_rounds=6,
        texts=200,
        text_rounds=6,
        report_legs=1_000_000,
        report_rounds=5,
    )
    if pbx_wanted() == "freeswitch":
        whole = replace(whole, calls=100, per_s=10.0)
    for name, value in vars(whole).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    parser.add_argument(
        "--page", type=Path, help=f"where the tables are written: {report.PAGE.name} by default"
    )
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, help="measure these; no page, unless one is given"
    )
    given = vars(parser.parse_args())
    logging.basicConfig(level=logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    only, page = given.pop("only"), given.pop("page")
    parts = only or BY_PBX[pbx_wanted()]
    asyncio.run(measure(Sizes(**given), parts, page or (None if only else report.PAGE)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
