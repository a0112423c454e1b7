"""`agents`: who can be rung just now, and why not the others."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from callcontrol.adapters.sql import SqlStore
from callcontrol.api.bodies import LONGEST_REST_MIN
from callcontrol.api.routing_answers import AgentAnswer
from callcontrol.cli import output
from callcontrol.cli.common import ConfigOption, JsonOption, RefusedError, load_config, with_store
from callcontrol.cli.daemons import if_running
from callcontrol.cli.edits import edit
from callcontrol.config import Config
from callcontrol.config.values import tag as valid_tag
from callcontrol.core.availability import consider
from callcontrol.core.model import AgentId, Directory, Endpoint, LineState
from callcontrol.ports import UnknownError

BY_COMMAND = "by command"


def unknown_lines(_: Endpoint) -> LineState:
    """Without the daemon nobody knows."""
    return LineState.UNKNOWN


def agents(  # noqa: PLR0917 - typer passes every option by its name
    config: ConfigOption,
    agent: Annotated[str | None, typer.Argument(help="One agent, to look at or to change.")] = None,
    available: Annotated[bool | None, typer.Option("--on/--off", help="Switch the availability.")] = None,
    rest: Annotated[
        int | None,
        typer.Option("--rest", metavar="MINUTES", min=1, max=LONGEST_REST_MIN, help="Let the agent rest."),
    ] = None,
    why: Annotated[str, typer.Option("--why", help="Why the agent rests.")] = BY_COMMAND,
    come_back: Annotated[
        bool, typer.Option("--return", help="End the rest, and forget the strikes.")
    ] = False,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", help="A tag to add; lang:de is a language.")
    ] = None,
    untag: Annotated[list[str] | None, typer.Option("--untag", help="A tag to take away.")] = None,
    json: JsonOption = False,
) -> None:
    """List the agents with every term of their availability now, or change one: `agents alice --rest 30`."""
    changes = available is not None or rest is not None or come_back or bool(tag or untag)
    if agent is None and changes:
        raise typer.BadParameter("name the agent to change")
    if rest is not None and come_back:
        raise typer.BadParameter("--rest and --return are two wishes; give one")
    more, fewer = _tags(tag), _tags(untag)
    settings = load_config(config)

    async def change(store: SqlStore) -> None:
        if available is not None:
            await store.set_available(AgentId(str(agent)), available=available)
        if rest is not None:
            await store.rest(AgentId(str(agent)), datetime.now(UTC) + timedelta(minutes=rest), why)
        if come_back:
            await store.rest(AgentId(str(agent)), None, "")
        if more or fewer:
            await _retag(store, AgentId(str(agent)), more, fewer)

    if changes:
        with_store(settings, change)
    found, live = _standing(settings)
    found = [one for one in found if agent in (None, one.id)]
    if agent is not None and not found:
        raise UnknownError("agent", agent)
    if json:
        output.as_json([one.model_dump(mode="json") for one in found])
        return
    output.out.print(output.agent_table(found))
    if agent is not None:
        output.out.print(output.term_table(found[0].terms))
    if not live:
        output.out.print("line states unknown: no daemon answers", style="dim")


def _tags(given: list[str] | None) -> frozenset[str]:
    try:
        return frozenset(map(valid_tag, given or ()))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


async def _retag(store: SqlStore, agent_id: AgentId, more: frozenset[str], fewer: frozenset[str]) -> None:
    if any(agent.id == agent_id for agent in await store.own_agents()):
        raise RefusedError(f"agent {agent_id!r} is in the site's own tables: change the tags there")

    def changed(directory: Directory) -> Directory:
        if all(agent.id != agent_id for agent in directory.agents):
            raise UnknownError("agent", agent_id)
        agents = (
            replace(agent, tags=(agent.tags | more) - fewer) if agent.id == agent_id else agent
            for agent in directory.agents
        )
        return replace(directory, agents=tuple(agents))

    await edit(store, changed)


def _standing(config: Config) -> tuple[list[AgentAnswer], bool]:
    """From the daemon, which knows the lines, or else from the database."""
    answer = if_running(config, "/v1/agents")
    if answer is not None:
        return [AgentAnswer.model_validate(one) for one in answer["agents"]], True
    now = datetime.now(UTC)
    candidates = with_store(config, lambda store: store.candidates(now))
    return [
        AgentAnswer.of(one, consider(one, now=now, lines=unknown_lines), now) for one in candidates
    ], False
