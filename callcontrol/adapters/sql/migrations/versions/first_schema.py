"""The first schema."""

import sqlalchemy as sa
from alembic import op

from callcontrol.adapters.sql.instants import Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "agent",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("available", sa.Boolean(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text()),
        sa.Column("removed_at", Instant()),
        sa.PrimaryKeyConstraint("id", name="pk_agent"),
    )
    op.create_index(
        "ix_agent_on_duty",
        "agent",
        ["id"],
        sqlite_where=sa.text("active = 1 AND available = 1 AND removed_at IS NULL"),
        postgresql_where=sa.text("active AND available AND removed_at IS NULL"),
    )
    op.create_table(
        "bot",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("pattern", sa.Text(), nullable=False),
        sa.Column("ring_timeout_s", sa.Float(), nullable=False),
        sa.Column("accept_timeout_s", sa.Float(), nullable=False),
        sa.Column("handoff", sa.Text(), nullable=False),
        sa.Column("handoff_limit_s", sa.Float(), nullable=False),
        sa.Column("closing_line", sa.Text(), nullable=False),
        sa.Column("fallback_all_at_once", sa.Boolean(), nullable=False),
        sa.Column("missed_goto", sa.Text(), nullable=False),
        sa.Column("owner_name", sa.Text()),
        sa.Column("owner_phone", sa.Text()),
        sa.Column("on_connected_cancel_cadence", sa.Boolean(), nullable=False),
        sa.Column("on_connected_notify_agent", sa.Boolean(), nullable=False),
        sa.Column("on_connected_notify_owner", sa.Boolean(), nullable=False),
        sa.Column("on_connected_create_task", sa.Boolean(), nullable=False),
        sa.Column("on_missed_cancel_cadence", sa.Boolean(), nullable=False),
        sa.Column("on_missed_notify_agent", sa.Boolean(), nullable=False),
        sa.Column("on_missed_notify_owner", sa.Boolean(), nullable=False),
        sa.Column("on_missed_create_task", sa.Boolean(), nullable=False),
        sa.Column("removed_at", Instant()),
        sa.PrimaryKeyConstraint("id", name="pk_bot"),
    )
    op.create_table(
        "directory",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_directory"),
    )
    op.create_table(
        "lead",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("assigned_agent_id", sa.Text()),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lead"),
    )
    op.create_index("ix_lead_phone", "lead", ["phone"])
    op.create_table(
        "pool",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pool"),
    )
    op.create_table(
        "agent_endpoint",
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("accept_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"], name="fk_agent_endpoint_agent_id"),
        sa.PrimaryKeyConstraint("agent_id", "position", name="pk_agent_endpoint"),
    )
    op.create_table(
        "bot_fallback",
        sa.Column("bot_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("accept_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["bot_id"], ["bot.id"], name="fk_bot_fallback_bot_id"),
        sa.PrimaryKeyConstraint("bot_id", "position", name="pk_bot_fallback"),
    )
    op.create_table(
        "cadence_enrolment",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("cancelled_at", Instant()),
        sa.Column("cancelled_by", sa.Text()),
        sa.Column("why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["lead_id"], ["lead.id"], name="fk_cadence_enrolment_lead_id"),
        sa.PrimaryKeyConstraint("id", name="pk_cadence_enrolment"),
    )
    op.create_index("ix_cadence_enrolment_lead_id", "cadence_enrolment", ["lead_id"])
    op.create_table(
        "pool_member",
        sa.Column("pool_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"], name="fk_pool_member_agent_id"),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name="fk_pool_member_pool_id"),
        sa.PrimaryKeyConstraint("pool_id", "position", name="pk_pool_member"),
    )
    op.create_table(
        "rule",
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("conditions", sa.JSON(), nullable=False),
        sa.Column("pool_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name="fk_rule_pool_id"),
        sa.PrimaryKeyConstraint("position", name="pk_rule"),
    )
    op.create_table(
        "schedule_window",
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("weekday", sa.Integer(), nullable=False),
        sa.Column("start_min", sa.Integer(), nullable=False),
        sa.Column("end_min", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"], name="fk_schedule_window_agent_id"),
        sa.PrimaryKeyConstraint("agent_id", "position", name="pk_schedule_window"),
    )
    op.create_table(
        "transfer",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("bot_id", sa.Text(), nullable=False),
        sa.Column("lead_channel", sa.Text(), nullable=False),
        sa.Column("bot_channel", sa.Text()),
        sa.Column("pbx_started", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("requested_at", Instant(), nullable=False),
        sa.Column("outcome", sa.Text()),
        sa.Column("outcome_reason", sa.Text()),
        sa.Column("outcome_leg_id", sa.Text()),
        sa.Column("outcome_follow_up", sa.Boolean()),
        sa.Column("finished_at", Instant()),
        sa.Column("closed_at", Instant()),
        sa.ForeignKeyConstraint(["bot_id"], ["bot.id"], name="fk_transfer_bot_id"),
        sa.ForeignKeyConstraint(["lead_id"], ["lead.id"], name="fk_transfer_lead_id"),
        sa.PrimaryKeyConstraint("id", name="pk_transfer"),
        sa.UniqueConstraint("key", name="uq_transfer_key"),
    )
    op.create_index("ix_transfer_lead_id", "transfer", ["lead_id"])
    op.create_index("ix_transfer_requested_at", "transfer", ["requested_at"])
    op.create_index(
        "uq_transfer_live_channel",
        "transfer",
        ["lead_channel"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "cadence_step",
        sa.Column("enrolment_id", SERIAL, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("due_at", Instant()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("cancelled_at", Instant()),
        sa.Column("cancelled_by", sa.Text()),
        sa.Column("why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["enrolment_id"], ["cadence_enrolment.id"], name="fk_cadence_step_enrolment_id"
        ),
        sa.ForeignKeyConstraint(["lead_id"], ["lead.id"], name="fk_cadence_step_lead_id"),
        sa.PrimaryKeyConstraint("enrolment_id", "position", name="pk_cadence_step"),
    )
    op.create_index(
        "ix_cadence_step_pending",
        "cadence_step",
        ["lead_id"],
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "journal",
        sa.Column("transfer_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfer.id"], name="fk_journal_transfer_id"),
        sa.PrimaryKeyConstraint("transfer_id", "seq", name="pk_journal"),
    )
    op.create_table(
        "leg",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("transfer_id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text()),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("accept_by", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("dialled_at", Instant(), nullable=False),
        sa.Column("ringing_at", Instant()),
        sa.Column("answered_at", Instant()),
        sa.Column("accepted_at", Instant()),
        sa.Column("joined_at", Instant()),
        sa.Column("ended_at", Instant()),
        sa.Column("fate", sa.Text()),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfer.id"], name="fk_leg_transfer_id"),
        sa.PrimaryKeyConstraint("id", name="pk_leg"),
    )
    op.create_index("ix_leg_transfer_id", "leg", ["transfer_id"])
    op.create_table(
        "outbox",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("dedupe_key", sa.Text(), nullable=False),
        sa.Column("transfer_id", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("to", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", Instant(), nullable=False),
        sa.Column("lease_until", Instant()),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("sent_at", Instant()),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfer.id"], name="fk_outbox_transfer_id"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("dedupe_key", name="uq_outbox_dedupe_key"),
    )
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["next_at"],
        sqlite_where=sa.text("state IN ('queued', 'claimed')"),
        postgresql_where=sa.text("state IN ('queued', 'claimed')"),
    )
    op.create_index("ix_outbox_transfer_id", "outbox", ["transfer_id"])
    op.create_index(
        "ix_outbox_unsent_to",
        "outbox",
        ["to", "id"],
        sqlite_where=sa.text("state IN ('queued', 'claimed')"),
        postgresql_where=sa.text("state IN ('queued', 'claimed')"),
    )
    op.create_table(
        "task",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("transfer_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("owner_agent_id", sa.Text()),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["lead_id"], ["lead.id"], name="fk_task_lead_id"),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfer.id"], name="fk_task_transfer_id"),
        sa.PrimaryKeyConstraint("id", name="pk_task"),
        sa.UniqueConstraint("transfer_id", "kind", name="uq_task_transfer_id_kind"),
    )
    op.create_index("ix_task_created_at", "task", ["created_at"])
    op.create_index("ix_task_lead_id", "task", ["lead_id"])
    op.execute("INSERT INTO directory (id, version) VALUES (1, 1)")
