"""What outcomes left in the database to be sent, texts and webhooks: claim, send, retry or park.

`lanes` are the gateways, each with its own pace; `routes` choose among them; `outbox` does the work.
"""

from callcontrol.outbox.lanes import Lane, Limits
from callcontrol.outbox.outbox import Outbox, Pace
from callcontrol.outbox.routes import Route, Routes

__all__ = ["Lane", "Limits", "Outbox", "Pace", "Route", "Routes"]
