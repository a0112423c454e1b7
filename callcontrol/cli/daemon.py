"""`serve`."""

import asyncio
import sys

import uvloop

from callcontrol.app import configure_logs
from callcontrol.app.daemon import serve as run_daemon
from callcontrol.cli import output
from callcontrol.cli.common import ConfigOption, become_owner, load_config
from callcontrol.config import LogFormat


def serve(config: ConfigOption) -> None:
    """Run the daemon, until SIGTERM or SIGINT. Live transfers are picked up by the next start."""
    settings = load_config(config)
    become_owner(settings.state_directory)
    wanted = settings.logging.format
    as_json = wanted is LogFormat.JSON or (wanted is LogFormat.AUTO and not sys.stderr.isatty())
    configure_logs(level=settings.logging.level, as_json=as_json, pii=settings.logging.pii)

    def say_where(host: str, port: int) -> None:
        if not as_json:
            output.err.print(f"The API listens on http://{host}:{port} (its manual: /docs)")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_daemon(settings, on_listening=say_where))
