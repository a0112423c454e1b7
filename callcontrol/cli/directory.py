"""`apply` and `agents`."""

from pathlib import Path
from typing import Annotated

import typer

from callcontrol.api.answers import AgentAnswer
from callcontrol.cli import output
from callcontrol.cli.common import ConfigOption, JsonOption, load_config, with_store
from callcontrol.config import load_directory
from callcontrol.core.model import Agent, AgentId
from callcontrol.ports import Store


def apply(
    file: Annotated[Path, typer.Argument(help="directory.yaml: agents, pools, rules and bots.")],
    config: ConfigOption,
    json: JsonOption = False,
) -> None:
    """Make the database's agents, pools, rules and bots what FILE says; all or nothing."""
    directory = load_directory(file)
    changes = with_store(load_config(config), lambda store: store.apply(directory))
    if json:
        output.as_json({"changes": list(changes)})
        return
    for change in changes or ("nothing to change",):
        output.out.print(change, markup=False)


def agents(
    config: ConfigOption,
    agent: Annotated[str | None, typer.Argument(help="One agent, to look at or to switch.")] = None,
    available: Annotated[
        bool | None, typer.Option("--on/--off", help="Switch the agent's availability.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """List the agents, or switch one on or off: `callcontrol agents alice --off`."""
    if available is not None and agent is None:
        raise typer.BadParameter("name the agent to switch")

    async def ask(store: Store) -> list[Agent]:
        if agent is not None and available is not None:
            await store.set_available(AgentId(agent), available=available)
        return [found for found in await store.agents() if agent in (None, found.id)]

    found = with_store(load_config(config), ask)
    if agent is not None and not found:
        raise typer.BadParameter(f"no agent {agent!r}; `callcontrol agents` lists them")
    if json:
        output.as_json([AgentAnswer.of(one).model_dump(mode="json") for one in found])
        return
    output.out.print(output.agent_table(found))
