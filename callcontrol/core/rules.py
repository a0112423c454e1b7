"""Routing rules: conditions on lead, bot and time; the first rule that fits chooses the pool."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from callcontrol.core import schedule
from callcontrol.core.model import (
    AnyOf,
    Bot,
    Compare,
    Condition,
    During,
    Lead,
    Operator,
    Rule,
)

Matcher = Callable[[str, str], bool]
"""Whether a regular expression is found in a text. Bounded in time; raises TimeoutError past it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What rules look at. Values are case-folded."""

    values: Mapping[str, str]
    now: datetime
    matches: Matcher


def facts_of(lead: Lead, bot: Bot, now: datetime, matches: Matcher) -> Facts:
    """A lead's own field can't pose as one of ours."""
    ours = {"source": lead.source, "bot": bot.id, "phone": lead.phone, "email": lead.email}
    values = {**lead.fields, **ours}
    return Facts(values={k: v.casefold() for k, v in values.items() if v}, now=now, matches=matches)


def first_that_fits(rules: Iterable[Rule], facts: Facts) -> tuple[Rule | None, int]:
    """The rule, and how many were tried before it."""
    tried = 0
    for rule in rules:
        if holds(rule.when, facts):
            return rule, tried
        tried += 1
    return None, tried


def holds(condition: Condition, facts: Facts) -> bool:
    if isinstance(condition, Compare):
        return _compare(condition, facts)
    if isinstance(condition, During):
        return schedule.inside(condition.windows, condition.zone, facts.now)
    wanted = isinstance(condition, AnyOf)
    for part in condition.conditions:
        if holds(part, facts) is wanted:
            return wanted
    return not wanted


def why_not(condition: Condition, facts: Facts) -> str:
    """What speaks against it, for people; empty where it holds."""
    return "" if holds(condition, facts) else refusal(condition)(facts)


def refusal(condition: Condition) -> Callable[[Facts], str]:
    """What speaks against a condition, of facts for which it is known not to hold. Made once for many leads."""
    if isinstance(condition, Compare):
        fact, wanted = condition.fact, _wanted(condition.operator, condition.values)
        return lambda facts: f"{fact} is {facts.values.get(fact) or 'absent'}, not: {wanted}"
    if isinstance(condition, During):
        zone = condition.zone
        return lambda facts: f"not at {facts.now.astimezone(zone):%a %H:%M} {zone}"
    parts = [(part, refusal(part)) for part in condition.conditions]
    if isinstance(condition, AnyOf):
        return lambda facts: "none of: " + "; ".join(against(facts) for _, against in parts)
    if len(parts) == 1:
        return parts[0][1]
    return lambda facts: next(against(facts) for part, against in parts if not holds(part, facts))


def _wanted(operator: Operator, values: tuple[str, ...]) -> str:
    return f"{operator.value.replace('_', ' ')} {', '.join(values)}".strip()


def _compare(condition: Compare, facts: Facts) -> bool:
    value = facts.values.get(condition.fact)
    if condition.operator is Operator.ABSENT:
        return value is None
    if condition.operator is Operator.IS_NOT:
        return value not in condition.values
    return value is not None and _OPERATORS[condition.operator](value, condition.values, facts)


def _between(value: str, limits: tuple[str, ...], _: Facts) -> bool:
    with suppress(ValueError):
        return float(limits[0]) <= float(value) <= float(limits[1])
    return False


def _matches(value: str, patterns: tuple[str, ...], facts: Facts) -> bool:
    """A pattern that takes too long does not fit: the call must not wait for it."""
    with suppress(TimeoutError):
        return any(facts.matches(pattern, value) for pattern in patterns)
    return False


_OPERATORS: Mapping[Operator, Callable[[str, tuple[str, ...], Facts], bool]] = {
    Operator.IS: lambda value, values, _: value in values,
    Operator.PREFIX: lambda value, values, _: value.startswith(values),
    Operator.BETWEEN: _between,
    Operator.MATCHES: _matches,
    Operator.PRESENT: lambda *_: True,
}
