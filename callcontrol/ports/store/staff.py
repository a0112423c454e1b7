"""Who may be rung: the directory, and what becomes of its agents."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from callcontrol.core.model import Agent, AgentId, Bot, Candidate, Directory


class StaffStore(Protocol):
    async def apply(self, directory: Directory) -> Sequence[str]:
        """Make agents, pools, rules and bots what `directory` says; each change as a line for people.

        An agent's own toggle is kept. Leads are added or updated, never removed.
        """
        ...

    async def bots(self) -> Sequence[Bot]: ...

    async def agents(self) -> Sequence[Agent]: ...

    async def set_available(self, agent_id: AgentId, *, available: bool) -> None:
        """Raises UnknownError; ElsewhereError where the toggles are in the site's own tables."""
        ...

    async def candidates(self, now: datetime) -> Sequence[Candidate]:
        """Every agent of the directory with their standing."""
        ...

    async def agent_at(self, address: str, now: datetime) -> Candidate:
        """Whose extension that is. Raises UnknownError."""
        ...

    async def rest(self, agent_id: AgentId, until: datetime | None, why: str) -> None:
        """Let an agent rest, or return (no `until`), strikes forgotten. Raises UnknownError."""
        ...

    async def hold(
        self, hold_id: str, agent_ids: Sequence[AgentId], *, now: datetime, until: datetime
    ) -> Sequence[AgentId]:
        """Reserve agents for a transfer that is about to be asked for; those that were free."""
        ...
