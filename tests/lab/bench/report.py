"""Figures, as tables on the screen and in docs/performance.md."""

import platform
import sqlite3
import subprocess
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.lab.rendering import CHECKOUT

PAGE = CHECKOUT / "docs" / "performance.md"
COMMANDS = {"asterisk": "make bench", "freeswitch": "make bench PBX=freeswitch"}
_CLOCKS = {
    "asterisk": "a bridge's and the\n  dialplan's events carry the PBX's",
    "freeswitch": "an event of\n  the PBX's carries the last tick of a timer, up to 20 ms ago, so that its arrival counts, some 2 ms after it",
}
_TITLES = {"asterisk": "# Performance", "freeswitch": "# Performance on FreeSWITCH"}


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One table, with what must be said of it."""

    title: str
    about: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A target of the product's, and what was found."""

    what: str
    target: str
    figure: str
    met: bool


def quantile(values: Iterable[float], q: float) -> float:
    """The value that a share `q` doesn't exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * q))]


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f}"


def spread(values: Sequence[float]) -> tuple[str, str, str]:
    """How many, p50, p95; a dash where there is none."""
    if not values:
        return "0", "-", "-"
    return str(len(values)), ms(quantile(values, 0.5)), ms(quantile(values, 0.95))


def verdict_sheet(verdicts: Sequence[Verdict]) -> Sheet:
    return Sheet(
        title="Targets",
        about="Ratios are against the PBX's own ways in the same run.",
        headings=("what", "target", "figure", "met"),
        rows=tuple((v.what, v.target, v.figure, "yes" if v.met else "NO") for v in verdicts),
    )


def show(console: Console, sheet: Sheet) -> None:
    table = Table(title=sheet.title, title_justify="left", caption=sheet.about, caption_justify="left")
    for n, heading in enumerate(sheet.headings):
        table.add_column(heading, justify="left" if n == 0 else "right")
    for row in sheet.rows:
        table.add_row(*row)
    console.print("", table)


def write(sheets: Sequence[Sheet], kind: str, pbx: str, load: float, page: Path = PAGE) -> None:
    """The half of the page that is about this kind of switch; the other half stays.

    `load` is the machine's load average before the bench began: what else ran.
    """
    parts = [_head(kind, pbx, load)]
    for sheet in sheets:
        lines = [sheet.headings, tuple("---" for _ in sheet.headings), *sheet.rows]
        table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        parts.append(f"## {sheet.title}\n\n{table}\n\n{sheet.about}")
    half = "\n\n".join(parts)
    before = page.read_text() if page.exists() else ""
    on_asterisk, _, on_freeswitch = before.partition(f"\n{_TITLES['freeswitch']}\n")
    if kind == "freeswitch":
        whole = f"{on_asterisk.strip()}\n\n{half}"
    else:
        whole = f"{half}\n\n{_TITLES['freeswitch']}\n{on_freeswitch}" if on_freeswitch else half
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(whole.strip() + "\n")


def _head(kind: str, pbx: str, load: float) -> str:
    return f"""{_TITLES[kind]}

Written by `{COMMANDS[kind]}` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC; run it to have these tables for your own machine.

- Machine: {_processor()}; {platform.system()} {".".join(platform.release().split(".")[:2])}. The PBX, the outside world
  with its phones, the daemon, the bot and the measuring all share it. Its load average before the bench: {load:.2f}; with
  more than a few tenths, other work was measured too.
- Versions: callcontrol {_callcontrol()} ({_commit()}), {pbx}, Python {platform.python_version()},
  SQLite {sqlite3.sqlite_version} (WAL), SQLAlchemy {version("SQLAlchemy")}, uvicorn
  {version("uvicorn")}.
- The daemon runs as it does in production: its own process, a real link to the PBX, journalling on, logs at INFO, texts sent by the
  `file` gateway.
- One clock: a phone's INVITE, 180 and 200 carry the kernel's time stamp, taken on the wire; {_CLOCKS[kind]}. The contenders take turns, A B C D B C D A, so that a drift of the machine hits
  all of them. Milliseconds, unless said otherwise. Absolute figures are this machine's; the ratios travel better."""


def _processor() -> str:
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    cores = sum(line.startswith("processor") for line in Path("/proc/cpuinfo").read_text().splitlines())
    return f"{model}, {cores} cores"


def _callcontrol() -> str:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def _commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "no git"
