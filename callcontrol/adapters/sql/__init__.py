"""The `Store` port in SQL: SQLite beside the daemon, or PostgreSQL, by one URL."""

from callcontrol.adapters.sql.changes import Change, ChangeKind
from callcontrol.adapters.sql.migrate import SchemaState, SchemaStatus, status, upgrade
from callcontrol.adapters.sql.own_tables import OwnTables
from callcontrol.adapters.sql.store import SqlStore
from callcontrol.ports import Enrolment, Planned

__all__ = [
    "Change",
    "ChangeKind",
    "Enrolment",
    "OwnTables",
    "Planned",
    "SchemaState",
    "SchemaStatus",
    "SqlStore",
    "status",
    "upgrade",
]
