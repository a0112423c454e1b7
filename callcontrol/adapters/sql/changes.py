"""What an applied directory changes, as lines for people."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import tzinfo
from typing import Any

from callcontrol.adapters.sql.directory import Known
from callcontrol.core.model import Contact, Directory, Endpoint, Fallback, Lead, OutcomeActions, Rule, Window

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_CALLED = {"agent_ids": "members", "pool_id": "pool"}
_NOT_COMPARED = ("id", "available")  # an agent's toggle is the agent's


def lines(old: Known, new: Directory) -> tuple[str, ...]:
    return (
        *_compare("agent", old.agents, {a.id: a for a in new.agents}),
        *_compare("pool", old.pools, {p.id: p for p in new.pools}),
        *_compare("rule", _named(old.rules), _named(new.rules)),
        *_order("rules", _named(old.rules), _named(new.rules)),
        *_compare("bot", old.bots, {b.id: b for b in new.bots}),
    )


def lead_line(old: Lead | None, new: Lead) -> str:
    """Which columns changed, without what is in them: that is personal."""
    if old is None:
        return f"lead {new.id}: added"
    names = (f.name for f in fields(Lead) if getattr(old, f.name) != getattr(new, f.name))
    return f"lead {new.id}: changed {', '.join(names)}"


def differs(old: Any, new: Any) -> bool:
    return any(True for _ in _differences(old, new))


def _compare(kind: str, old: Mapping[Any, Any], new: Mapping[Any, Any]) -> Iterator[str]:
    for key, value in new.items():
        if key not in old:
            yield f"{kind} {key}: added"
        elif differs(old[key], value):
            yield f"{kind} {key}: {'; '.join(_differences(old[key], value))}"
    yield from (f"{kind} {key}: removed" for key in old if key not in new)


def _order(kind: str, old: Collection[str], new: Collection[str]) -> Iterator[str]:
    before, after = [name for name in old if name in new], [name for name in new if name in old]
    if before != after:
        yield f"{kind}: order {', '.join(before)} -> {', '.join(after)}"


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


def _words(value: Any) -> str:
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
        case OutcomeActions():
            return ", ".join(f.name for f in fields(value) if getattr(value, f.name)) or "none"
        case tuple():
            return ", ".join(_words(item) for item in value)
        case Mapping():
            return " and ".join(f"{name} in ({_words(values)})" for name, values in value.items()) or "any"
        case _:
            return str(value)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
