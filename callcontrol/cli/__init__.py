"""The commands. Each is thin: it reads the configuration, asks one thing, and prints the answer."""

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from callcontrol.cli.common import CONFIG_ENV, EXIT_CODES, Commands

# In the order of the help: a command is a function of its module, a group of them the module's `app`.
_COMMANDS = {
    "serve": "daemon",
    "check": "check",
    "init": "initialise",
    "apply": "directory",
    "export": "directory",
    "agents": "agents",
    "pools": "pools",
    "explain": "explain",
    "transfer": "transfers",
    "transfers": "transfers",
    "show": "transfers",
    "report": "report",
    "forget": "forget",
}
_GROUPS = {
    "db": "database",
    "outbox": "outbox",
    "rules": "rules",
    "schedule": "schedules",
    "tasks": "tasks",
    "cadence": "cadence",
    "texts": "texts",
}


def build(only: str | None = None) -> typer.Typer:
    """All commands, or one of them: to load what the others need takes longer than most take."""
    app = typer.Typer(
        name="callcontrol",
        cls=Commands,
        help=f"Warm transfers from a voice bot to a human agent on the same call.\n\n{EXIT_CODES}",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_all)
    for name, module in _COMMANDS.items():
        if only in (None, name):
            app.command(name)(getattr(import_module(f"callcontrol.cli.{module}"), name))
    for name, module in _GROUPS.items():
        if only in (None, name):
            app.add_typer(import_module(f"callcontrol.cli.{module}").app, name=name)
    return app


def _all(
    config: Annotated[Path | None, typer.Option("--config", help="The configuration file.")] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,  # noqa: ARG001
) -> None:
    if config is not None:
        os.environ[CONFIG_ENV] = str(config)


def named(arguments: Sequence[str]) -> str | None:
    """The command that is given; none where all must be looked at, for help or for what is no command."""
    words = iter(arguments)
    for word in words:
        if word == "--config":
            next(words, None)
        elif not word.startswith("-"):
            return word if word in _COMMANDS or word in _GROUPS else None
        elif not word.startswith("--config=") and word != "--debug":
            return None
    return None


def main() -> None:
    os.umask(0o077)  # the database and the texts are nobody else's; sounds are opened up by themselves
    commands = build(named(sys.argv[1:]))
    gc.freeze()  # what is loaded stays: to look through it at the exit takes longer than most commands
    commands()
