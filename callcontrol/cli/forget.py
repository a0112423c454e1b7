"""`forget`: erases a lead's personal data."""

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from callcontrol import numbers
from callcontrol.adapters.sql import SqlStore
from callcontrol.app import storage
from callcontrol.cli import output
from callcontrol.cli.common import ConfigOption, Exit, JsonOption, load_config, with_store
from callcontrol.core import cleaning
from callcontrol.core.model import LeadId
from callcontrol.ports import Forgotten, Whom
from callcontrol.retention import forget as erase

_ELSEWHERE = """\
Not callcontrol's to erase: logs written with `pii: yes`, backups, texts that were delivered, the file \
gateway's file, recordings, and the site's own tables."""


def forget(  # noqa: PLR0917 - typer passes every option by its name
    config: ConfigOption,
    lead: Annotated[str | None, typer.Option(metavar="ID", help="The lead's id.")] = None,
    phone: Annotated[str | None, typer.Option(metavar="NUMBER", help="Every lead with this number.")] = None,
    tasks: Annotated[bool, typer.Option("--tasks", help="Even if a task is open: it is closed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Without asking.")] = False,
    json: JsonOption = False,
) -> None:
    """Erase a lead's name, numbers, words and messages for good; keep what is counted of its calls."""
    if (lead is None) == (phone is None):
        raise typer.BadParameter("give either --lead or --phone")
    settings = load_config(config)
    whom = Whom(lead_id=None if lead is None else LeadId(lead), phones=_ways(phone, settings.tasks.region))
    if not yes:
        if not sys.stdin.isatty():
            output.complain("nothing is forgotten: there is nobody to ask; say --yes to do it")
            raise typer.Exit(Exit.FAILED)
        typer.confirm("This can't be undone. Forget?", abort=True)

    async def ask(store: SqlStore) -> Forgotten:
        return await erase(store, storage.speech(settings), whom, datetime.now(UTC), with_tasks=tasks)

    found = with_store(settings, ask)
    if json:
        output.as_json({"leads": found.leads, "transfers": found.transfers, "messages": found.messages})
        return
    output.out.print(
        f"forgotten: {found.leads} leads, {found.transfers} transfers, {found.messages} messages",
        markup=False,
    )
    output.out.print(_ELSEWHERE, style="dim", markup=False)


def _ways(phone: str | None, region: str | None) -> tuple[str, ...]:
    """The number as given, and as it is stored."""
    if phone is None:
        return ()
    ways = (phone.strip(), cleaning.number(phone), numbers.canonical(phone, region))
    return tuple(dict.fromkeys(way for way in ways if way))
