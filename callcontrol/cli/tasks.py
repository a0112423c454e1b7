"""`tasks`: leads who must be called back; list, look at, claim, note, done."""

import getpass
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from callcontrol.adapters.sql import SqlStore
from callcontrol.api.task_answers import TaskAnswer
from callcontrol.cli import output
from callcontrol.cli.common import ConfigOption, JsonOption, LimitOption, load_config, with_store
from callcontrol.core import cleaning
from callcontrol.core.callback import Direction, spell
from callcontrol.core.model import LeadId
from callcontrol.ports import Task, TaskCall, TaskFilter, TaskState

app = typer.Typer(invoke_without_command=True, help="Leads who must be called back.")

_MOST_WORDS = 1000

NumberArgument = Annotated[int, typer.Argument(metavar="ID", min=1, help="The task's number.")]
ByOption = Annotated[
    str, typer.Option("--by", default_factory=getpass.getuser, help="Who: an agent's id, or a name.")
]


@app.callback()
def tasks(  # noqa: PLR0917 - typer passes every option by its name
    ctx: typer.Context,
    config: ConfigOption,
    state: Annotated[list[TaskState] | None, typer.Option("--state", help="Any of these.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="An agent's or a pool's id.")] = None,
    lead: Annotated[str | None, typer.Option("--lead", help="A lead's id.")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Due, and not done.")] = False,
    limit: LimitOption = 20,
    json: JsonOption = False,
) -> None:
    """List follow-up tasks, the newest first; or, with a command, see to one."""
    if ctx.invoked_subcommand is not None:
        return
    wanted = TaskFilter(
        states=tuple(state or ()),
        owner=owner,
        lead_id=LeadId(lead) if lead else None,
        overdue_at=datetime.now(UTC) if overdue else None,
    )
    found = with_store(load_config(config), lambda store: store.tasks(limit, wanted))
    if json:
        output.as_json([TaskAnswer.of(task).model_dump(mode="json") for task in found])
    else:
        output.out.print(task_table(found))


@app.command()
def show(task_id: NumberArgument, config: ConfigOption, json: JsonOption = False) -> None:
    """Show a task with its notes, and the calls that were seen."""
    _see_to(config, lambda store: store.task(task_id), json=json)


@app.command()
def claim(task_id: NumberArgument, config: ConfigOption, by: ByOption, json: JsonOption = False) -> None:
    """Take a task on: it escalates no more."""
    who, now = _name(by), datetime.now(UTC)
    _see_to(config, lambda store: store.claim_task(task_id, who, now), json=json)


@app.command()
def note(
    task_id: NumberArgument,
    text: Annotated[str, typer.Argument(help="What is to be remembered.")],
    config: ConfigOption,
    by: ByOption,
    json: JsonOption = False,
) -> None:
    """Write something on a task."""
    who, words, now = _name(by), cleaning.line(text, _MOST_WORDS), datetime.now(UTC)
    if not words:
        raise typer.BadParameter("write something")
    _see_to(config, lambda store: store.note_task(task_id, who, words, now), json=json)


@app.command()
def done(
    task_id: NumberArgument,
    config: ConfigOption,
    by: ByOption,
    how: Annotated[str, typer.Option("--how", help="What came of it.")] = "",
    json: JsonOption = False,
) -> None:
    """Say that a task is done, where callcontrol could not see it."""
    who, words, now = _name(by), cleaning.line(how, _MOST_WORDS), datetime.now(UTC)
    _see_to(config, lambda store: store.finish_task(task_id, who, words, now), json=json)


def _name(by: str) -> str:
    name = cleaning.line(by)
    if not name:
        raise typer.BadParameter("say who it is, with --by")
    return name


def _see_to(config: Path, ask: Callable[[SqlStore], Awaitable[Task]], *, json: bool) -> None:
    task = with_store(load_config(config), ask)
    if json:
        output.as_json(TaskAnswer.of(task).model_dump(mode="json"))
        return
    output.out.print(task_table([task]))
    if task.calls or task.notes:
        output.out.print()
        output.out.print(_history(task))


def task_table(tasks: Sequence[Task]) -> Table:
    table = output.plain("Id", "State", "Due", "Owner", "Title", "Reason", "How it stands")
    for task in tasks:
        owner = task.owner_agent_id or (
            f"pool {task.owner_pool_id}" if task.owner_pool_id else "the bot's owner"
        )
        cells = (task.id, task.state, output.local(task.due_at), owner, task.title, task.reason)
        output.add(table, (*cells, _standing(task)), "dim" if task.done else "")
    return table


def _standing(task: Task) -> str:
    if task.done is not None:
        return task.done.words or f"done by {task.done.by}"
    parts = [_call(call) for call in task.calls if call.ended_at is None]
    if task.claimed_by:
        parts.append(f"claimed by {task.claimed_by}")
    if task.escalations:
        parts.append(f"escalated {task.escalations} times" if task.escalations > 1 else "escalated")
    return "; ".join(parts)


def _history(task: Task) -> Table:
    table = output.plain("When", "Who", "What")
    events = [(note.at, note.by, note.text) for note in task.notes]
    events += [(call.began_at, call.who, _call(call)) for call in task.calls]
    for at, who, what in sorted(events):
        output.add(table, (output.local(at), who, what))
    return table


def _call(call: TaskCall) -> str:
    back = call.direction is Direction.BACK
    if call.answered_at is None:
        rings = "calls the lead back" if back else "is rung by the lead"
        return f"{call.who} {rings}" if call.ended_at is None else "not answered"
    if call.ended_at is None:
        return f"{call.who} is talking with the lead"
    return f"talked for {spell((call.ended_at - call.answered_at).total_seconds())}"
