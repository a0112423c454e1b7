"""`callcontrol check`: what of the switch is ready, and what to do about the rest."""

from collections.abc import Sequence

from callcontrol.adapters.asterisk.session import Supervisor
from callcontrol.adapters.asterisk.settings import AsteriskSettings
from callcontrol.core.model import Agent
from callcontrol.ports import Finding

HOLD_CONTEXTS = ("callcontrol-lead", "callcontrol-transfer", "callcontrol-bot-gone")


async def check(supervisor: Supervisor, settings: AsteriskSettings, agents: Sequence[Agent]) -> list[Finding]:
    return []
