"""The commands. Each is thin: it reads the configuration, asks one thing, and prints the answer."""

import os
from pathlib import Path
from typing import Annotated

import typer

from callcontrol.cli import (
    agents,
    cadence,
    check,
    daemon,
    database,
    directory,
    explain,
    forget,
    initialise,
    outbox,
    pools,
    report,
    rules,
    schedules,
    tasks,
    texts,
    transfers,
)
from callcontrol.cli.common import CONFIG_ENV, EXIT_CODES, Commands

app = typer.Typer(
    name="callcontrol",
    cls=Commands,
    help=f"Warm transfers from a voice bot to a human agent on the same call.\n\n{EXIT_CODES}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _all(
    config: Annotated[Path | None, typer.Option("--config", help="The configuration file.")] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,  # noqa: ARG001
) -> None:
    if config is not None:
        os.environ[CONFIG_ENV] = str(config)


for command in (
    daemon.serve,
    check.check,
    initialise.init,
    directory.apply,
    directory.export,
    agents.agents,
    pools.pools,
    explain.explain,
    transfers.transfer,
    transfers.transfers,
    transfers.show,
    report.report,
    forget.forget,
):
    app.command()(command)
app.add_typer(database.app, name="db")
app.add_typer(outbox.app, name="outbox")
app.add_typer(rules.app, name="rules")
app.add_typer(schedules.app, name="schedule")
app.add_typer(tasks.app, name="tasks")
app.add_typer(cadence.app, name="cadence")
app.add_typer(texts.app, name="texts")


def main() -> None:
    os.umask(0o077)  # the database and the texts are nobody else's; sounds are opened up by themselves
    app()
