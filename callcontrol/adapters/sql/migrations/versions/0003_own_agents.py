"""Which agents came from the site's own tables."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("agent", sa.Column("own", sa.Boolean(), server_default=sa.false(), nullable=False))
