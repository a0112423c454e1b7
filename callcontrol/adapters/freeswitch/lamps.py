"""Agents' lamps: a presence of its own for each, told to the phones that subscribe to `callcontrol-<agent id>`.

The switch does not keep it: a phone that subscribes later asks, by a PRESENCE_PROBE, and is told again.
"""

import re

from callcontrol.adapters.freeswitch.frames import Event
from callcontrol.adapters.freeswitch.session import Supervisor
from callcontrol.core.model import AgentId, AgentState
from callcontrol.ports import PortError

_PREFIX = "callcontrol-"
_AGENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
_DOMAIN = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")
_FREE = {"answer-state": "terminated", "channel-state": "CS_HANGUP", "rpid": "unknown", "status": "Available"}
_TAKEN = {
    "answer-state": "confirmed",
    "channel-state": "CS_EXECUTE",
    "rpid": "on-the-phone",
    "status": "Busy",
}
_HELD = {"answer-state": "confirmed", "channel-state": "CS_EXECUTE", "rpid": "on-the-phone", "status": "hold"}
_SHOWN = {
    AgentState.AVAILABLE: _FREE,
    AgentState.UNAVAILABLE: _TAKEN,
    AgentState.OFF_DUTY: _TAKEN,
    AgentState.RESTING: _HELD,
    AgentState.ELSEWHERE: _TAKEN,
    AgentState.UNKNOWN: _TAKEN,
}


class Lamps:
    def __init__(self, supervisor: Supervisor, domain: str) -> None:
        """`domain`: of the phones; empty where the switch is to be asked for its own."""
        self._supervisor = supervisor
        self._given = self._domain = domain
        self._shown: dict[AgentId, tuple[str, AgentState]] = {}  # since which start of the switch, and what

    async def show(self, agent_id: AgentId, state: AgentState) -> None:
        if not _AGENT_ID.fullmatch(agent_id):
            raise PortError(
                f"{agent_id!r} can have no lamp: up to 60 letters, digits and _ . -", retryable=False
            )
        news = (self._supervisor.pbx_started, state)
        if self._shown.get(agent_id) == news:
            return
        self._shown[agent_id] = news  # before it is answered: of two orders the later one counts
        try:
            await self._tell(agent_id, state)
        except PortError:
            if self._shown.get(agent_id) is news:
                del self._shown[agent_id]
            raise

    async def probed(self, event: Event) -> None:
        """Somebody has subscribed."""
        address = event.get("to") or event.get("login") or event.get("from", "")
        name = address.partition("@")[0].rpartition(":")[2]
        agent_id = AgentId(name.removeprefix(_PREFIX))
        if name.startswith(_PREFIX) and (shown := self._shown.get(agent_id)) is not None:
            await self._tell(agent_id, shown[1])

    async def _tell(self, agent_id: AgentId, state: AgentState) -> None:
        if not self._given:
            self._domain = await self._supervisor.api("global_getvar", "domain")
        if not _DOMAIN.fullmatch(self._domain):
            raise PortError("no domain for the agents' lamps: set `domain`", retryable=False)
        address = f"{_PREFIX}{agent_id}@{self._domain}"
        headers = {
            "proto": "sip",
            "login": address,
            "from": address,
            "event_type": "presence",
            "alt_event_type": "dialog",
            "event_count": "1",
            "unique-id": f"{_PREFIX}{agent_id}",
            "Caller-Caller-ID-Number": agent_id,  # without a caller FreeSWITCH leaves out that it is held
            "presence-call-direction": "outbound",
            **_SHOWN[state],
        }
        await self._supervisor.send_event("PRESENCE_IN", headers)
