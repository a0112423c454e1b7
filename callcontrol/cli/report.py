"""`report`: how transfers land, and what the site's own history says of its settings."""

import csv
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.table import Table

from callcontrol.adapters.sql import SqlStore
from callcontrol.api.analytics import ReportAnswer
from callcontrol.cli import output
from callcontrol.cli.common import ConfigOption, JsonOption, instant, load_config, with_store
from callcontrol.cli.report_page import page
from callcontrol.cli.report_words import (
    ENDINGS,
    MISSED,
    TITLES,
    advice,
    percent,
    percent_of,
    seconds,
    seconds_of,
    span_of,
    timeouts,
)
from callcontrol.core.analytics import By, Report
from callcontrol.core.counted import Span
from callcontrol.core.estimate import Estimate
from callcontrol.core.model import BotId
from callcontrol.report import report as ask_report


def report(  # noqa: PLR0917 - typer passes every option by its name
    config: ConfigOption,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Requested from then: 2026-11-01.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Requested before then.")] = None,
    bot: Annotated[str | None, typer.Option(help="Of one bot only, by its id.")] = None,
    by: Annotated[list[By] | None, typer.Option(help="Told apart by this; may be repeated.")] = None,
    zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Of hours and weekdays; the machine's own by default.")
    ] = None,
    json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, one figure a line.")] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with plots, which needs nothing else.")
    ] = None,
) -> None:
    """Tell how transfers land: who answers, how fast, what is missed, and what other settings would do."""
    span = Span(
        since=instant(since) if since else None,
        until=instant(until) if until else None,
        bot_id=BotId(bot) if bot else None,
    )
    where = _zone(zone)

    async def ask(store: SqlStore) -> Report:
        return await ask_report(store.statistics, span, where, by or By)

    found = with_store(load_config(config), ask)
    if html is not None:
        html.write_text(page(found, datetime.now(UTC)), encoding="utf-8")
    if json:
        output.as_json(ReportAnswer.of(found).model_dump(mode="json"))
    elif as_csv:
        csv.writer(sys.stdout).writerows([("section", "key", "figure", "value", "low", "high", "calls")])
        csv.writer(sys.stdout).writerows(_lines(found))
    elif html is not None:
        output.out.print(f"written to {html}", markup=False)
    else:
        _print(found, whole=by is not None)


def _zone(given: str | None) -> tzinfo:
    name = given or _own_zone()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise typer.BadParameter(f"{name!r} is no IANA zone, such as America/Denver") from None


def _own_zone() -> str:
    """By the name that the machine gives its zone, so that summer time is kept."""
    name = os.environ.get("TZ") or os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]
    return name.removeprefix(":") or "UTC"


# --- tables


_SHOWN = 25  # of one breakdown, unless it was asked for


def _print(found: Report, *, whole: bool) -> None:
    say = output.out.print
    say(f"{span_of(found)}: {found.transfers:,} transfers, {found.legs:,} legs", style="bold", markup=False)
    say(output_of(found))
    for by, groups in found.groups.items():
        say(f"\nBy {by.value}", style="bold")
        table = output.plain(by.value.title(), "Calls", "Left out", "Connected", "Answer s", "Talking s")
        for group in groups if whole else groups[:_SHOWN]:
            counts = (group.key, group.calls, group.left_out, percent_of(group.connect_rate))
            output.add(table, (*counts, seconds(group.answer_s), seconds(group.talking_s)))
        say(table)
        if not whole and len(groups) > _SHOWN:
            say(f"and {len(groups) - _SHOWN:,} more: --by {by.value}", style="dim")
    for attempt in found.attempts:
        curve = attempt.phones
        say(f"\nAttempt {attempt.attempt}, by ring timeout", style="bold")
        say(ENDINGS.format(curve.rings, curve.answered, curve.refused, curve.cut), style="dim")
        table = output.plain("Timeout s", "Would connect", "Mean wait s", "Attempts")
        for one in attempt.what_if:
            cells = (
                one.timeout_s,
                percent_of(one.connected),
                seconds_of(one.mean_wait_s),
                one.connected.calls,
            )
            output.add(table, cells)
        say(table)
    if found.timeouts_s:
        say(timeouts(found), style="dim", markup=False)
    say("\nWhat else could have caught misses", style="bold")
    for line in advice(found):
        say(f"  {line}", markup=False)


def output_of(found: Report) -> Table:
    table = output.plain("Outcome", "Transfers", "Share")
    output.add(table, ("connected", f"{found.connected:,}", percent_of(found.connect_rate)), "green")
    for reason, count in found.missed.items():
        output.add(table, (f"missed: {MISSED[reason]}", f"{count:,}", percent(count / found.transfers)))
    fallbacks, talking, answer = found.fallbacks, found.talking, found.answer
    output.add(table, ("came to fallback numbers", "", percent_of(fallbacks.rung)))
    output.add(table, ("  and was taken there", "", percent_of(fallbacks.connected)))
    output.add(table, (TITLES["answer"], f"{answer.calls:,}", _spread(answer.p50_s, answer.p90_s)))
    output.add(table, (TITLES["talking"], f"{talking.calls:,}", _spread(talking.p50_s, talking.p90_s)))
    calls = found.call_backs
    for name, spread in (("missed to called back", calls.attempted), ("missed to talking", calls.talked)):
        output.add(table, (name, f"{spread.calls:,} of {calls.tasks:,}", _spread(spread.p50_s, spread.p90_s)))
    return table


def _spread(p50: float | None, p90: float | None) -> str:
    return "" if p50 is None or p90 is None else f"p50 {p50:.1f} s, p90 {p90:.1f} s"


# --- CSV


_Line = tuple[object, ...]


def _lines(found: Report) -> Iterator[_Line]:
    yield _figure("all", "", "connect_rate", found.connect_rate)
    yield _figure("all", "", "fallbacks_rung", found.fallbacks.rung)
    yield _figure("all", "", "fallbacks_connected", found.fallbacks.connected)
    for name, spread in (
        ("answer_s", found.answer),
        ("talking_s", found.talking),
        ("call_back_s", found.call_backs.attempted),
        ("call_back_talk_s", found.call_backs.talked),
    ):
        yield ("all", "p50", name, spread.p50_s, "", "", spread.calls)
        yield ("all", "p90", name, spread.p90_s, "", "", spread.calls)
    for reason, count in found.missed.items():
        yield ("missed", reason.value, "transfers", count, "", "", found.transfers)
    for by, groups in found.groups.items():
        for group in groups:
            yield _figure(by.value, group.key, "connect_rate", group.connect_rate)
            yield (by.value, group.key, "answer_s", group.answer_s, "", "", group.calls)
            yield (by.value, group.key, "talking_s", group.talking_s, "", "", group.connected)
            yield (by.value, group.key, "left_out", group.left_out, "", "", group.calls + group.left_out)
    for attempt in found.attempts:
        for one in attempt.what_if:
            key = f"attempt {attempt.attempt}"
            yield _figure("what_if", key, f"connected_within_{one.timeout_s}_s", one.connected)
            yield _figure("what_if", key, f"mean_wait_s_of_{one.timeout_s}_s", one.mean_wait_s)
    told = found.advice
    for name, caught in (
        ("first_fallback", told.first_fallback),
        ("second_fallback", told.second_fallback),
        ("wider_schedule", told.wider_schedule),
    ):
        yield ("advice", name, "misses_open_to_it", caught.open_to_it, "", "", caught.misses)
        yield _figure("advice", name, "caught", caught.caught)


def _figure(section: str, key: str, name: str, figure: Estimate) -> _Line:
    return (section, key, name, figure.value, figure.low, figure.high, figure.calls)
