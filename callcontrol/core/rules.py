"""Routing rules: conditions on lead, bot and time; the first rule that fits chooses the pool."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from callcontrol.core import schedule
from callcontrol.core.model import (
    All,
    AnyOf,
    Bot,
    Compare,
    Condition,
    During,
    Lead,
    Operator,
    Rule,
    RuleVerdict,
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


def verdicts(rules: Iterable[Rule], facts: Facts) -> tuple[RuleVerdict, ...]:
    """Every rule up to the one that fits, with the reason why it does or does not."""
    told = []
    for rule in rules:
        against = why_not(rule.when, facts)
        told.append(RuleVerdict(rule=rule.name, fits=not against, why=against or "fits"))
        if not against:
            break
    return tuple(told)


def holds(condition: Condition, facts: Facts) -> bool:
    match condition:
        case Compare():
            return _compare(condition, facts)
        case During(windows=windows, zone=zone):
            return schedule.inside(windows, zone, facts.now)
        case All(conditions=conditions):
            return all(holds(part, facts) for part in conditions)
        case AnyOf(conditions=conditions):
            return any(holds(part, facts) for part in conditions)


def why_not(condition: Condition, facts: Facts) -> str:
    """What speaks against it, for people; empty where it holds."""
    if holds(condition, facts):
        return ""
    match condition:
        case Compare(fact=fact, operator=operator, values=values):
            given = facts.values.get(fact)
            wanted = f"{operator.value.replace('_', ' ')} {', '.join(values)}".strip()
            return f"{fact} is {given or 'absent'}, not: {wanted}"
        case During(zone=zone):
            return f"not at {facts.now.astimezone(zone):%a %H:%M} {zone}"
        case All(conditions=conditions):
            return next(why for part in conditions if (why := why_not(part, facts)))
        case AnyOf(conditions=conditions):
            return "none of: " + "; ".join(why_not(part, facts) for part in conditions)


def _compare(condition: Compare, facts: Facts) -> bool:
    value = facts.values.get(condition.fact)
    match condition.operator:
        case Operator.PRESENT:
            return value is not None
        case Operator.ABSENT:
            return value is None
        case Operator.IS_NOT:
            return value is None or value not in condition.values
    if value is None:
        return False
    match condition.operator:
        case Operator.IS:
            return value in condition.values
        case Operator.PREFIX:
            return value.startswith(condition.values)
        case Operator.BETWEEN:
            return _between(value, condition.values)
        case Operator.MATCHES:
            return _matches(value, condition.values, facts.matches)


def _between(value: str, limits: tuple[str, ...]) -> bool:
    with suppress(ValueError):
        return float(limits[0]) <= float(value) <= float(limits[1])
    return False


def _matches(value: str, patterns: tuple[str, ...], matches: Matcher) -> bool:
    """A pattern that takes too long does not fit: the call must not wait for it."""
    with suppress(TimeoutError):
        return any(matches(pattern, value) for pattern in patterns)
    return False
