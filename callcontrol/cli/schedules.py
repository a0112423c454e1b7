"""`schedule show`: when an agent's hours are open, day by day."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, NamedTuple

import typer
from rich.text import Text

from callcontrol.cli import output
from callcontrol.cli.common import ConfigOption, JsonOption, load_config, with_store
from callcontrol.core import schedule
from callcontrol.core.model import Agent
from callcontrol.ports import UnknownError

app = typer.Typer(no_args_is_help=True, help="An agent's hours.")

_DAY_MIN = 1440
_CELL_MIN = 30
_HOURS = "".join(f"{hour:<6}" for hour in range(0, 24, 3))


@app.callback()
def _hours() -> None:
    """An agent's hours."""


class Day(NamedTuple):
    on: date
    spans: tuple[tuple[int, int], ...]  # minutes after midnight
    why: str  # of the exceptions of that date


@app.command()
def show(
    agent: Annotated[str, typer.Argument(help="The agent's id.")],
    config: ConfigOption,
    week: Annotated[bool, typer.Option("--week", help="Seven days rather than one.")] = False,
    start: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="The first day; today by default.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show an agent's hours by day, in the agent's zone, with exceptions and holidays."""
    agents = with_store(load_config(config), lambda store: store.agents())
    found = next((one for one in agents if one.id == agent), None)
    if found is None:
        raise UnknownError("agent", agent)
    first = _date(start) if start else datetime.now(UTC).astimezone(found.zone).date()
    days = [day(found, first + timedelta(days=n)) for n in range(7 if week else 1)]
    if json:
        output.as_json([{"on": d.on.isoformat(), "open": [*map(_span, d.spans)], "why": d.why} for d in days])
        return
    output.out.print(f"{found.name}, {found.zone}", style="bold", markup=False)
    table = output.plain("Day", "Date", _HOURS, "Open", "Exceptions")
    for one in days:
        open_now = ", ".join(map(_span, one.spans)) or "closed"
        style = "" if one.spans else "dim"
        cells = (
            Text(f"{one.on:%a}", style),
            Text(str(one.on), style),
            _bar(one),
            Text(open_now, style),
            Text(one.why),
        )
        table.add_row(*cells)
    output.out.print(table)


def _date(given: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise typer.BadParameter(f"{given!r} is no date; write 2026-12-24") from None


def day(agent: Agent, on: date) -> Day:
    """Asked minute by minute of what decides on real calls."""
    opened = [schedule.is_open(agent, _at(agent, on, minute)) for minute in range(_DAY_MIN)]
    edges = [n for n in range(_DAY_MIN) if opened[n] != (n > 0 and opened[n - 1])]
    if len(edges) % 2:
        edges.append(_DAY_MIN)
    told = dict.fromkeys(_told(e.why, opens=e.opens) for e in agent.exceptions if e.on == on)
    return Day(on=on, spans=tuple(zip(edges[::2], edges[1::2], strict=True)), why=", ".join(told))


def _at(agent: Agent, on: date, minute: int) -> datetime:
    return datetime(on.year, on.month, on.day, minute // 60, minute % 60, tzinfo=agent.zone)


def _told(why: str, *, opens: bool) -> str:
    return why or ("opened" if opens else "closed")


def _span(span: tuple[int, int]) -> str:
    return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in span)


def _bar(one: Day) -> Text:
    """A cell is half an hour, open if any of it is."""
    bar = Text()
    for start in range(0, _DAY_MIN, _CELL_MIN):
        is_open = any(first < start + _CELL_MIN and start < last for first, last in one.spans)
        bar.append("█" if is_open else "·", "green" if is_open else "dim")
    return bar
