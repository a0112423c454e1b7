"""The report as one page that needs nothing else: style and plots are in it, and no script."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from html import escape
from importlib import resources

from callcontrol.cli.charts import Bar, Line, bars, curves, share_bar
from callcontrol.cli.report_words import (
    ENDINGS,
    MISSED,
    UNITS,
    advice,
    percent,
    percent_of,
    seconds,
    seconds_of,
    span_of,
    timeouts,
)
from callcontrol.core.analytics import Attempt, By, Group, Report
from callcontrol.core.estimate import TOO_LITTLE_DATA, Estimate

_SHOWN = 60  # agents, pools: those with the most calls
_METHODS = """\
Every share has its 95 % interval in brackets, and the calls behind it; with fewer than 30 it says
“too little data”. Shares have Wilson's interval. Answer curves are cumulative incidences (Aalen-Johansen;
Kaplan-Meier where nothing was refused) with log-log intervals: a ring cut by the timeout, by a colleague
who was quicker or by the lead's hangup counts only until then, and never as a refusal. Waits are means
up to the timeout, with the normal interval. A what-if is given only where enough phones rang so long;
it takes the lead to stay. Left out: called off, or taken by somebody quicker."""


def page(found: Report, made_at: datetime) -> str:
    sections = [
        _tiles(found),
        _section("How transfers ended", _endings(found)),
        *(_charts(found)),
        *(_tuning(found)),
        _section("What else could have caught misses", _list(advice(found))),
        *(_section(f"By {by.value}", _table(by, found.groups[by])) for by in _TABLES if by in found.groups),
        f"<footer><p>{escape(_METHODS)}</p><p>Written by callcontrol on {made_at:%Y-%m-%d %H:%M} UTC.</p></footer>",
    ]
    style = resources.files("callcontrol.cli").joinpath("report.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>Transfers, {escape(span_of(found))}</title>'
        f"<style>{style}</style></head><body><main><header><h1>How transfers land</h1>"
        f"<p>{escape(span_of(found))}; hours in {escape(found.zone)}</p></header>"
        f"{''.join(sections)}</main></body></html>\n"
    )


_TABLES = (By.BOT, By.PATTERN, By.ATTEMPT, By.POOL, By.AGENT)


def _section(title: str, inside: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{inside}</section>"


def _list(lines: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _tiles(found: Report) -> str:
    tiles = [
        ("connected", _short(found.connect_rate), f"{found.connected:,} of {found.transfers:,} transfers"),
        (
            "request to talking",
            _seconds(found.talking.p50_s),
            f"nine of ten within {_seconds(found.talking.p90_s)}",
        ),
        (
            "dialled to answered",
            _seconds(found.answer.p50_s),
            f"nine of ten within {_seconds(found.answer.p90_s)}",
        ),
        (
            "came to fallbacks",
            _short(found.fallbacks.rung),
            f"taken there: {percent_of(found.fallbacks.connected)}",
        ),
        ("called back", _seconds(found.call_backs.attempted.p50_s), _called_back(found)),
    ]
    made = (
        f"<div><span>{escape(name)}</span><strong>{escape(value)}</strong><small>{escape(more)}</small></div>"
        for name, value, more in tiles
    )
    return f'<section class="tiles">{"".join(made)}</section>'


def _called_back(found: Report) -> str:
    told = found.call_backs
    return f"after the miss; {told.attempted.calls:,} of {told.tasks:,}, {told.talked.calls:,} talked"


def _short(figure: Estimate) -> str:
    return TOO_LITTLE_DATA if figure.value is None else percent(figure.value)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _endings(found: Report) -> str:
    rows = [("connected", found.connected, "good")]
    rows += [(f"missed: {MISSED[reason]}", count, "bad") for reason, count in found.missed.items()]
    total = found.transfers or 1
    made = (
        f'<tr><th scope="row">{escape(name)}</th><td class="n">{count:,}</td><td class="n">{percent(count / total)}</td>'
        f'<td class="wide"><i class="{kind}" style="width:{count / total * 100:.1f}%"></i></td></tr>'
        for name, count, kind in rows
    )
    return f"<table>{''.join(made)}</table>"


# --- plots


def _charts(found: Report) -> Iterator[str]:
    for by in (By.HOUR, By.WEEKDAY):
        if groups := found.groups.get(by, ()):
            label = f"Transfers and connect rate by {by.value}"
            legend = '<p class="legend"><i class="bar"></i>transfers <i class="rate"></i>connected, with its interval</p>'
            yield _section(
                f"By {by.value}", legend + bars([_bar(by, group) for group in groups], label=label)
            )


def _bar(by: By, group: Group) -> Bar:
    rate = group.connect_rate
    known = rate.value is not None and rate.low is not None and rate.high is not None
    tip = f"{group.key}: {group.calls:,} transfers, connected {percent_of(rate)}"
    name = group.key[:2] if by is By.HOUR else group.key[:3]
    share = (rate.value or 0.0, rate.low or 0.0, rate.high or 0.0) if known else None
    return Bar(name=name, height=group.calls, share=share, tip=tip)


def _tuning(found: Report) -> Iterator[str]:
    if not found.attempts:
        return
    lines = [_line(attempt) for attempt in found.attempts]
    until = max((int(line.points[-1][0]) for line in lines if line.points), default=0)
    names = "".join(f'<i class="s{n}"></i>{escape(line.name)} ' for n, line in enumerate(lines, start=1))
    legend = f'<p class="legend">{names}</p>'
    note = f'<p class="note">{escape(timeouts(found))}</p>' if found.timeouts_s else ""
    if until:
        plot = curves(
            lines, until=until, marks=tuple(found.timeouts_s)[:2], label="Share answered by seconds rung"
        )
    else:
        plot = f"<p>{TOO_LITTLE_DATA}</p>"
    yield _section("How soon phones are answered", legend + plot + note)
    tables = "".join(_what_if(attempt) for attempt in found.attempts)
    yield _section("What another ring timeout would have done", tables)


def _line(attempt: Attempt) -> Line:
    """As far as the curve is known."""
    points = []
    for second in range(1, 61):
        share = attempt.phones.within(second)
        if share.value is not None and share.low is not None and share.high is not None:
            points.append((float(second), share.value, share.low, share.high))
    return Line(name=f"attempt {attempt.attempt}", points=points)


def _what_if(attempt: Attempt) -> str:
    curve = attempt.phones
    told = ENDINGS.format(curve.rings, curve.answered, curve.refused, curve.cut)
    rows = "".join(
        f'<tr><th scope="row">{one.timeout_s} s</th><td class="n">{escape(percent_of(one.connected))}</td>'
        f'<td class="wide">{_share(one.connected)}</td><td class="n">{escape(seconds_of(one.mean_wait_s))}</td>'
        f'<td class="n">{one.connected.calls:,}</td></tr>'
        for one in attempt.what_if
    )
    return (
        f'<h3>Attempt {attempt.attempt}</h3><p class="note">{escape(told)}</p>'
        '<table><thead><tr><th scope="col">Timeout</th><th scope="col" class="n">Would connect</th><th></th>'
        '<th scope="col" class="n">Mean wait, s</th><th scope="col" class="n">Attempts</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _share(figure: Estimate) -> str:
    if figure.value is None or figure.low is None or figure.high is None:
        return ""
    return share_bar(figure.value, figure.low, figure.high)


def _table(by: By, groups: Sequence[Group]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(group.key)}</th><td class="n">{group.calls:,}</td>'
        f'<td class="n">{group.left_out:,}</td><td class="n">{escape(percent_of(group.connect_rate))}</td>'
        f'<td class="wide">{_share(group.connect_rate)}</td><td class="n">{seconds(group.answer_s)}</td>'
        f'<td class="n">{seconds(group.talking_s)}</td></tr>'
        for group in groups[:_SHOWN]
    )
    more = f'<p class="note">and {len(groups) - _SHOWN:,} more</p>' if len(groups) > _SHOWN else ""
    return (
        f'<table><thead><tr><th scope="col">{escape(by.value.title())}</th><th scope="col" class="n">{UNITS[by].title()}</th>'
        '<th scope="col" class="n">Left out</th><th scope="col" class="n">Connected</th><th></th>'
        '<th scope="col" class="n">Answer, s</th><th scope="col" class="n">Talking, s</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>{more}"
    )
