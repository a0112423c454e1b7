"""Routing: standings, tags, dated exceptions, ways to ring a pool, conditions as a tree."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from callcontrol.adapters.sql.instants import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _add(
        "directory",
        sa.Column("toggle_seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("strike_limit", sa.Integer(), server_default=sa.text("3"), nullable=False),
        sa.Column("strike_rest_s", sa.Float(), server_default=sa.text("1800"), nullable=False),
    )
    _add(
        "agent",
        sa.Column("weight", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("wrap_up_s", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("endpoint_order", sa.Text(), server_default="together", nullable=False),
        sa.Column("endpoint_step_s", sa.Float(), server_default=sa.text("12"), nullable=False),
        sa.Column("toggle_seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
    op.create_index("ix_agent_toggle_seq", "agent", ["toggle_seq"])
    op.drop_index("ix_agent_on_duty", table_name="agent")
    _add(
        "pool",
        sa.Column("ring_order", sa.Text(), server_default="listed", nullable=False),
        sa.Column("at_once", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("step_s", sa.Float(), server_default=sa.text("10"), nullable=False),
        sa.Column("last_agent_first", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("wrap_up_s", sa.Float()),
    )
    op.create_table(
        "pool_tag",
        sa.Column("pool_id", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name="fk_pool_tag_pool_id"),
        sa.PrimaryKeyConstraint("pool_id", "tag", name="pk_pool_tag"),
    )
    op.create_table(
        "agent_tag",
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"], name="fk_agent_tag_agent_id"),
        sa.PrimaryKeyConstraint("agent_id", "tag", name="pk_agent_tag"),
    )
    op.create_index("ix_agent_tag_tag", "agent_tag", ["tag"])
    op.create_table(
        "agent_exception",
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("on", sa.Date(), nullable=False),
        sa.Column("start_min", sa.Integer(), nullable=False),
        sa.Column("end_min", sa.Integer(), nullable=False),
        sa.Column("opens", sa.Boolean(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"], name="fk_agent_exception_agent_id"),
        sa.PrimaryKeyConstraint("agent_id", "position", name="pk_agent_exception"),
    )
    op.create_table(
        "agent_standing",
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("strikes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("resting_until", Instant()),
        sa.Column("resting_why", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("wrapping_until", Instant()),
        sa.Column("claimed_by", sa.Text()),
        sa.Column("claimed_until", Instant()),
        sa.Column("claimed_pool_id", sa.Text()),
        sa.Column("idle_since", Instant()),
        sa.Column("last_rung_at", Instant()),
        sa.Column("talks_today", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("talks_on", sa.Date()),
        sa.PrimaryKeyConstraint("agent_id", name="pk_agent_standing"),
    )
    op.create_index(
        "ix_agent_standing_claimed",
        "agent_standing",
        ["claimed_by"],
        sqlite_where=sa.text("claimed_by IS NOT NULL"),
        postgresql_where=sa.text("claimed_by IS NOT NULL"),
    )
    _conditions_as_trees()


def _add(table: str, *columns: sa.Column[Any]) -> None:
    for column in columns:
        op.add_column(table, column)


def _conditions_as_trees() -> None:
    """They were {fact: [values]}, all of which had to fit, whatever the case of the letters."""
    connection = op.get_bind()
    for position, flat in connection.execute(sa.text("SELECT position, conditions FROM rule")).all():
        facts: dict[str, list[str]] = json.loads(flat) if isinstance(flat, str) else flat
        parts = [
            {"fact": fact, "is": [value.casefold() for value in values]} for fact, values in facts.items()
        ]
        connection.execute(
            sa.text("UPDATE rule SET conditions = :tree WHERE position = :position").bindparams(
                sa.bindparam("tree", type_=sa.JSON)
            ),
            {"tree": {"all": parts}, "position": position},
        )
