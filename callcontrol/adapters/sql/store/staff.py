"""Who may be rung: the directory, and what becomes of its agents."""

from collections.abc import Sequence
from datetime import datetime

from callcontrol.adapters.sql import agents, apply, claims, directory
from callcontrol.adapters.sql.changes import Change
from callcontrol.adapters.sql.own_agents import Snapshot
from callcontrol.adapters.sql.store.ground import Ground
from callcontrol.core.model import Agent, AgentId, Bot, Candidate, Directory
from callcontrol.ports import ElsewhereError


class SqlStaff(Ground):
    async def apply(self, directory: Directory) -> Sequence[str]:
        own = await self._snapshot()
        made = await self._runner.write_much(apply.apply, self._memory, directory, self._now(), own)
        return tuple(change.line for change in made)

    async def plan(self, directory: Directory) -> Sequence[Change]:
        """What `apply` would change, changing nothing. Raises UnknownError like it."""
        return await self._runner.read(apply.plan, self._memory, directory, await self._snapshot())

    async def export(self, *, with_leads: bool = True) -> Directory:
        """What `apply` took, with the changes made since; without the site's own agents."""
        return await self._runner.read(directory.export, self._memory, with_leads)

    async def bots(self) -> Sequence[Bot]:
        return await self._runner.read(directory.all_bots, self._memory)

    async def agents(self) -> Sequence[Agent]:
        site = await self._site(toggles=True)
        return await self._runner.read(directory.all_agents, self._memory, site.toggles)

    async def candidates(self, now: datetime) -> Sequence[Candidate]:
        site = await self._site(toggles=True)
        return await self._runner.read(agents.candidates, self._memory, now, site)

    async def agent_at(self, address: str, now: datetime) -> Candidate:
        site = await self._site(toggles=True)
        return await self._runner.read(agents.agent_at, self._memory, address, now, site)

    async def set_available(self, agent_id: AgentId, *, available: bool) -> None:
        if self._own is not None and self._own.has_availability:
            raise ElsewhereError("who is available is in the site's own tables: change it there")
        await self._runner.write(agents.set_available, agent_id, available)

    async def rest(self, agent_id: AgentId, until: datetime | None, why: str) -> None:
        await self._runner.write(agents.rest, self._memory, agent_id, until, why)

    async def hold(
        self, hold_id: str, agent_ids: Sequence[AgentId], *, now: datetime, until: datetime
    ) -> Sequence[AgentId]:
        return await self._runner.write(claims.hold, hold_id, agent_ids, now=now, until=until)

    async def own_agents(self) -> Sequence[Agent]:
        """The agents from the site's own tables, as last taken over."""
        known = await self._runner.read(self._memory.current)
        return tuple(agent for agent in known.agents.values() if agent.id in known.own)

    async def synchronise(self) -> Sequence[str]:
        """Take the agents of the site's own tables over: added, changed, removed. What is wrong with which.

        Raises StoreError where the site's database is away; they then stay as they were.
        """
        found = await self._snapshot()
        known = await self._runner.read(self._memory.current)
        if found is None:
            return ("the site's own tables: query 'agents' gives nobody, so the agents stay as they were",)
        if self._synchronised != (found, known.version) and (found.agents or known.own):
            await self._runner.write_much(apply.sync, self._memory, found, self._now())
            known = await self._runner.read(self._memory.current)
        self._synchronised = found, known.version
        return found.remarks

    async def _snapshot(self) -> Snapshot | None:
        """The site's agents of now: nobody where no query names them, none where those of before count."""
        if self._own is None or not self._own.has_agents:
            return Snapshot()
        found = await self._own.agents()
        return None if found.empty else found
