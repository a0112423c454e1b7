"""`explain`: who would ring for a lead, and why not the others."""

from typing import Annotated, Any

import typer

from callcontrol.adapters.sql import SqlStore
from callcontrol.api.routing_answers import AttemptAnswer, ConsideredAnswer, ExplanationAnswer
from callcontrol.cli import output
from callcontrol.cli.agents import unknown_lines
from callcontrol.cli.common import AtOption, ConfigOption, JsonOption, instant, load_config, with_store
from callcontrol.cli.daemons import if_running
from callcontrol.core.model import AgentId, BotId, LeadId
from callcontrol.explain import explain as ask_store


def explain(  # noqa: PLR0917 - typer passes every option by its name
    config: ConfigOption,
    lead: Annotated[str, typer.Option(help="A known lead's id.")],
    bot: Annotated[str, typer.Option(help="The bot's id in the directory.")],
    agent: Annotated[str | None, typer.Option(help="Why not this agent? Nobody else is told of.")] = None,
    at: AtOption = None,
    json: JsonOption = False,
) -> None:
    """Say who would ring for this lead, attempt by attempt, and for every other agent why not."""
    settings = load_config(config)
    when = instant(at)
    query = {"lead": lead, "bot": bot, "at": when.isoformat()} | ({"about": agent} if agent else {})
    answer: Any = if_running(settings, "/v1/explain", query)
    if answer is not None:
        found = ExplanationAnswer.model_validate(answer)
    else:

        async def ask(store: SqlStore) -> ExplanationAnswer:
            about = AgentId(agent) if agent else None
            told = await ask_store(store, unknown_lines, BotId(bot), LeadId(lead), when, about=about)
            return ExplanationAnswer.of(told, live=False)

        found = with_store(settings, ask)
    if json:
        output.as_json(found.model_dump(mode="json"))
        return
    output.out.print(
        f"lead {found.lead}, bot {found.bot}, at {output.local(found.at)}", style="bold", markup=False
    )
    if found.line_states == "unknown":
        output.out.print(
            "line states unknown: no daemon answers, or it has no link to the switch", style="yellow"
        )
    told_before: set[ConsideredAnswer] = set()
    for n, attempt in enumerate(found.attempts, start=1):
        _print(n, attempt, told_before, first=n == 1 or found.attempts[n - 2].next_after_s is None)
        told_before.update(attempt.considered)
        if agent is not None and not attempt.considered:
            output.out.print(f"   {agent} is not among those it is about", style="red", markup=False)


def _print(number: int, attempt: AttemptAnswer, told_before: set[ConsideredAnswer], *, first: bool) -> None:
    """Rules, and agents who stand as before, are not told again where more join the ringing."""
    rings = (
        ", ".join(f"{leg.label} ({leg.endpoint.replace(':', ' ', 1)})" for leg in attempt.rings) or "nobody"
    )
    joins = "" if first else " joins"
    output.out.print(f"\n{number}. {attempt.step}{joins}: {rings}", style="bold", markup=False)
    output.out.print(f"   {attempt.because}", markup=False)
    if attempt.next_after_s is not None:
        output.out.print(f"   more may join the ringing after {attempt.next_after_s:g} s", markup=False)
    if first and attempt.rules:
        output.out.print(output.rule_table([(rule.rule, rule.fits, rule.why) for rule in attempt.rules]))
    told = [one for one in attempt.considered if first or one not in told_before]
    if told:
        output.out.print(output.considered_table(told))
