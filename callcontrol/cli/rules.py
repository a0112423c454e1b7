"""`rules`: in their order, and which of them a lead fits."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, NamedTuple

import typer

from callcontrol.adapters.sql import SqlStore
from callcontrol.app import storage
from callcontrol.cli import output
from callcontrol.cli.common import (
    AtOption,
    ConfigOption,
    JsonOption,
    RefusedError,
    instant,
    load_config,
    with_store,
)
from callcontrol.cli.edits import edit
from callcontrol.config.conditions import parsed
from callcontrol.config.export import written
from callcontrol.config.values import text
from callcontrol.core import rules as core
from callcontrol.core.model import Bot, BotId, Directory, Lead, LeadId, PoolId, Rule
from callcontrol.ports import UnknownError

app = typer.Typer(invoke_without_command=True, help="List the routing rules in order, test or change them.")

BeforeOption = Annotated[
    str | None, typer.Option("--before", metavar="RULE", help="The rule it is tried before.")
]
_OURS = ("source", "phone", "email")


@app.callback()
def rules(context: typer.Context, config: ConfigOption, json: JsonOption = False) -> None:
    """List the routing rules in order, test them, or change them: `rules test --fact source=zillow`."""
    if context.invoked_subcommand is not None:
        return
    directory = with_store(load_config(config), lambda store: store.export(with_leads=False))
    if json:
        output.as_json(
            [{"name": r.name, "when": written(r.when), "pool": r.pool_id} for r in directory.rules]
        )
        return
    table = output.plain("", "Rule", "When", "Pool")
    for n, rule in enumerate(directory.rules, start=1):
        output.add(table, (n, rule.name, written(rule.when), rule.pool_id))
    output.out.print(table)


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="The new rule's name.")],
    config: ConfigOption,
    when: Annotated[str, typer.Option(help="As in directory.yaml, such as '{source: [zillow, trulia]}'.")],
    pool: Annotated[str, typer.Option(help="The pool it sends leads to.")],
    before: BeforeOption = None,
) -> None:
    """Add a rule: the last one, or before another."""
    rule = Rule(name=_name(name), when=parsed(when, "--when"), pool_id=PoolId(pool))

    def added(directory: Directory) -> Directory:
        if any(other.name == rule.name for other in directory.rules):
            raise RefusedError(f"there is a rule {rule.name!r} already; give it another name")
        return _put(directory, directory.rules, rule, before)

    _edit(config, added)


@app.command("move")
def move(
    name: Annotated[str, typer.Argument(help="The rule to move.")],
    config: ConfigOption,
    before: BeforeOption = None,
) -> None:
    """Have a rule tried before another, or after all others."""

    def moved(directory: Directory) -> Directory:
        rule = directory.rules[_place(directory.rules, name)]
        return _put(directory, [other for other in directory.rules if other is not rule], rule, before)

    _edit(config, moved)


@app.command("remove")
def remove(name: Annotated[str, typer.Argument(help="The rule to remove.")], config: ConfigOption) -> None:
    """Remove a rule."""

    def removed(directory: Directory) -> Directory:
        place = _place(directory.rules, name)
        return replace(directory, rules=(*directory.rules[:place], *directory.rules[place + 1 :]))

    _edit(config, removed)


def _edit(config: ConfigOption, change: Callable[[Directory], Directory]) -> None:
    for line in with_store(load_config(config), lambda store: edit(store, change)):
        output.out.print(line, markup=False)


def _put(directory: Directory, others: Sequence[Rule], rule: Rule, before: str | None) -> Directory:
    place = len(others) if before is None else _place(others, before)
    return replace(directory, rules=(*others[:place], rule, *others[place:]))


def _place(rules: Sequence[Rule], name: str) -> int:
    for place, rule in enumerate(rules):
        if rule.name == name:
            return place
    raise UnknownError("rule", name)


def _name(given: str) -> str:
    try:
        return text(given)
    except ValueError as error:
        raise typer.BadParameter(f"the name {error}") from None


class Verdict(NamedTuple):
    rule: str
    pool: PoolId
    chosen: bool
    why: str


@app.command("test")
def try_out(  # noqa: PLR0917 - typer passes every option by its name
    config: ConfigOption,
    lead: Annotated[str | None, typer.Option(help="A known lead's id.")] = None,
    fact: Annotated[
        list[str] | None,
        typer.Option("--fact", metavar="NAME=VALUE", help="A fact; besides the lead's, or instead."),
    ] = None,
    bot: Annotated[str | None, typer.Option(help="The bot; the first of the directory by default.")] = None,
    at: AtOption = None,
    json: JsonOption = False,
) -> None:
    """Say which rule fits, and why each of the others does not."""
    given = dict(_pair(one) for one in fact or ())
    now = instant(at)

    async def ask(store: SqlStore) -> list[Verdict]:
        directory = await store.export(with_leads=False)
        asking = _bot(directory, bot or given.pop("bot", None))
        known = Lead(id=LeadId(""), name="", phone="")
        if lead is not None:
            known = await store.consult(asking.id, LeadId(lead), lambda _bot, found, _facts: found, now)
        return list(_verdicts(directory, asking, _with(known, given), now))

    found = with_store(load_config(config), ask)
    if json:
        output.as_json([verdict._asdict() for verdict in found])
        return
    table = output.plain("", "Rule", "Pool", "Why")
    for verdict in found:
        mark, style = ("->", "bold green") if verdict.chosen else ("", "")
        output.add(table, (mark, verdict.rule, verdict.pool, verdict.why), style)
    output.out.print(table)
    if not any(verdict.chosen for verdict in found):
        output.out.print("no rule fits: every active agent who is available rings")


def _pair(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{given!r} is no fact; write NAME=VALUE, such as source=zillow")
    return name, value


def _bot(directory: Directory, name: str | None) -> Bot:
    for bot in directory.bots:
        if name in (None, bot.id):
            return bot
    raise UnknownError("bot", BotId(name or ""))


def _with(lead: Lead, facts: dict[str, str]) -> Lead:
    ours = {name: facts.get(name, getattr(lead, name)) for name in _OURS}
    fields = {**lead.fields, **{name: value for name, value in facts.items() if name not in _OURS}}
    return Lead(id=lead.id, name=lead.name, assigned_agent_id=lead.assigned_agent_id, fields=fields, **ours)


def _verdicts(directory: Directory, bot: Bot, lead: Lead, now: datetime) -> Iterator[Verdict]:
    facts = core.facts_of(lead, bot, now, storage.matcher())
    decided = False
    for rule in directory.rules:
        against = core.why_not(rule.when, facts)
        chosen = not against and not decided
        why = against or ("fits" if chosen else "fits too, but comes later")
        yield Verdict(rule=rule.name, pool=rule.pool_id, chosen=chosen, why=why)
        decided = decided or chosen
