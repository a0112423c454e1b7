"""The composition root: the only place that builds real adapters. Nothing is decided here.

`serve` is the daemon; `compose` builds the adapters, also for single commands; `clock`, `logs`,
`systemd`, `web` and `health` are what a process needs around itself.
"""

from callcontrol.app import compose
from callcontrol.app.daemon import StartError, serve
from callcontrol.app.logs import configure as configure_logs

__all__ = ["StartError", "compose", "configure_logs", "serve"]
