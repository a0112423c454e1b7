"""`pools`: who is in which, and in and out by name."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer

from callcontrol.adapters.sql import SqlStore
from callcontrol.cli import output
from callcontrol.cli.common import ConfigOption, JsonOption, RefusedError, load_config, with_store
from callcontrol.cli.edits import edit
from callcontrol.core.model import Agent, AgentId, Directory, Pool
from callcontrol.ports import UnknownError


def pools(
    config: ConfigOption,
    pool: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One pool, to look at or change.")
    ] = None,
    add: Annotated[list[str] | None, typer.Option("--add", help="An agent who joins it.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="An agent who leaves it.")] = None,
    json: JsonOption = False,
) -> None:
    """List the pools with their agents, or change one: `pools buyers --add alice --remove bob`."""
    if pool is None and (add or remove):
        raise typer.BadParameter("name the pool to change")

    async def ask(store: SqlStore) -> tuple[Directory, Sequence[Agent], Sequence[str]]:
        changes: Sequence[str] = ()
        if pool is not None and (add or remove):
            known = {agent.id for agent in await store.agents()}
            changes = await edit(store, lambda found: _changed(found, known, pool, add or [], remove or []))
        return await store.export(with_leads=False), await store.agents(), changes

    directory, agents, changes = with_store(load_config(config), ask)
    found = [one for one in directory.pools if pool in (None, one.id)]
    if pool is not None and not found:
        raise UnknownError("pool", pool)
    if json:
        output.as_json([_as_json(agents, one) for one in found])
        return
    for change in changes:
        output.out.print(change, markup=False)
    table = output.plain("Id", "Name", "Agents", "By", "Order", "At once")
    for one in found:
        by = f"tags {', '.join(sorted(one.tags))}" if one.tags else "name"
        at_once = f"{one.at_once}, then more each {one.step_s:g} s" if one.at_once else "all"
        members = ", ".join(_members(agents, one)) or "nobody"
        output.add(table, (one.id, one.name, members, by, one.order.value, at_once))
    output.out.print(table)


def _members(agents: Sequence[Agent], pool: Pool) -> list[AgentId]:
    if pool.tags:
        return [agent.id for agent in agents if pool.tags <= agent.tags]
    return list(pool.agent_ids)


def _changed(
    directory: Directory, known: Collection[str], name: str, add: Sequence[str], remove: Sequence[str]
) -> Directory:
    pool = next((one for one in directory.pools if one.id == name), None)
    if pool is None:
        raise UnknownError("pool", name)
    if pool.tags:
        tags = ", ".join(sorted(pool.tags))
        raise RefusedError(
            f"pool {name!r} is whoever has the tags {tags}; give or take the agent's tags instead"
        )
    for agent in (*add, *remove):
        if agent not in known:
            raise UnknownError("agent", agent)
    kept = [agent for agent in pool.agent_ids if agent not in remove]
    members = tuple(dict.fromkeys((*kept, *map(AgentId, add))))
    if not members:
        raise RefusedError(f"pool {name!r} would be left empty; add someone first")
    pools = tuple(replace(one, agent_ids=members) if one.id == name else one for one in directory.pools)
    return replace(directory, pools=pools)


def _as_json(agents: Sequence[Agent], pool: Pool) -> dict[str, Any]:
    return {
        "id": pool.id,
        "name": pool.name,
        "agents": _members(agents, pool),
        "tags": sorted(pool.tags),
        "order": pool.order.value,
        "at_once": pool.at_once,
        "step_s": pool.step_s,
        "last_agent_first": pool.last_agent_first,
        "wrap_up_s": pool.wrap_up_s,
    }
