"""Plots as SVG inside a page: no script, colours by the page's own style, a tip on every mark."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 16, 16, 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A curve of shares over seconds, with a band of its interval. Points are (x, value, low, high)."""

    name: str
    points: Sequence[tuple[float, float, float, float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A height, and a share (with its interval) drawn as a dot on the same place."""

    name: str
    height: float
    share: tuple[float, float, float] | None = None
    tip: str = ""


def curves(lines: Sequence[Line], *, until: int, marks: Iterable[float], label: str) -> str:
    def x(value: float) -> float:
        return _LEFT + value / until * (WIDTH - _LEFT - _RIGHT)

    top = _nice(max((point[3] for line in lines for point in line.points), default=1.0))

    def y(share: float) -> float:
        return HEIGHT - _BOTTOM - share / top * (HEIGHT - _TOP - _BOTTOM)

    parts = [_grid(y, top), *(_tick(x(second), f"{second}") for second in range(0, until + 1, 5))]
    parts.append(
        f'<text class="axis" x="{WIDTH - _RIGHT}" y="{HEIGHT - 4}" text-anchor="end">seconds rung</text>'
    )
    for mark in marks:
        if mark <= until:
            parts.append(
                f'<line class="mark" x1="{x(mark):.1f}" x2="{x(mark):.1f}" y1="{_TOP}" y2="{y(0):.1f}"/>'
            )
            parts.append(
                f'<text class="axis" x="{x(mark) - 4:.1f}" y="{_TOP + 10}" text-anchor="end">timeout {mark:g} s</text>'
            )
    for number, line in enumerate(lines, start=1):
        if not line.points:
            continue
        upper = [(x(at), y(high)) for at, _, _, high in line.points]
        lower = [(x(at), y(low)) for at, _, low, _ in line.points]
        band = _path(upper) + " L" + _path(lower[::-1])[1:] + " Z"
        parts.append(f'<path class="band s{number}" d="{band}"/>')
        parts.append(
            f'<path class="curve s{number}" d="{_path([(x(at), y(v)) for at, v, _, _ in line.points])}"/>'
        )
        for at, value, low, high in line.points:
            tip = f"{line.name}: {value:.0%} within {at:g} s ({low:.0%} to {high:.0%})"
            parts.append(
                f'<circle class="dot s{number}" cx="{x(at):.1f}" cy="{y(value):.1f}" r="2.5">{_tip(tip)}</circle>'
            )
    return _svg(parts, label)


def bars(given: Sequence[Bar], *, label: str) -> str:
    """Heights from 0 to the greatest; dots from 0 to all."""
    room = (WIDTH - _LEFT - _RIGHT) / max(len(given), 1)
    most = max((bar.height for bar in given), default=1) or 1

    def y(share: float) -> float:
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)

    note = f'<text class="axis" x="{WIDTH - _RIGHT}" y="{HEIGHT - 4}" text-anchor="end">highest bar: {most:,}</text>'
    parts = [_grid(y, 1.0), note]
    for n, bar in enumerate(given):
        left, middle = _LEFT + n * room, _LEFT + (n + 0.5) * room
        top = y(bar.height / most)
        parts.append(
            f'<rect class="bar" x="{left + room * 0.12:.1f}" width="{room * 0.76:.1f}" y="{top:.1f}"'
            f' height="{y(0) - top:.1f}" rx="2">{_tip(bar.tip or bar.name)}</rect>'
        )
        parts.append(_tick(middle, bar.name))
        if bar.share is not None:
            value, low, high = bar.share
            parts.append(
                f'<line class="whisker" x1="{middle:.1f}" x2="{middle:.1f}" y1="{y(low):.1f}" y2="{y(high):.1f}"/>'
            )
            parts.append(
                f'<circle class="rate" cx="{middle:.1f}" cy="{y(value):.1f}" r="4">{_tip(bar.tip)}</circle>'
            )
    return _svg(parts, label)


def share_bar(value: float, low: float, high: float) -> str:
    """A share and its interval in a table's cell."""
    return (
        '<svg class="share" viewBox="0 0 120 12" aria-hidden="true">'
        f'<rect class="track" width="120" height="4" y="4" rx="2"/>'
        f'<rect class="interval" x="{low * 120:.1f}" width="{max((high - low) * 120, 1):.1f}" height="4" y="4" rx="2"/>'
        f'<circle class="rate" cx="{min(max(value * 120, 4), 116):.1f}" cy="6" r="4"/></svg>'
    )


def _svg(parts: Iterable[str], label: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def _grid(y: Callable[[float], float], top: float) -> str:
    lines = []
    for n in range(5):
        share = top * n / 4
        lines.append(
            f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y(share):.1f}" y2="{y(share):.1f}"/>'
        )
        lines.append(
            f'<text class="axis" x="{_LEFT - 6}" y="{y(share) + 4:.1f}" text-anchor="end">{share:.0%}</text>'
        )
    return "".join(lines)


def _tick(x: float, name: str) -> str:
    return f'<text class="axis" x="{x:.1f}" y="{HEIGHT - _BOTTOM + 16}" text-anchor="middle">{escape(name)}</text>'


def _tip(text: str) -> str:
    return f"<title>{escape(text)}</title>"


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _nice(top: float) -> float:
    """The least of some round shares that is not below it."""
    return next(share for share in (0.2, 0.4, 0.6, 0.8, 1.0) if share >= min(top, 1.0))
