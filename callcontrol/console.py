"""The agents' phones as their console: feature codes, and a lamp each that shows the truth in the database."""

import asyncio
from datetime import datetime, timedelta

import structlog

from callcontrol.core.availability import state_of
from callcontrol.core.model import Agent, AgentId, AgentState, Candidate
from callcontrol.outside import Ports
from callcontrol.ports import AgentAsked, AgentWish, ElsewhereError, PortError, UnknownError

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 2.0  # for what another process, or the clock, has changed
AT_ONE_GO = 200  # agents looked at before others get their turn
BY_CODE = "by feature code"


class Console:
    """`run` it as a task."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._shown: dict[AgentId, AgentState] = {}
        self._woken = asyncio.Event()
        self._at_work = 0

    @property
    def busy(self) -> bool:
        return self._at_work > 0 or self._woken.is_set()

    def show_all(self) -> None:
        """The switch may have forgotten what it was told."""
        self._shown.clear()
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled: keep every lamp true."""
        while True:
            self._at_work += 1
            self._woken.clear()
            if self._ports.pbx.linked:
                try:
                    await self._show_changes()
                except PortError as error:
                    log.warning("lamps not set", error=str(error))
            self._at_work -= 1
            timer = self._ports.clock.call_later(LOOK_EVERY_S, self._woken.set)
            await self._woken.wait()
            timer.cancel()

    async def _show_changes(self) -> None:
        now = self._ports.clock.now()
        candidates = await self._ports.store.candidates(now)
        for agent_id in self._shown.keys() - {candidate.agent.id for candidate in candidates}:
            await self._ports.pbx.show(agent_id, AgentState.UNKNOWN)
            del self._shown[agent_id]
        for number, candidate in enumerate(candidates):
            state = state_of(candidate, now)
            if self._shown.get(candidate.agent.id) is not state:
                await self._ports.pbx.show(candidate.agent.id, state)
                self._shown[candidate.agent.id] = state
            if number % AT_ONE_GO == 0:
                await asyncio.sleep(0)

    async def asked(self, asked: AgentAsked) -> None:
        """Do what the agent wishes, and say how the agent stands then."""
        self._at_work += 1
        try:
            await self._serve(asked)
        finally:
            self._at_work -= 1

    async def _serve(self, asked: AgentAsked) -> None:
        store, clock = self._ports.store, self._ports.clock
        try:
            candidate = await store.agent_at(asked.address, clock.now())
            granted = await self._grant(candidate, asked, clock.now())
            candidate = await store.agent_at(asked.address, clock.now())
            state = state_of(candidate, clock.now()) if granted else AgentState.ELSEWHERE
            log.info("an agent dialled a code", agent=candidate.agent.id, wish=asked.wish, state=state)
        except UnknownError:
            state = AgentState.UNKNOWN
        except PortError as error:
            log.warning("a feature code could not be served", error=str(error))
            return  # the dialplan says so by itself
        self._woken.set()
        try:
            await self._ports.pbx.answer_agent(asked.channel, state)
        except PortError as error:
            log.warning("an agent could not be answered", error=str(error))

    async def _grant(self, candidate: Candidate, asked: AgentAsked, now: datetime) -> bool:
        """False where the toggle would have to be changed, and is not ours. A rest always is."""
        store, agent_id = self._ports.store, candidate.agent.id
        granted = True
        match asked.wish:
            case AgentWish.AVAILABLE:
                granted = await self._toggle(candidate.agent, available=True)
                await store.rest(agent_id, None, "")
            case AgentWish.UNAVAILABLE:
                granted = await self._toggle(candidate.agent, available=False)
            case AgentWish.REST:
                await store.rest(agent_id, now + timedelta(minutes=asked.minutes), BY_CODE)
            case AgentWish.STATUS:
                pass
        return granted

    async def _toggle(self, agent: Agent, *, available: bool) -> bool:
        try:
            await self._ports.store.set_available(agent.id, available=available)
        except ElsewhereError:
            return agent.available == available
        return True
