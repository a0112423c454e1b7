"""Rules' conditions: in the short form where that says all of it."""

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any

from callcontrol.config.conditions import COMPARISONS
from callcontrol.config.export.hours import schedule
from callcontrol.config.export.notation import Entry, Flow, Row, dumped, without
from callcontrol.core import model as core

_RESERVED = {*COMPARISONS, "zone", "fact", "during", "all", "any"}  # no fact of this name in the short form


def condition_entry(condition: core.Condition, zone: str | None) -> Any:
    match condition:
        case core.Compare():
            return _compare(condition)
        case core.During(windows=windows, zone=own):
            return without(Flow(during=schedule(windows), zone=str(own)), {"zone": zone})
        case core.All(conditions=()):
            return "always"
        case core.All(conditions=parts):
            return _short_form(parts) or {"all": [condition_entry(part, zone) for part in parts]}
        case core.AnyOf(conditions=parts):
            return {"any": [condition_entry(part, zone) for part in parts]}


def written(condition: core.Condition) -> str:
    """On one line, for people."""
    return dumped(condition_entry(condition, None), one_line=True).removesuffix("...\n").strip()


def _short_form(parts: Iterable[core.Condition]) -> Entry | None:
    """`{source: [a, b], intent: sell}`, where that says all of it."""
    written = Flow()
    for part in parts:
        if not isinstance(part, core.Compare) or part.operator is not core.Operator.IS:
            return None
        if part.fact in written or part.fact in _RESERVED:
            return None
        written[part.fact] = _words(part.values)
    return written


def _compare(compare: core.Compare) -> Entry:
    comparison: Entry
    match compare.operator, compare.values:
        case core.Operator.PRESENT | core.Operator.ABSENT, _:
            comparison = {compare.operator.value: True}
        case core.Operator.BETWEEN, (least, "inf"):
            comparison = {"at_least": _number(least)}
        case core.Operator.BETWEEN, ("-inf", most):
            comparison = {"at_most": _number(most)}
        case core.Operator.BETWEEN, values:
            comparison = {"between": Row(map(_number, values))}
        case operator, values:
            comparison = {operator.value: _words(values)}
    return Flow(fact=compare.fact, **comparison)


def _words(values: Sequence[str]) -> Any:
    return values[0] if len(values) == 1 else Row(values)


def _number(text: str) -> Any:
    """Without quotes, where that is read back as the same text."""
    with contextlib.suppress(ValueError):
        if str(int(text)) == text:
            return int(text)
    return text
