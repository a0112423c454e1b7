"""Analytics and retention: what the statistics go by, as it was at the time; what is forgotten."""

import sqlalchemy as sa
from alembic import op

from callcontrol.adapters.sql.instants import Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_OF_TRANSFERS = (
    *("bot_id", "pattern", "ring_timeout_s", "outcome", "outcome_reason", "fallback_attempts"),
    *("requested_at", "answer_us", "talking_us"),
)
_OF_LEGS = (
    *("agent_id", "attempt", "fate", "ending", "rang_s", "requested_at", "bot_id"),
    *("dialled_at", "answered_at", "joined_at"),
)
_OF_ATTEMPTS = (
    *("number", "step", "pool_id", "connected", "called_off", "ending", "rang_s"),
    *("requested_at", "bot_id", "answer_us", "talking_us"),
)


def upgrade() -> None:
    for table, columns in (
        (
            "transfer",
            (
                sa.Column("pattern", sa.Text()),
                sa.Column("ring_timeout_s", sa.Float()),
                sa.Column("fallback_attempts", sa.Integer()),
                sa.Column("answer_us", sa.BigInteger()),
                sa.Column("talking_us", sa.BigInteger()),
                sa.Column("forgotten_at", Instant()),
            ),
        ),
        (
            "leg",
            (
                sa.Column("pool_id", sa.Text()),
                sa.Column("ending", sa.Text()),
                sa.Column("rang_s", sa.Integer()),
                sa.Column("bot_id", sa.Text()),
                sa.Column("requested_at", Instant()),
            ),
        ),
    ):
        for column in columns:
            op.add_column(table, column)
    op.create_table(
        "attempt",
        sa.Column("transfer_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("pool_id", sa.Text()),
        sa.Column("connected", sa.Boolean(), nullable=False),
        sa.Column("called_off", sa.Boolean(), nullable=False),
        sa.Column("ending", sa.Text(), nullable=False),
        sa.Column("rang_s", sa.Integer(), nullable=False),
        sa.Column("answer_us", sa.BigInteger()),
        sa.Column("talking_us", sa.BigInteger()),
        sa.Column("bot_id", sa.Text(), nullable=False),
        sa.Column("requested_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfer.id"], name="fk_attempt_transfer_id"),
        sa.PrimaryKeyConstraint("transfer_id", "number", name="pk_attempt"),
    )
    op.create_table(
        "kept_out",
        sa.Column("transfer_id", sa.Text(), nullable=False),
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("agents", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfer.id"], name="fk_kept_out_transfer_id"),
        sa.PrimaryKeyConstraint("transfer_id", "term", name="pk_kept_out"),
    )
    _partial("ix_transfer_decided", "transfer", _OF_TRANSFERS, "outcome IS NOT NULL")
    _partial("ix_leg_decided", "leg", _OF_LEGS, "requested_at IS NOT NULL")
    _partial("ix_transfer_remembered", "transfer", ("requested_at",), "forgotten_at IS NULL")
    op.create_index("ix_attempt_report", "attempt", list(_OF_ATTEMPTS))


def _partial(name: str, table: str, columns: tuple[str, ...], where: str) -> None:
    op.create_index(name, table, list(columns), sqlite_where=sa.text(where), postgresql_where=sa.text(where))
