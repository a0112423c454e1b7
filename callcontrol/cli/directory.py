"""`apply` and `export`: the directory as a file."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from callcontrol.adapters.sql import SqlStore
from callcontrol.adapters.sql.changes import Change, ChangeKind
from callcontrol.cli import output
from callcontrol.cli.common import ConfigOption, Exit, JsonOption, RefusedError, load_config, with_store
from callcontrol.config import Problem, load_directory
from callcontrol.config.export import dump
from callcontrol.core.model import Directory


def apply(
    file: Annotated[Path, typer.Argument(help="directory.yaml: agents, pools, rules and bots.")],
    config: ConfigOption,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write it without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, and write nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Make the database's agents, pools, rules and bots what FILE says: shown first, then all or nothing.

    Exit code 1 where there is a plan, nobody to ask, and no --yes: nothing is written then.
    """
    settings = load_config(config)
    theirs = settings.own_tables and settings.own_tables.agents
    own = with_store(settings, lambda store: store.own_agents()) if theirs else ()
    directory = load_directory(file, _warn, own)
    writes = yes and not dry_run
    plan, written = with_store(settings, lambda store: _planned(store, directory, writes=writes))
    _tell(plan, written=written, json=json)
    if written or dry_run or not plan:
        return
    if json or not sys.stdin.isatty():
        output.complain("nothing is written: there is nobody to ask; say --yes to write it")
        raise typer.Exit(Exit.FAILED)
    if not typer.confirm("Write this?"):
        output.complain("nothing is written")
        raise typer.Exit(Exit.FAILED)
    done, _ = with_store(settings, lambda store: _planned(store, directory, writes=True))
    if [change.line for change in done] == [change.line for change in plan]:
        output.out.print("written", style="green")
    else:
        output.out.print("written. The database had changed meanwhile; this is what was done:")
        _tell(done, written=True, json=False)


async def _planned(store: SqlStore, directory: Directory, *, writes: bool) -> tuple[list[Change], bool]:
    """What is to change, and is changed where it `writes`; whether it was."""
    plan = list(await store.plan(directory))
    if not writes:
        return plan, False
    kinds = {change.line: change.kind for change in plan}
    lines = await store.apply(directory)
    return [Change(kind=kinds.get(line, ChangeKind.CHANGED), line=line) for line in lines], True


def _warn(problem: Problem) -> None:
    output.err.print(Text(f"warning: {problem}", style="yellow"))


_SHOWN = {
    ChangeKind.ADDED: ("+", "green"),
    ChangeKind.CHANGED: ("~", "yellow"),
    ChangeKind.REMOVED: ("-", "red"),
}


def _tell(changes: Sequence[Change], *, written: bool, json: bool) -> None:
    if json:
        output.as_json({"changes": [change.line for change in changes], "written": written})
        return
    for change in changes:
        sign, style = _SHOWN[change.kind]
        output.out.print(Text(f"{sign} {change.line}", style=style))
    counts = Counter(change.kind for change in changes)
    told = ", ".join(f"{counts[kind]} {kind.value}" for kind in ChangeKind)
    output.out.print(told if changes else "nothing to change")


def export(
    config: ConfigOption,
    file: Annotated[
        Path | None, typer.Argument(help="Where to write it; standard output by default.")
    ] = None,
    leads: Annotated[bool, typer.Option("--leads", help="The leads too: personal data.")] = False,
) -> None:
    """Write the database's agents, pools, rules and bots as YAML that `apply` takes back without a change."""
    directory = with_store(load_config(config), lambda store: store.export(with_leads=leads))
    if not directory.bots:
        raise RefusedError(
            "the database has no directory yet; callcontrol apply config/directory.yaml gives it one"
        )
    text = dump(directory)
    if file is None:
        sys.stdout.write(text)
        return
    file.write_text(text, encoding="utf-8")
    output.out.print(f"wrote {file}", markup=False)
