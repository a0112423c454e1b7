"""The `Store` port on SQLite or PostgreSQL."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection

from callcontrol.adapters.sql import backlog, checks, retention
from callcontrol.adapters.sql.analytics import SqlStatistics
from callcontrol.adapters.sql.migrate import SchemaStatus, status_of, upgrade_in
from callcontrol.adapters.sql.own_tables import OwnDatabase
from callcontrol.adapters.sql.store.cadence import SqlCadence
from callcontrol.adapters.sql.store.messages import SqlMessages
from callcontrol.adapters.sql.store.staff import SqlStaff
from callcontrol.adapters.sql.store.tasks import SqlTasks
from callcontrol.adapters.sql.store.transfers import SqlTransfers
from callcontrol.ports import Backlog, Finding, Forgotten, StoreError, Whom

_TOLD = 5  # of the site's own rows with something wrong


class SqlStore(SqlStaff, SqlTransfers, SqlTasks, SqlMessages, SqlCadence):
    """Each method is one question in one transaction; see the modules named for their subject."""

    @property
    def statistics(self) -> SqlStatistics:
        """The questions of reports."""
        return self._statistics

    async def ensure_schema(self) -> Sequence[str]:
        """Give an empty database its tables; refuse one of another version, saying what to do. Look whether
        the queries on the site's own tables give what is expected of them, and take the agents there over.

        What is wrong there and may pass, such as that the site's database is away: what is known of it
        counts meanwhile. Raises StoreError for everything else.
        """
        found = await self._runner.write(_ensure)
        if found.remedy:
            raise StoreError(
                f"the database has schema {found.found}, this program needs {found.needed}: {found.remedy}",
                retryable=False,
            )
        try:
            if self._own is not None:
                await self._own.check()
            return await self.synchronise()
        except StoreError as away:
            if not away.retryable:
                raise
            return (str(away),)

    async def check(self) -> Sequence[Finding]:
        """Says, rather than raises, that the database is away."""
        try:
            found = await self._runner.write(checks.findings)
        except StoreError as exc:
            remedy = "start the database, or correct its URL and permissions in the configuration"
            return (Finding(subject="database", ok=False, remedy=remedy, detail=str(exc)),)
        return found if self._own is None else (*found, await self._check_own(self._own))

    async def _check_own(self, own: OwnDatabase) -> Finding:
        subject = "the site's own tables"
        remedy = "correct the query, or the URL and permissions of the site's database"
        try:
            await own.check()
            remarks = await self.synchronise()
        except StoreError as exc:
            return Finding(subject=subject, ok=False, remedy=remedy, detail=str(exc))
        if remarks:
            remedy = "correct the agents in the site's own tables, or what the query makes of them"
            return Finding(subject=subject, ok=False, remedy=remedy, detail="; ".join(remarks[:_TOLD]))
        known = await self._runner.read(self._memory.current)
        return Finding(
            subject=subject, ok=True, detail=f"agents taken over: {len(known.own)}" if known.own else ""
        )

    async def ping(self) -> None:
        """Reads what has changed of the directory too, so that a call need not."""
        await self._runner.read(checks.ping, self._memory)

    async def close(self) -> None:
        with suppress(StoreError):  # else the next process does
            await self._write_out()
        if self._own is not None:
            await self._own.close()
        await self._runner.close()

    async def backlog(self) -> Backlog:
        return await self._runner.read(backlog.backlog)

    async def forget(self, whom: Whom, now: datetime, *, with_tasks: bool) -> Forgotten:
        about = await self._runner.read_at_leisure(retention.messages_about, whom)
        found = await self._runner.write(retention.forget, whom, about, now, with_tasks=with_tasks)
        await self._runner.settle()
        return found

    async def forget_before(self, before: datetime, now: datetime) -> Forgotten:
        due = await self._runner.read_at_leisure(retention.due, before)
        found = await self._runner.write(retention.forget_due, due, now)
        if not found.transfers:
            await self._runner.settle()
        return found


def _ensure(connection: Connection) -> SchemaStatus:
    upgrade_in(connection, only_if_empty=True)
    return status_of(connection)
