"""Outcomes: whom else they notify, and webhooks; cadence steps that workers claim."""

import sqlalchemy as sa
from alembic import op

from callcontrol.adapters.sql.instants import Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_OPEN = "state IN ('pending', 'claimed')"


def upgrade() -> None:
    for outcome in ("on_connected", "on_missed"):
        _add(
            "bot",
            sa.Column(f"{outcome}_notify_pool", sa.Boolean(), server_default=sa.false(), nullable=False),
        )
        _add("bot", sa.Column(f"{outcome}_webhook", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.create_table(
        "bot_contact",
        sa.Column("bot_id", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("list", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["bot_id"], ["bot.id"], name="fk_bot_contact_bot_id"),
        sa.PrimaryKeyConstraint("bot_id", "outcome", "position", name="pk_bot_contact"),
    )
    _add("cadence_enrolment", sa.Column("key", sa.Text()), sa.Column("created_at", Instant()))
    _add(
        "cadence_step",
        sa.Column("claim_id", sa.Text()),
        sa.Column("claimed_by", sa.Text()),
        sa.Column("claimed_until", Instant()),
        sa.Column("done_at", Instant()),
    )
    op.drop_index("ix_cadence_step_pending", table_name="cadence_step")
    _index("ix_cadence_step_open", "cadence_step", ["lead_id"], _OPEN)
    _index("ix_cadence_step_due", "cadence_step", ["due_at"], _OPEN)
    _index("uq_cadence_step_claim", "cadence_step", ["claim_id"], "claim_id IS NOT NULL", unique=True)
    _index(
        "uq_cadence_enrolment_key", "cadence_enrolment", ["lead_id", "key"], "key IS NOT NULL", unique=True
    )


def _add(table: str, *columns: "sa.Column[object]") -> None:
    for column in columns:
        op.add_column(table, column)


def _index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
