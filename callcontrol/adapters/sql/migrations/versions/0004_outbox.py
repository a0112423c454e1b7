"""The outbox carries webhooks too, through more than one gateway, and learns what was delivered."""

import sqlalchemy as sa
from alembic import op

from callcontrol.adapters.sql.instants import Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_PARTIAL = {
    "ix_outbox_due": (["via", "id"], "state = 'queued'"),
    "ix_outbox_leased": (["next_at"], "state = 'claimed'"),
    "ix_outbox_unsent": (["queue", "id"], "state IN ('queued', 'claimed')"),
    "ix_outbox_parked": (["id"], "state = 'parked'"),
    "ix_outbox_provider_id": (["provider_id"], "provider_id IS NOT NULL"),
}


def upgrade() -> None:
    op.drop_index("ix_outbox_due", table_name="outbox")
    op.drop_index("ix_outbox_unsent_to", table_name="outbox")
    with op.batch_alter_table("outbox") as outbox:  # SQLite can't take a NOT NULL away without it
        outbox.alter_column("transfer_id", existing_type=sa.Text(), nullable=True)
        for column in (
            sa.Column("kind", sa.Text(), server_default="text", nullable=False),
            sa.Column("agent_id", sa.Text()),
            sa.Column("queue", sa.Text()),
            sa.Column("gateway", sa.Text()),
            sa.Column("via", sa.Text()),
            sa.Column("refused_by", sa.Text(), server_default=sa.text("''"), nullable=False),
            sa.Column("doubtful", sa.Boolean(), server_default=sa.false(), nullable=False),
            sa.Column("provider_id", sa.Text()),
            sa.Column("delivery", sa.Text()),
            sa.Column("delivery_at", Instant()),
            sa.Column("delivery_detail", sa.Text(), server_default=sa.text("''"), nullable=False),
        ):
            outbox.add_column(column)
    op.execute('UPDATE outbox SET queue = "to"')
    op.execute("UPDATE outbox SET doubtful = true WHERE last_error LIKE 'may have been sent%'")
    with op.batch_alter_table("outbox") as outbox:
        outbox.alter_column("queue", existing_type=sa.Text(), nullable=False)
    for name, (columns, where) in _PARTIAL.items():
        condition = sa.text(where)
        op.create_index(name, "outbox", columns, sqlite_where=condition, postgresql_where=condition)
