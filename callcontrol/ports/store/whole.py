"""The database."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from callcontrol.ports.records import Backlog, Forgotten, Whom
from callcontrol.ports.statistics import Statistics
from callcontrol.ports.store.cadence import CadenceStore
from callcontrol.ports.store.messages import MessageStore
from callcontrol.ports.store.staff import StaffStore
from callcontrol.ports.store.tasks import TaskStore
from callcontrol.ports.store.transfers import TransferStore
from callcontrol.ports.switch import Finding


class Store(StaffStore, TransferStore, TaskStore, MessageStore, CadenceStore, Protocol):
    """The database. Each method is one transaction, run to its end even if the caller is cancelled.
    All raise StoreError where the database is away.
    """

    @property
    def statistics(self) -> Statistics: ...

    async def check(self) -> Sequence[Finding]: ...

    async def ping(self) -> None: ...

    async def backlog(self) -> Backlog: ...

    async def forget(self, whom: Whom, now: datetime, *, with_tasks: bool) -> Forgotten:
        """Erase a lead's personal data, keeping what is counted.

        Raises UnknownError; StoreError while a transfer of the lead is live, or, but for `with_tasks`,
        a task is open.
        """
        ...

    async def forget_before(self, before: datetime, now: datetime) -> Forgotten:
        """Erase some of what is older than `before`; call it again until that is nothing."""
        ...

    async def close(self) -> None: ...
