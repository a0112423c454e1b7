"""Tasks: who has one, how it was done, the calls to its lead, escalation, speed to call-back."""

import sqlalchemy as sa
from alembic import op

from callcontrol.adapters.sql.instants import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    for column in (
        sa.Column("owner_pool_id", sa.Text()),
        sa.Column("claimed_by", sa.Text()),
        sa.Column("claimed_at", Instant()),
        sa.Column("done_at", Instant()),
        sa.Column("done_by", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("done_how", sa.Text()),
        sa.Column("done_words", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("escalations", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("escalate_at", Instant()),
        sa.Column("first_attempt_s", sa.Float()),
        sa.Column("first_answered_s", sa.Float()),
        sa.Column("talk_s", sa.Float()),
    ):
        op.add_column("task", column)
    _partial("ix_task_waiting", "task", "lead_id", "state IN ('open', 'claimed')")
    _partial("ix_task_escalate", "task", "escalate_at", "state = 'open'")
    op.create_table(
        "task_note",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("task_id", _SERIAL, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name="fk_task_note_task_id"),
        sa.PrimaryKeyConstraint("id", name="pk_task_note"),
        sa.UniqueConstraint("task_id", "key", name="uq_task_note_task_id_key"),
    )
    op.create_table(
        "task_call",
        sa.Column("task_id", _SERIAL, nullable=False, autoincrement=False),
        sa.Column("call", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text()),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("began_at", Instant(), nullable=False),
        sa.Column("answered_at", Instant()),
        sa.Column("answered_leg", sa.Text()),
        sa.Column("ended_at", Instant()),
        sa.Column("result", sa.Text()),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name="fk_task_call_task_id"),
        sa.PrimaryKeyConstraint("task_id", "call", name="pk_task_call"),
    )
    _partial("ix_task_call_up", "task_call", "call", "ended_at IS NULL")


def _partial(name: str, table: str, column: str, where: str) -> None:
    op.create_index(name, table, [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))
