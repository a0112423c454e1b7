"""Agents, their phones, and the calendars that several of them share."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import takewhile

from callcontrol.config.calendar import WHOLE_DAY
from callcontrol.config.export.hours import exceptions, schedule, span
from callcontrol.config.export.notation import Entry, Flow, Row, short, without
from callcontrol.core import model as core

_LANGUAGE = "lang:"

Holidays = tuple[core.DatedWindow, ...]


def _leading_holidays(agent: core.Agent) -> Holidays:
    """The closed days that the agent's exceptions begin with; each date once, each with its reason."""
    seen = set[date]()
    found = []
    for window in takewhile(lambda w: span(w) == WHOLE_DAY[0] and not w.opens and w.why, agent.exceptions):
        if window.on in seen:
            break
        seen.add(window.on)
        found.append(window)
    return tuple(found)


def calendars_of(agents: Sequence[core.Agent]) -> Mapping[str, Holidays]:
    """Those that several agents share. The database does not keep the names they had."""
    shared = Counter(map(_leading_holidays, agents))
    several = [days for days, count in shared.items() if days and count > 1]
    return {f"calendar-{n}": days for n, days in enumerate(several, start=1)}


def agent_entry(agent: core.Agent, zone: str | None, calendars: Mapping[Holidays, str]) -> Entry:
    days = _leading_holidays(agent)
    calendar = calendars.get(days)
    own = agent.exceptions[len(days) :] if calendar else agent.exceptions
    entry: Entry = {
        "id": agent.id,
        "name": agent.name,
        "phone": agent.phone,
        "zone": str(agent.zone),
        "schedule": schedule(agent.schedule),
        "holidays": calendar,
        "exceptions": [*exceptions(own)],
        "endpoints": [endpoint_entry(endpoint) for endpoint in agent.endpoints],
        "ring": agent.endpoint_order.value,
        "ring_step_s": short(agent.endpoint_step_s),
        **tags_of(agent.tags),
        "weight": agent.weight,
        "wrap_up_s": short(agent.wrap_up_s),
        "active": agent.active,
        "available": agent.available,
    }
    usual: Entry = {
        "phone": None,
        "zone": zone,
        "holidays": None,
        "exceptions": [],
        "ring": core.EndpointOrder.TOGETHER.value,
        "ring_step_s": 12,
        "tags": [],
        "languages": [],
        "weight": 1,
        "wrap_up_s": 0,
        "active": True,
        "available": True,
    }
    return without(entry, usual)


def tags_of(tags: Iterable[str]) -> Entry:
    listed = sorted(tags)
    return {
        "tags": Row(tag for tag in listed if not tag.startswith(_LANGUAGE)),
        "languages": Row(tag.removeprefix(_LANGUAGE) for tag in listed if tag.startswith(_LANGUAGE)),
    }


def endpoint_entry(endpoint: core.Endpoint) -> Entry:
    is_extension = endpoint.kind is core.EndpointKind.EXTENSION
    usual = core.AcceptBy.ANSWER if is_extension else core.AcceptBy.KEY
    entry = Flow({endpoint.kind.value: endpoint.address})
    if endpoint.accept_by is not usual:
        entry["accept"] = endpoint.accept_by.value
    return entry
