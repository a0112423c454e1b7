"""Bots whose leads would reach nobody, or be missed without a word: refused, or at least told."""

from collections.abc import Iterator

from callcontrol.config.problems import Place
from callcontrol.core import model as core

Found = tuple[Place, str]
"""Where in the directory, and what to do about it."""


def stranded(directory: core.Directory) -> Iterator[Found]:
    """Pools that nobody can be in, where a bot without fallback may send its leads."""
    alone = [bot for bot in directory.bots if not bot.fallbacks and bot.pattern is not core.Pattern.ASSIGNED]
    for n, pool in _empty(directory):
        for rule in directory.rules:
            bots = ", ".join(bot.id for bot in alone if rule.pool_id == pool.id and _may_fit(rule.when, bot))
            if bots:
                why = f"nobody can be in pool {pool.id!r}, so rule {rule.name!r} strands bot {bots}"
                yield ("pools", n), f"{why}; {_remedy(pool)}, or give the bot fallbacks"
                break
    if not any(map(_can_ring, directory.agents)):
        for n, bot in enumerate(directory.bots):
            if bot in alone:
                what = "which strands it; add an agent who is active and has hours, or give the bot fallbacks"
                yield ("bots", n), f"no agent can ever ring for bot {bot.id!r}, {what}"


def warnings(directory: core.Directory) -> Iterator[Found]:
    for n, pool in _empty(directory):
        yield ("pools", n), f"nobody can be in pool {pool.id!r} as it stands; {_remedy(pool)}"
    for n, bot in enumerate(directory.bots):
        if bot.pattern is core.Pattern.ASSIGNED and not bot.fallbacks:
            what = "a lead whose agent can't take the call, or who has none, is missed; fallbacks would help"
            yield ("bots", n), f"bot {bot.id!r} rings the assigned agent only: {what}"
        if not bot.on_missed.notifies and not bot.on_missed.create_task:
            what = "a missed lead is told to nobody and makes no task; leave one of the two on"
            yield ("bots", n, "on_missed"), f"bot {bot.id!r}: {what}"


def _remedy(pool: core.Pool) -> str:
    if pool.tags:
        return f"give an active agent with hours the tags {', '.join(sorted(pool.tags))}"
    return "name an agent who is active and has hours"


def _empty(directory: core.Directory) -> Iterator[tuple[int, core.Pool]]:
    """Pools without anyone who can ever ring."""
    able = {agent.id: agent.tags for agent in directory.agents if _can_ring(agent)}
    for n, pool in enumerate(directory.pools):
        by_tags = pool.tags and any(pool.tags <= tags for tags in able.values())
        if not by_tags and not any(agent_id in able for agent_id in pool.agent_ids):
            yield n, pool


def _can_ring(agent: core.Agent) -> bool:
    """At some time, as the directory stands."""
    return agent.active and (bool(agent.schedule) or any(window.opens for window in agent.exceptions))


def _may_fit(condition: core.Condition, bot: core.Bot) -> bool:
    """Whether a lead of this bot could fit."""
    match condition:
        case core.Compare(fact="bot", operator=core.Operator.IS, values=values):
            return bot.id.casefold() in values
        case core.Compare(fact="bot", operator=core.Operator.IS_NOT, values=values):
            return bot.id.casefold() not in values
        case core.All(conditions=conditions):
            return all(_may_fit(part, bot) for part in conditions)
        case core.AnyOf(conditions=conditions):
            return any(_may_fit(part, bot) for part in conditions)
        case _:
            return True
