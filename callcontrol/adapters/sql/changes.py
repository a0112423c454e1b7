"""What an applied directory changes, as lines for people."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import tzinfo
from enum import StrEnum
from typing import Any

from callcontrol.adapters.sql.roster import Known
from callcontrol.core.model import (
    All,
    AnyOf,
    Compare,
    Condition,
    Contact,
    ContactList,
    DatedWindow,
    Directory,
    During,
    Endpoint,
    Fallback,
    Lead,
    Operator,
    OutcomeActions,
    Rule,
    Window,
)


class ChangeKind(StrEnum):
    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    kind: ChangeKind
    line: str  # for people


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_CALLED = {"agent_ids": "members", "pool_id": "pool"}
_NOT_COMPARED = ("id", "available")  # an agent's toggle is the agent's


def changes(old: Known, new: Directory) -> tuple[Change, ...]:
    return (
        *_compare("agent", old.agents, {a.id: a for a in new.agents}),
        *_compare("pool", old.pools, {p.id: p for p in new.pools}),
        *_compare("rule", _named(old.rules), _named(new.rules)),
        *_order("rules", _named(old.rules), _named(new.rules)),
        *_compare("bot", old.bots, {b.id: b for b in new.bots}),
        *_compare("strikes", {"": old.strikes}, {"": new.strikes}),
    )


def lead_change(old: Lead | None, new: Lead) -> Change:
    """Which columns changed, without what is in them: that is personal."""
    if old is None:
        return Change(kind=ChangeKind.ADDED, line=f"lead {new.id}: added")
    names = (f.name for f in fields(Lead) if getattr(old, f.name) != getattr(new, f.name))
    return Change(kind=ChangeKind.CHANGED, line=f"lead {new.id}: changed {', '.join(names)}")


def differs(old: Any, new: Any) -> bool:
    return any(True for _ in _differences(old, new))


def _compare(kind: str, old: Mapping[Any, Any], new: Mapping[Any, Any]) -> Iterator[Change]:
    for key, value in new.items():
        name = f"{kind} {key}".strip()
        if key not in old:
            yield Change(kind=ChangeKind.ADDED, line=f"{name}: added")
        elif found := "; ".join(_differences(old[key], value)):
            yield Change(kind=ChangeKind.CHANGED, line=f"{name}: {found}")
    for key in old:
        if key not in new:
            yield Change(kind=ChangeKind.REMOVED, line=f"{kind} {key}: removed")


def _order(kind: str, old: Collection[str], new: Collection[str]) -> Iterator[Change]:
    before, after = [name for name in old if name in new], [name for name in new if name in old]
    if before != after:
        line = f"{kind}: order {', '.join(before)} -> {', '.join(after)}"
        yield Change(kind=ChangeKind.CHANGED, line=line)


def _named(rules: Iterable[Rule]) -> dict[str, Rule]:
    """By name; a second one of the same name has its number added."""
    seen: Counter[str] = Counter()
    named = {}
    for rule in rules:
        seen[rule.name] += 1
        named[rule.name if seen[rule.name] == 1 else f"{rule.name} ({seen[rule.name]})"] = rule
    return named


def _differences(old: Any, new: Any) -> Iterator[str]:
    for f in fields(old):
        if f.name in _NOT_COMPARED:
            continue
        before, after = getattr(old, f.name), getattr(new, f.name)
        same = str(before) == str(after) if isinstance(before, tzinfo) else before == after
        if not same:
            yield f"{_CALLED.get(f.name, f.name)} {_words(before)} -> {_words(after)}"


def _words(value: Any) -> str:  # noqa: PLR0912 - one line for each kind of value
    match value:
        case None | "" | ():
            return "none"
        case bool():
            return "yes" if value else "no"
        case tzinfo():
            return str(value)
        case Endpoint(kind=kind, address=address, accept_by=accept_by):
            return f"{kind} {address} accepted by {accept_by}"
        case Window(weekday=weekday, start_min=start, end_min=end):
            return f"{_DAYS[weekday]} {_clock(start)}-{_clock(end)}"
        case Fallback(label=label, endpoint=endpoint):
            return f"{label}: {_words(endpoint)}"
        case Contact(name=name, phone=phone):
            return f"{name} {phone}"
        case ContactList(name=name, contacts=contacts):
            return f"{name} ({_words(contacts)})"
        case DatedWindow():
            told = f"{value.on} {_clock(value.start_min)}-{_clock(value.end_min)}"
            return f"{told} {'open' if value.opens else 'closed'}{f' ({value.why})' if value.why else ''}"
        case OutcomeActions():
            return (
                ", ".join(
                    _action(f.name, getattr(value, f.name)) for f in fields(value) if getattr(value, f.name)
                )
                or "none"
            )
        case tuple():
            return ", ".join(_words(item) for item in value)
        case frozenset():
            return ", ".join(sorted(map(str, value))) or "none"
        case Compare() | During() | All() | AnyOf():
            return _condition(value)
        case _:
            return str(value)


def _action(name: str, value: Any) -> str:
    """A switch that is on, or the lists with who is on them."""
    return name if value is True else f"{name} {_words(value)}"


def _condition(value: Condition) -> str:
    match value:
        case Compare(fact=fact, operator=Operator.IS, values=values):
            return f"{fact} in ({', '.join(values)})"
        case Compare(fact=fact, operator=operator, values=values):
            words = operator.value.replace("_", " ")
            return f"{fact} {words} ({', '.join(values)})" if values else f"{fact} {words}"
        case During(windows=windows, zone=zone):
            return f"during {_words(windows)} {zone}"
        case All(conditions=parts):
            return " and ".join(map(_part, parts)) or "any"
        case AnyOf(conditions=parts):
            return " or ".join(map(_part, parts)) or "never"


def _part(value: Condition) -> str:
    return f"({_condition(value)})" if isinstance(value, All | AnyOf) else _condition(value)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
