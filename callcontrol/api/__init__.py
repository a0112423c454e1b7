"""The HTTP API: transfers, agents, tasks, health. Every refusal is a problem document with a reason.

`gate` lets in who may, and no body that is too large or too slow; `transfers`, `agents` and `health`
are the routes; `bodies` what comes in, `answers` what goes out, `stream` the server-sent events.
"""

from callcontrol.api.factory import create_api
from callcontrol.api.gate import Token
from callcontrol.api.service import Service, Transfers

__all__ = ["Service", "Token", "Transfers", "create_api"]
