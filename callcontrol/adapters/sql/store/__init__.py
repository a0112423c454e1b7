"""The `Store` port on SQLite or PostgreSQL, divided as the port is."""

from callcontrol.adapters.sql.store.whole import SqlStore

__all__ = ["SqlStore"]
