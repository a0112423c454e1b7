"""The daemon that a configuration is for, and whether it runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import typer

from callcontrol.cli.client import Daemon, DaemonAwayError
from callcontrol.cli.common import load_config
from callcontrol.config import Access, Config


def daemon_of(config: Path, url: str | None = None, token: str | None = None) -> Daemon:
    """The configuration is read only where the options leave something open."""
    if url and token:
        return Daemon(url=url, token=token)
    settings = load_config(config)
    return Daemon(url=url or _address(settings), token=token or _token(settings))


def if_running(config: Config, path: str, query: Mapping[str, str] | None = None) -> Any:
    """The daemon's answer, or none where no daemon answers. Raises DaemonRefusedError."""
    daemon = Daemon(url=_address(config), token=config.api.tokens[0].secret.get_secret_value())
    try:
        return daemon.ask("GET", f"{path}?{urlencode(query)}" if query else path)
    except DaemonAwayError:
        return None


def _address(config: Config) -> str:
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # what a daemon listens on, not what one calls
    host = everywhere.get(config.api.host, config.api.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{config.api.port}"


def _token(config: Config) -> str:
    for token in config.api.tokens:
        if token.access is Access.FULL:
            return token.secret.get_secret_value()
    raise typer.BadParameter("the configuration has no token with full access; give one with --token")
