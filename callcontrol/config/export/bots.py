"""Bots: whom they fall back on, whom their outcomes tell."""

from collections.abc import Sequence

from callcontrol.config.export.agents import endpoint_entry
from callcontrol.config.export.notation import Entry, Flow, Row, short, without
from callcontrol.core import model as core


def shared_owner(bots: Sequence[core.Bot]) -> core.Contact | None:
    owners = {bot.owner for bot in bots}
    return owners.pop() if len(owners) == 1 else None


def lists_of(bots: Sequence[core.Bot]) -> Entry:
    actions = (one for bot in bots for one in (bot.on_connected, bot.on_missed))
    lists = {named.name: named.contacts for one in actions for named in one.notify_lists}
    return {name: [contact_entry(contact) for contact in contacts] for name, contacts in lists.items()}


def contact_entry(contact: core.Contact) -> Entry:
    return Flow(name=contact.name, phone=contact.phone)


def bot_entry(bot: core.Bot, owner: core.Contact | None) -> Entry:
    usual = core.Bot(id=bot.id, name=bot.name)
    entry: Entry = {"id": bot.id, "name": bot.name}
    for name in ("pattern", "handoff"):
        entry[name] = getattr(bot, name).value
    for name in ("ring_timeout_s", "accept_timeout_s", "handoff_limit_s"):
        entry[name] = short(getattr(bot, name))
    entry |= {
        "closing_line": bot.closing_line,
        "fallbacks": [_fallback(fallback) for fallback in bot.fallbacks],
        "fallback_all_at_once": bot.fallback_all_at_once,
        "missed_goto": bot.missed_goto,
        "owner": contact_entry(bot.owner) if bot.owner and bot.owner != owner else None,
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
    return without(entry, defaults)


def _fallback(fallback: core.Fallback) -> Entry:
    endpoint = endpoint_entry(fallback.endpoint)
    return without(Flow({"label": fallback.label, **endpoint}), {"label": fallback.endpoint.address})


def _actions(actions: core.OutcomeActions, usual: core.OutcomeActions) -> Entry:
    switches = ("cancel_cadence", "notify_agent", "notify_owner", "notify_pool", "create_task", "webhook")
    entry = Flow({n: getattr(actions, n) for n in switches if getattr(actions, n) != getattr(usual, n)})
    if actions.notify_lists:
        entry["notify_lists"] = Row(named.name for named in actions.notify_lists)
    return entry
