"""`db upgrade` and `db status`."""

import typer

from callcontrol.adapters.sql import SchemaState, SchemaStatus, status, upgrade
from callcontrol.app import configure_logs, storage
from callcontrol.cli import output
from callcontrol.cli.common import ConfigOption, Exit, JsonOption, become_owner, load_config

app = typer.Typer(help="The database's schema.", no_args_is_help=True, rich_markup_mode=None)


@app.command("upgrade")
def upgrade_schema(config: ConfigOption, json: JsonOption = False) -> None:
    """Bring the database to the schema this program needs; all or nothing."""
    _report(upgrade(_url(config)), json=json)


@app.command("status")
def show_status(config: ConfigOption, json: JsonOption = False) -> None:
    """What the database has, and what this program needs. Exit code 1 where they differ."""
    found = status(_url(config))
    _report(found, json=json)
    if found.state is not SchemaState.CURRENT:
        raise typer.Exit(Exit.FAILED)


def _url(config: ConfigOption) -> str:
    settings = load_config(config)
    configure_logs(level="error", as_json=False, pii=False)
    become_owner(settings.state_directory)
    storage.make_folders(settings)
    return settings.database_url


def _report(found: SchemaStatus, *, json: bool) -> None:
    if json:
        output.as_json(
            {"state": found.state.value, "found": found.found, "needed": found.needed, "remedy": found.remedy}
        )
        return
    output.out.print(f"schema {found.found or 'none'}, needed {found.needed}: {found.state.value}")
    if found.remedy:
        output.out.print(found.remedy)
