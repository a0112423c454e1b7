"""Every table. A change here needs a migration; a test holds the two together.

Agents and bots are never deleted, only marked removed: transfers refer to them. Columns that name
an agent in history (`leg`, `task`, `lead`) have no foreign key, so that agents and leads may one day
come from a site's own tables, and a stale id never refuses a live call.
"""

from callcontrol.adapters.sql.schema.base import metadata
from callcontrol.adapters.sql.schema.follow_up import outbox, task, task_call, task_note
from callcontrol.adapters.sql.schema.leads import cadence_enrolment, cadence_step, lead
from callcontrol.adapters.sql.schema.routing import (
    agent,
    agent_endpoint,
    agent_exception,
    agent_standing,
    agent_tag,
    bot,
    bot_contact,
    bot_fallback,
    directory,
    pool,
    pool_member,
    pool_tag,
    rule,
    schedule_window,
)
from callcontrol.adapters.sql.schema.transfers import (
    attempt,
    journal,
    kept_out,
    leg,
    transfer,
    transfer_in_brief,
)

VERSION_TABLE = "callcontrol_schema"  # not Alembic's own name: a database may be shared

__all__ = [
    "VERSION_TABLE",
    "agent",
    "agent_endpoint",
    "agent_exception",
    "agent_standing",
    "agent_tag",
    "attempt",
    "bot",
    "bot_contact",
    "bot_fallback",
    "cadence_enrolment",
    "cadence_step",
    "directory",
    "journal",
    "kept_out",
    "lead",
    "leg",
    "metadata",
    "outbox",
    "pool",
    "pool_member",
    "pool_tag",
    "rule",
    "schedule_window",
    "task",
    "task_call",
    "task_note",
    "transfer",
    "transfer_in_brief",
]
