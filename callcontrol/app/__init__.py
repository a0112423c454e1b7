"""The composition root: the only place that builds real adapters. Nothing is decided here.

`daemon` serves; `storage` builds what commands need too, `compose` the rest; `clock`, `logs`,
`systemd`, `web` and `health` are what a process needs around itself.
"""

from callcontrol.app import storage
from callcontrol.app.errors import StartError
from callcontrol.app.logs import configure as configure_logs

__all__ = ["StartError", "configure_logs", "storage"]
