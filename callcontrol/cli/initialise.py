"""`init`: everything the configuration needs and that is not there yet."""

import asyncio
import os
import secrets
from importlib.resources import files
from pathlib import Path

from callcontrol.app import configure_logs, storage
from callcontrol.cli import output
from callcontrol.cli.common import ConfigOption, become_owner, load_config
from callcontrol.config import Config, secret_files

EXAMPLES = ("callcontrol.yaml", "directory.yaml")
STATE_ON_A_SYSTEM = "/var/lib/callcontrol"


def init(config: ConfigOption) -> None:
    """Make the configuration, its secrets and the database, as far as they are missing."""
    configure_logs(level="error", as_json=False, pii=False)
    for name in EXAMPLES:
        target = config if name == EXAMPLES[0] else config.with_name(name)
        if not target.exists():
            _write(target, _example(name, on_a_system=target.is_relative_to("/etc")), mode=0o644)
    for file in secret_files(config):
        if not file.exists():
            _write(file, secrets.token_urlsafe(32) + "\n", mode=0o600)
    settings = load_config(config)
    storage.make_folders(settings)
    become_owner(settings.state_directory)
    asyncio.run(_database(settings))
    output.out.print("ready. Next:", style="bold")
    for step in (
        "give the PBX the secret and the dialplan: dialplan/README.md",
        f"callcontrol apply {config.with_name(EXAMPLES[1])}",
        "callcontrol check",
        "callcontrol serve",
    ):
        output.out.print(f"  {step}", markup=False)


def _example(name: str, *, on_a_system: bool) -> str:
    shipped = files("callcontrol.config") / "examples" / name  # in an installed package
    checkout = Path(__file__).parents[2] / "config" / name
    text = shipped.read_text("utf-8") if shipped.is_file() else checkout.read_text("utf-8")
    return (
        text.replace("state_directory: ../var", f"state_directory: {STATE_ON_A_SYSTEM}")
        if on_a_system
        else text
    )


def _write(file: Path, text: str, *, mode: int) -> None:
    if not file.parent.exists():
        file.parent.mkdir(parents=True)
        file.parent.chmod(0o755 if mode & 0o004 else 0o700)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as out:
        os.fchmod(out.fileno(), mode)
        out.write(text)
    output.out.print(f"made {file}", markup=False)


async def _database(config: Config) -> None:
    store = storage.store(config)
    try:
        await store.ensure_schema()
    finally:
        await store.close()
