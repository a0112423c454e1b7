"""`report` as a process: tables, JSON, CSV, and a page that a real browser shows."""

import asyncio
import csv
import io
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callcontrol.adapters.sql import SqlStore
from callcontrol.cli.report_page import page
from callcontrol.core.counted import Span
from callcontrol.report import report
from tests.adapters.store import past
from tests.adapters.store import people as p
from tests.lab.provision import BROWSERS

BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)


async def write_past(site, count=60) -> None:
    store = SqlStore(f"sqlite:///{site.folder}/var/callcontrol.db")
    await store.apply(p.DIRECTORY)
    await past.write(store, count)
    await store.close()


async def dom_of(file: Path) -> str:
    """What the browser makes of the page, with everything it complains of."""
    process = await asyncio.create_subprocess_exec(
        *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"),
        *(f"--user-data-dir={file.parent / 'profile'}", "--virtual-time-budget=1000", file.as_uri()),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert "CONSOLE" not in err.decode()
    return out.decode()


async def test_a_report_is_told_in_tables(site):
    await write_past(site)
    ran = await site.run("report", "--zone", "America/Denver")
    assert ran.code == 0, ran.err
    for said in ("60 transfers", "missed: nobody answered", "By agent", "Attempt 1, by ring timeout", "sami"):
        assert said in ran.out
    assert re.search(r"connected\s+\d+\s+\d+ % \(\d+-\d+\)", ran.out)
    assert "too little data" in ran.out


async def test_a_report_without_history_says_so_instead_of_failing(site):
    ran = await site.run("report")
    assert ran.code == 0
    assert "0 transfers" in ran.out


async def test_json_has_every_figure_with_its_interval_and_calls(site):
    await write_past(site)
    told = (await site.run("report", "--json", "--by", "bot", "--zone", "UTC")).json
    rate = told["connect_rate"]
    assert rate["calls"] == told["transfers"] == 60
    assert rate["low"] < rate["value"] < rate["high"]
    assert set(told["groups"]) == {"bot"}
    assert [one["timeout_s"] for one in told["attempts"][0]["what_if"]] == [20, 25, 30, 35, 40, 45]


async def test_csv_is_one_figure_a_line(site):
    await write_past(site)
    lines = list(csv.DictReader(io.StringIO((await site.run("report", "--csv")).out)))
    assert set(lines[0]) == {"section", "key", "figure", "value", "low", "high", "calls"}
    (rate,) = [line for line in lines if line["section"] == "all" and line["figure"] == "connect_rate"]
    assert rate["calls"] == "60"
    assert {"bot", "agent", "hour", "what_if", "advice"} <= {line["section"] for line in lines}


async def test_a_span_and_a_bot_narrow_it(site):
    await write_past(site)
    since = "2026-03-06T00:00+00:00"
    told = (await site.run("report", "--json", "--since", since, "--bot", "sami")).json
    assert 0 < told["transfers"] < 60
    assert [group["key"] for group in told["groups"]["bot"]] == ["sami"]


@pytest.mark.parametrize("wrong", [("--since", "soon"), ("--by", "moon"), ("--zone", "Mars/Olympus")])
async def test_what_is_not_understood_is_exit_2(site, wrong):
    assert (await site.run("report", *wrong)).code == 2


async def test_the_page_needs_nothing_else_and_holds_no_script(site):
    await write_past(site)
    file = site.folder / "report.html"
    ran = await site.run("report", "--html", str(file))
    assert ran.code == 0, ran.err
    text = file.read_text()
    for outside in ("<script", "http://", "https://", "src=", "@import", "url("):
        assert outside not in text
    assert "prefers-color-scheme: dark" in text


@pytest.mark.skipif(BROWSER is None, reason="no chromium: apt-get install chromium")
async def test_a_real_browser_shows_the_page_with_its_plots(site):
    await write_past(site, 120)
    file = site.folder / "report.html"
    await site.run("report", "--html", str(file), "--zone", "America/Denver")
    dom = await dom_of(file)
    assert dom.count('<svg viewBox="0 0 720 280"') == 3  # hours, weekdays, answer curves
    assert 'class="curve s1"' in dom
    assert "How transfers land" in dom


async def test_names_on_the_page_are_shown_as_they_are(office, tmp_path):
    await past.write(office, 40)
    found = await report(office.statistics, Span(bot_id=p.BotId('<img src="x">')), UTC)
    text = page(found, datetime.now(UTC))
    assert "<img" not in text
    assert "&lt;img" in text


@pytest.fixture
async def office(tmp_path):
    store = SqlStore(f"sqlite:///{tmp_path / 'office.db'}")
    await store.ensure_schema()
    await store.apply(p.DIRECTORY)
    yield store
    await store.close()


# --- forget


async def test_forget_asks_for_a_yes_and_then_erases(site):
    await write_past(site, 3)
    assert (await site.run("forget", "--lead", "lea")).code == 1
    assert "there is nobody to ask" in (await site.run("forget", "--lead", "lea")).err
    ran = await site.run("forget", "--lead", "lea", "--yes", "--json")
    assert ran.json == {"leads": 1, "transfers": 3, "messages": 0}
    assert (await site.run("forget", "--lead", "lea", "--yes")).code == 4
    shown = await site.run("show", "last")
    assert shown.code == 0
    assert "Lea Lead" not in shown.out
    assert (await site.run("report", "--json")).json["transfers"] == 3


async def test_forget_takes_a_number_however_it_is_written(site):
    await write_past(site, 1)
    assert (await site.run("forget", "--phone", "+1 555-0142", "--yes")).code == 0
    assert (await site.run("forget", "--yes")).code == 2
