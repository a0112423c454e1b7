"""A directory as YAML that `load_directory` reads back the same."""

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby, takewhile
from typing import Any

import yaml

from callcontrol.config.calendar import WHOLE_DAY
from callcontrol.config.conditions import COMPARISONS
from callcontrol.config.schedule import ALWAYS, DAYS
from callcontrol.core import model as core

_LANGUAGE = "lang:"
_RESERVED = {*COMPARISONS, "zone", "fact", "during", "all", "any"}  # no fact of this name in the short form
_ONE_DAY = 1

Entry = dict[str, Any]


class _Flow(dict[str, Any]):
    """Written on one line."""


class _Days(dict[date, str]):
    """As YAML's own dates, a line each."""


class _Row(list[Any]):
    """Likewise."""


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Lists are indented below their key."""
        super().increase_indent(flow, indentless=False)


_MAP, _SEQ, _BOOL = (f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "bool"))
_Dumper.add_representer(_Flow, lambda d, value: d.represent_mapping(_MAP, value.items(), flow_style=True))
_Dumper.add_representer(_Row, lambda d, value: d.represent_sequence(_SEQ, value, flow_style=True))
_Dumper.add_representer(_Days, lambda d, value: d.represent_mapping(_MAP, value.items(), flow_style=False))
_Dumper.add_representer(bool, lambda d, value: d.represent_scalar(_BOOL, "yes" if value else "no"))


def dump(directory: core.Directory) -> str:
    """Leads are written where the directory has some."""
    zone = _commonest(str(agent.zone) for agent in directory.agents)
    owner = _shared_owner(directory.bots)
    calendars = _calendars(directory.agents)
    names = {windows: name for name, windows in calendars.items()}
    written: Entry = {
        "zone": zone,
        "owner": _contact(owner) if owner else None,
        "contacts": _lists(directory.bots),
        "strikes": _strikes(directory.strikes),
        "holidays": {name: _Days({w.on: w.why for w in days}) for name, days in calendars.items()},
        "agents": [_agent(agent, zone, names) for agent in directory.agents],
        "pools": [_pool(pool) for pool in directory.pools],
        "rules": [
            {"name": rule.name, "when": _when(rule.when, zone), "pool": rule.pool_id}
            for rule in directory.rules
        ],
        "bots": [_bot(bot, owner) for bot in directory.bots],
        "leads": [_lead(lead) for lead in directory.leads],
    }
    return "\n".join(_section({key: value}) for key, value in written.items() if value)


def _section(section: Entry) -> str:
    return yaml.dump(section, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _commonest(zones: Iterable[str]) -> str | None:
    ranked = Counter(zones).most_common(1)
    return ranked[0][0] if ranked else None


def _shared_owner(bots: Sequence[core.Bot]) -> core.Contact | None:
    owners = {bot.owner for bot in bots}
    return owners.pop() if len(owners) == 1 else None


def _lists(bots: Sequence[core.Bot]) -> Entry:
    actions = (one for bot in bots for one in (bot.on_connected, bot.on_missed))
    lists = {named.name: named.contacts for one in actions for named in one.notify_lists}
    return {name: [_contact(contact) for contact in contacts] for name, contacts in lists.items()}


def _strikes(policy: core.StrikePolicy) -> Entry | None:
    if policy == core.StrikePolicy():
        return None
    return _Flow(limit=policy.limit, rest_minutes=_short(policy.rest_s / 60))


def _without(entry: Entry, defaults: Entry) -> Entry:
    """Without what would be so anyhow."""
    kept = {key: value for key, value in entry.items() if key not in defaults or defaults[key] != value}
    return type(entry)(kept)


def _short(number: float) -> float | int:
    return int(number) if number == int(number) else number


# --- agents


Holidays = tuple[core.DatedWindow, ...]


def _leading_holidays(agent: core.Agent) -> Holidays:
    """The closed days that the agent's exceptions begin with; each date once, each with its reason."""
    seen = set[date]()
    found = []
    for window in takewhile(lambda w: _span(w) == WHOLE_DAY[0] and not w.opens and w.why, agent.exceptions):
        if window.on in seen:
            break
        seen.add(window.on)
        found.append(window)
    return tuple(found)


def _calendars(agents: Sequence[core.Agent]) -> Mapping[str, Holidays]:
    """Those that several agents share. The database does not keep the names they had."""
    shared = Counter(map(_leading_holidays, agents))
    several = [days for days, count in shared.items() if days and count > 1]
    return {f"calendar-{n}": days for n, days in enumerate(several, start=1)}


def _span(window: core.DatedWindow) -> tuple[int, int]:
    return window.start_min, window.end_min


def _agent(agent: core.Agent, zone: str | None, calendars: Mapping[Holidays, str]) -> Entry:
    days = _leading_holidays(agent)
    calendar = calendars.get(days)
    own = agent.exceptions[len(days) :] if calendar else agent.exceptions
    entry: Entry = {
        "id": agent.id,
        "name": agent.name,
        "phone": agent.phone,
        "zone": str(agent.zone),
        "schedule": _schedule(agent.schedule),
        "holidays": calendar,
        "exceptions": [*_exceptions(own)],
        "endpoints": [_endpoint(endpoint) for endpoint in agent.endpoints],
        "ring": agent.endpoint_order.value,
        "ring_step_s": _short(agent.endpoint_step_s),
        **_tags(agent.tags),
        "weight": agent.weight,
        "wrap_up_s": _short(agent.wrap_up_s),
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
    return _without(entry, usual)


def _tags(tags: Iterable[str]) -> Entry:
    listed = sorted(tags)
    return {
        "tags": _Row(tag for tag in listed if not tag.startswith(_LANGUAGE)),
        "languages": _Row(tag.removeprefix(_LANGUAGE) for tag in listed if tag.startswith(_LANGUAGE)),
    }


def _endpoint(endpoint: core.Endpoint) -> Entry:
    is_extension = endpoint.kind is core.EndpointKind.EXTENSION
    usual = core.AcceptBy.ANSWER if is_extension else core.AcceptBy.KEY
    entry = _Flow({endpoint.kind.value: endpoint.address})
    if endpoint.accept_by is not usual:
        entry["accept"] = endpoint.accept_by.value
    return entry


def _schedule(windows: Sequence[core.Window]) -> Any:
    """Days with the same hours are written as one range where they follow each other."""
    if tuple(windows) == ALWAYS:
        return "always"
    if not windows:
        return "never"
    hours = [
        _hours((w.start_min, w.end_min) for w in windows if w.weekday == day) for day in range(len(DAYS))
    ]
    written = _Flow()
    for text, days in groupby(range(len(DAYS)), key=lambda day: hours[day]):
        listed = list(days)
        if text:
            first, last = DAYS[listed[0]], DAYS[listed[-1]]
            written[first if first == last else f"{first}-{last}"] = text
    return written


def _hours(spans: Iterable[tuple[int, int]]) -> str:
    return ", ".join(f"{_clock(start)}-{_clock(end)}" for start, end in spans)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _exceptions(windows: Sequence[core.DatedWindow]) -> Iterator[Entry]:
    """Dates that follow each other with the same hours are written as one span."""
    runs: list[list[core.DatedWindow]] = []
    for window in windows:
        last = runs[-1][-1] if runs else None
        if last and _alike(last, window) and (window.on - last.on).days == _ONE_DAY:
            runs[-1].append(window)
        else:
            runs.append([window])
    for run in runs:
        first, last = run[0], run[-1]
        hours: Any = True if _span(first) == WHOLE_DAY[0] else _hours([_span(first)])
        on: Any = first.on if first is last else f"{first.on} to {last.on}"
        yield _without(
            _Flow({"on": on, "open" if first.opens else "closed": hours, "why": first.why}), {"why": ""}
        )


def _alike(one: core.DatedWindow, other: core.DatedWindow) -> bool:
    return (_span(one), one.opens, one.why) == (_span(other), other.opens, other.why)


# --- pools and rules


def _pool(pool: core.Pool) -> Entry:
    entry: Entry = {
        "id": pool.id,
        "name": pool.name,
        "agents": _Row(pool.agent_ids),
        **_tags(pool.tags),
        "order": pool.order.value,
        "at_once": pool.at_once,
        "step_s": _short(pool.step_s),
        "last_agent_first": pool.last_agent_first,
        "wrap_up_s": None if pool.wrap_up_s is None else _short(pool.wrap_up_s),
    }
    usual: Entry = {
        "name": pool.id,
        "agents": [],
        "tags": [],
        "languages": [],
        "order": core.PoolOrder.LISTED.value,
        "at_once": 0,
        "step_s": 10,
        "last_agent_first": False,
        "wrap_up_s": None,
    }
    return _without(entry, usual)


def _when(condition: core.Condition, zone: str | None) -> Any:
    match condition:
        case core.Compare():
            return _compare(condition)
        case core.During(windows=windows, zone=own):
            return _without(_Flow(during=_schedule(windows), zone=str(own)), {"zone": zone})
        case core.All(conditions=()):
            return "always"
        case core.All(conditions=parts):
            return _short_form(parts) or {"all": [_when(part, zone) for part in parts]}
        case core.AnyOf(conditions=parts):
            return {"any": [_when(part, zone) for part in parts]}


def written(condition: core.Condition) -> str:
    """On one line, for people."""
    text = yaml.dump(
        _when(condition, None),
        Dumper=_Dumper,
        default_flow_style=True,
        sort_keys=False,
        allow_unicode=True,
        width=10**6,
    )
    return text.removesuffix("...\n").strip()


def _short_form(parts: Iterable[core.Condition]) -> Entry | None:
    """`{source: [a, b], intent: sell}`, where that says all of it."""
    written = _Flow()
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
            comparison = {"between": _Row(map(_number, values))}
        case operator, values:
            comparison = {operator.value: _words(values)}
    return _Flow(fact=compare.fact, **comparison)


def _words(values: Sequence[str]) -> Any:
    return values[0] if len(values) == 1 else _Row(values)


def _number(text: str) -> Any:
    """Without quotes, where that is read back as the same text."""
    with contextlib.suppress(ValueError):
        if str(int(text)) == text:
            return int(text)
    return text


# --- bots and leads


def _contact(contact: core.Contact) -> Entry:
    return _Flow(name=contact.name, phone=contact.phone)


def _bot(bot: core.Bot, owner: core.Contact | None) -> Entry:
    usual = core.Bot(id=bot.id, name=bot.name)
    entry: Entry = {"id": bot.id, "name": bot.name}
    for name in ("pattern", "handoff"):
        entry[name] = getattr(bot, name).value
    for name in ("ring_timeout_s", "accept_timeout_s", "handoff_limit_s"):
        entry[name] = _short(getattr(bot, name))
    entry |= {
        "closing_line": bot.closing_line,
        "fallbacks": [_fallback(fallback) for fallback in bot.fallbacks],
        "fallback_all_at_once": bot.fallback_all_at_once,
        "missed_goto": bot.missed_goto,
        "owner": _contact(bot.owner) if bot.owner and bot.owner != owner else None,
        "on_connected": _actions(bot.on_connected, usual.on_connected),
        "on_missed": _actions(bot.on_missed, usual.on_missed),
    }
    defaults: Entry = {
        "pattern": usual.pattern.value,
        "handoff": usual.handoff.value,
        "ring_timeout_s": usual.ring_timeout_s,
        "accept_timeout_s": usual.accept_timeout_s,
        "handoff_limit_s": usual.handoff_limit_s,
        "closing_line": usual.closing_line,
        "fallbacks": [],
        "fallback_all_at_once": False,
        "missed_goto": "",
        "owner": None,
        "on_connected": {},
        "on_missed": {},
    }
    return _without(entry, defaults)


def _fallback(fallback: core.Fallback) -> Entry:
    endpoint = _endpoint(fallback.endpoint)
    return _without(_Flow({"label": fallback.label, **endpoint}), {"label": fallback.endpoint.address})


def _actions(actions: core.OutcomeActions, usual: core.OutcomeActions) -> Entry:
    switches = ("cancel_cadence", "notify_agent", "notify_owner", "notify_pool", "create_task", "webhook")
    entry = _Flow({n: getattr(actions, n) for n in switches if getattr(actions, n) != getattr(usual, n)})
    if actions.notify_lists:
        entry["notify_lists"] = _Row(named.name for named in actions.notify_lists)
    return entry


def _lead(lead: core.Lead) -> Entry:
    entry: Entry = {
        "id": lead.id,
        "name": lead.name,
        "phone": lead.phone,
        "email": lead.email,
        "source": lead.source,
        "agent": lead.assigned_agent_id,
        "fields": _Flow(lead.fields),
    }
    return _without(entry, {"email": "", "source": "", "agent": None, "fields": {}})
