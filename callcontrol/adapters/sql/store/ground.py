"""What every part of the store stands on: the database, what is remembered of it, and the site's own tables."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from callcontrol.adapters.sql import directory, resolving
from callcontrol.adapters.sql.analytics import SqlStatistics
from callcontrol.adapters.sql.in_brief import InBrief
from callcontrol.adapters.sql.own_agents import Snapshot
from callcontrol.adapters.sql.own_tables import NOTHING, OwnDatabase, OwnTables, Site
from callcontrol.adapters.sql.runner import Batch, Runner
from callcontrol.core.escalation import TaskRules
from callcontrol.core.model import AgentId, Lead, LeadId
from callcontrol.ports import NewLead, StoreError, Subscription


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Ground:
    def __init__(
        self,
        url: str,
        *,
        own: OwnTables | None = None,
        subscriptions: Sequence[Subscription] = (),
        now: Callable[[], datetime] = _utc_now,
        task_rules: TaskRules | None = None,
        on_read: Callable[[], None] = lambda: None,
    ) -> None:
        """`sqlite:///PATH` or `postgresql://...`. Raises ValueError for anything else.

        `own`: where the site's leads and toggles are, if not here. `subscriptions`: who is told by webhook.
        `on_read`: called in a thread of the store's whenever the directory was read anew.
        """
        self._runner = Runner(url)
        self._brief = InBrief()
        self._memory = directory.Memory(subscriptions, on_read)
        self._resolving = Batch(self._runner, partial(resolving.resolve, self._memory))
        self._own = None if own is None else OwnDatabase(own)
        self._synchronised: tuple[Snapshot, int] | None = None  # with which version of the directory
        self._now = now
        self._task_rules = task_rules or TaskRules()
        self._statistics = SqlStatistics(self._runner)

    async def _site(self, lead: LeadId | NewLead | None = None, *, toggles: bool = False) -> Site:
        """What the site's own tables say. It is asked before the transaction: a slow one holds no lock."""
        own = self._own
        if own is None:
            return NOTHING
        wanted = None if isinstance(lead, NewLead) else lead
        (found, failed), (available, warning) = await asyncio.gather(
            _lead_of(own, wanted), self._toggles_of(own) if toggles else _no_toggles()
        )
        return Site(lead=found, lead_failed=failed, availability=available, warning=warning)

    async def _toggles_of(self, own: OwnDatabase) -> tuple[Mapping[AgentId, bool] | None, str]:
        if not own.has_availability:
            return None, ""
        try:
            known = await self._runner.read(self._memory.current)
            return await own.availability(tuple(known.agents)), ""
        except StoreError as error:
            return None, f"toggles are callcontrol's own, for now: {error}"


async def _lead_of(own: OwnDatabase, lead_id: LeadId | None) -> tuple[Lead | None, StoreError | None]:
    if lead_id is None or not own.has_leads:
        return None, None
    try:
        return await own.lead(lead_id), None
    except StoreError as error:
        return None, error


async def _no_toggles() -> tuple[None, str]:
    return None, ""
