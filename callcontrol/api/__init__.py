"""The HTTP API: transfers, agents, tasks, analytics, health, metrics. Every refusal is a problem document with a reason.

`gate` lets in who may, and no body that is too large or too slow; `transfers`, `agents` and `health`
are the routes; `bodies` what comes in, `answers` what goes out, `stream` the server-sent events;
`metrics` counts, and `scrape` is where Prometheus fetches it.
"""

from callcontrol.api.factory import create_api
from callcontrol.api.gate import Token
from callcontrol.api.metrics import Metrics
from callcontrol.api.service import Service, Transfers

__all__ = ["Metrics", "Service", "Token", "Transfers", "create_api"]
