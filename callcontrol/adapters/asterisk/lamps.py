"""Agents' lamps: a custom device state each, which the switch keeps, and tells phones that subscribe."""

import re

from callcontrol.adapters.asterisk.channels import Channels
from callcontrol.core.model import AgentId, AgentState
from callcontrol.ports import PortError

# As most phones show them: not in use green or dark, in use and busy red, on hold red and blinking. Never
# UNAVAILABLE, which goes to phones as "terminated" and looks like not in use (RFC 4235).
_SHOWN = {
    AgentState.AVAILABLE: "NOT_INUSE",
    AgentState.UNAVAILABLE: "INUSE",
    AgentState.OFF_DUTY: "BUSY",
    AgentState.RESTING: "ONHOLD",
    AgentState.ELSEWHERE: "INUSE",
    AgentState.UNKNOWN: "INUSE",
}
_AGENT_ID = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}"
)  # no @, which ends an extension; devices are cut at 80


class Lamps:
    def __init__(self, channels: Channels) -> None:
        self._channels = channels
        self._shown: dict[AgentId, tuple[str, AgentState]] = {}  # since which start of the switch, and what

    async def show(self, agent_id: AgentId, state: AgentState, pbx_started: str) -> None:
        if not _AGENT_ID.fullmatch(agent_id):
            raise PortError(
                f"{agent_id!r} can have no lamp: up to 60 letters, digits and _ . -", retryable=False
            )
        news = (pbx_started, state)
        if self._shown.get(agent_id) == news:
            return
        self._shown[agent_id] = news  # before it is answered: of two orders the later one counts
        fields = {"Variable": f"DEVICE_STATE(Custom:callcontrol-{agent_id})", "Value": _SHOWN[state]}
        try:
            await self._channels.act("Setvar", fields)
        except PortError:
            if self._shown.get(agent_id) is news:
                del self._shown[agent_id]
            raise
