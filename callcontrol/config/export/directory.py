"""A whole directory, section by section."""

from collections import Counter
from collections.abc import Iterable

from callcontrol.config.export.agents import agent_entry, calendars_of, tags_of
from callcontrol.config.export.bots import bot_entry, contact_entry, lists_of, shared_owner
from callcontrol.config.export.conditions import condition_entry
from callcontrol.config.export.notation import Days, Entry, Flow, Row, dumped, short, without
from callcontrol.core import model as core


def dump(directory: core.Directory) -> str:
    """Leads are written where the directory has some."""
    zone = _commonest(str(agent.zone) for agent in directory.agents)
    owner = shared_owner(directory.bots)
    calendars = calendars_of(directory.agents)
    names = {windows: name for name, windows in calendars.items()}
    written: Entry = {
        "zone": zone,
        "owner": contact_entry(owner) if owner else None,
        "contacts": lists_of(directory.bots),
        "strikes": _strikes(directory.strikes),
        "holidays": {name: Days({w.on: w.why for w in days}) for name, days in calendars.items()},
        "agents": [agent_entry(agent, zone, names) for agent in directory.agents],
        "pools": [_pool(pool) for pool in directory.pools],
        "rules": [
            {"name": rule.name, "when": condition_entry(rule.when, zone), "pool": rule.pool_id}
            for rule in directory.rules
        ],
        "bots": [bot_entry(bot, owner) for bot in directory.bots],
        "leads": [_lead(lead) for lead in directory.leads],
    }
    return "\n".join(dumped({key: value}) for key, value in written.items() if value)


def _commonest(zones: Iterable[str]) -> str | None:
    ranked = Counter(zones).most_common(1)
    return ranked[0][0] if ranked else None


def _strikes(policy: core.StrikePolicy) -> Entry | None:
    if policy == core.StrikePolicy():
        return None
    return Flow(limit=policy.limit, rest_minutes=short(policy.rest_s / 60))


def _pool(pool: core.Pool) -> Entry:
    entry: Entry = {
        "id": pool.id,
        "name": pool.name,
        "agents": Row(pool.agent_ids),
        **tags_of(pool.tags),
        "order": pool.order.value,
        "at_once": pool.at_once,
        "step_s": short(pool.step_s),
        "last_agent_first": pool.last_agent_first,
        "wrap_up_s": None if pool.wrap_up_s is None else short(pool.wrap_up_s),
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
    return without(entry, usual)


def _lead(lead: core.Lead) -> Entry:
    entry: Entry = {
        "id": lead.id,
        "name": lead.name,
        "phone": lead.phone,
        "email": lead.email,
        "source": lead.source,
        "agent": lead.assigned_agent_id,
        "fields": Flow(lead.fields),
    }
    return without(entry, {"email": "", "source": "", "agent": None, "fields": {}})
