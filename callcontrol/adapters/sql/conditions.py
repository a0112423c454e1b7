"""A rule's condition to and from JSON.

{"fact": "source", "is": ["zillow"]}
{"during": [[0, 540, 1020]], "zone": "America/Denver"}    [weekday, from, to], as in Window
{"all": [...]}    {"any": [...]}
"""

from typing import Any
from zoneinfo import ZoneInfo

from callcontrol.core.model import All, AnyOf, Compare, Condition, During, Operator, Window
from callcontrol.ports import StoreError


def to_json(condition: Condition) -> dict[str, Any]:
    match condition:
        case Compare(fact=fact, operator=operator, values=values):
            return {"fact": fact, operator.value: list(values)}
        case During(windows=windows, zone=zone):
            wall = [[w.weekday, w.start_min, w.end_min] for w in windows]
            return {"during": wall, "zone": ZoneInfo(str(zone)).key}
        case All(conditions=parts):
            return {"all": [to_json(part) for part in parts]}
        case AnyOf(conditions=parts):
            return {"any": [to_json(part) for part in parts]}


def from_json(stored: dict[str, Any]) -> Condition:
    """Raises StoreError for what no version of this program wrote."""
    match stored:
        case {"fact": fact, **rest} if len(rest) == 1 and rest.keys() <= set(Operator):
            ((operator, values),) = rest.items()
            return Compare(fact=fact, operator=Operator(operator), values=tuple(values))
        case {"during": windows, "zone": zone}:
            wall = tuple(Window(weekday=day, start_min=start, end_min=end) for day, start, end in windows)
            return During(windows=wall, zone=ZoneInfo(zone))
        case {"all": parts}:
            return All(conditions=tuple(map(from_json, parts)))
        case {"any": parts}:
            return AnyOf(conditions=tuple(map(from_json, parts)))
        case _:
            raise StoreError(f"a rule has a condition of unknown form: {sorted(stored)}", retryable=False)
