"""What the commands share: options, exit codes, and how each kind of error ends a command."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

from callcontrol.adapters.sql import SqlStore
from callcontrol.app import StartError, configure_logs, storage
from callcontrol.cli import output
from callcontrol.cli.client import DaemonAwayError, DaemonRefusedError
from callcontrol.config import Config, ConfigError, load_config
from callcontrol.ports import ClaimLostError, PortError, TaskRefusedError, UnknownError

CONFIG_ENV = "CALLCONTROL_CONFIG"
PLACES = (Path("config/callcontrol.yaml"), Path("/etc/callcontrol/callcontrol.yaml"))


class Exit(IntEnum):
    OK = 0
    FAILED = 1  # a check found something, or a watched transfer was missed
    USAGE = 2  # the command or the configuration is wrong
    AWAY = 3  # the daemon, the database or the PBX can't be reached
    REFUSED = 4  # unknown, or not possible now


EXIT_CODES = (
    "Exit codes: 0 done; 1 a check found something, or the watched transfer was missed; 2 the command or"
    " the configuration is wrong; 3 the daemon, the database or the PBX can't be reached; 4 refused:"
    " unknown, or not possible now."
)


def find_config() -> Path:
    """The first of the usual places where there is one."""
    return next((place for place in PLACES if place.is_file()), PLACES[0])


ConfigOption = Annotated[
    Path,
    typer.Option(
        "--config",
        envvar=CONFIG_ENV,
        default_factory=find_config,
        show_default="config/callcontrol.yaml, or /etc/callcontrol/callcontrol.yaml",
        help="The configuration file.",
    ),
]
AtOption = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help="As of then, such as 2026-12-24T10:00; now by default."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=500, help="At most this many.")]


class RefusedError(Exception):
    """What was asked for would do harm; the words say which."""


class Commands(TyperGroup):
    """Ends a command that went wrong with one clear line and the exit code that says how."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except tuple(_ENDS) as error:
            if ctx.find_root().params.get("debug"):
                raise
            output.complain(str(error))
            raise typer.Exit(_code(error)) from None


_ENDS: dict[type[Exception], Exit] = {
    ConfigError: Exit.USAGE,
    OSError: Exit.USAGE,
    StartError: Exit.USAGE,
    DaemonAwayError: Exit.AWAY,
    DaemonRefusedError: Exit.REFUSED,
    UnknownError: Exit.REFUSED,
    RefusedError: Exit.REFUSED,
    TaskRefusedError: Exit.REFUSED,
    ClaimLostError: Exit.REFUSED,
    PortError: Exit.REFUSED,
}


def _code(error: Exception) -> Exit:
    match error:
        case StartError(away=True) | PortError(retryable=True):
            return Exit.AWAY
        case _:
            return next(code for kind, code in _ENDS.items() if isinstance(error, kind))


Answer = TypeVar("Answer")


def with_store(config: Config, ask: Callable[[SqlStore], Awaitable[Answer]]) -> Answer:
    """Open the database, ask it something, and close it."""
    configure_logs(level="error", as_json=False, pii=False)
    become_owner(config.state_directory)

    async def asked() -> Answer:
        store = storage.store(config)
        try:
            for remark in await store.ensure_schema():
                output.complain(f"warning: {remark}")
            return await ask(store)
        finally:
            await store.close()

    return asyncio.run(asked())


def instant(given: str | None) -> datetime:
    """`2026-12-24T10:00`, in the machine's own zone unless it names an offset; or now."""
    if given is None:
        return datetime.now(UTC)
    try:
        return datetime.fromisoformat(given).astimezone(UTC)
    except ValueError:
        raise typer.BadParameter(
            f"{given!r} is no time; write 2026-12-24T10:00, or with an offset, +01:00"
        ) from None


def become_owner(directory: Path) -> None:
    """Run by root on a daemon's files, become the daemon's user: else it could not open them again."""
    if os.geteuid() != 0 or not directory.is_dir():
        return
    owner = directory.stat()
    if owner.st_uid != 0:
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)


__all__ = [
    "CONFIG_ENV",
    "EXIT_CODES",
    "Answer",
    "AtOption",
    "Commands",
    "ConfigOption",
    "Exit",
    "JsonOption",
    "LimitOption",
    "RefusedError",
    "become_owner",
    "find_config",
    "instant",
    "load_config",
    "with_store",
]
