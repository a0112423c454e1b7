"""Who and what routing knows: agents, pools, rules and bots, as they were applied; and agents' standings."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Integer,
    Table,
    Text,
    false,
    text,
    true,
)

from callcontrol.adapters.sql.instants import Instant
from callcontrol.adapters.sql.schema.base import endpoint_columns, metadata, partial_index

directory = Table(
    "directory",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # one row, 1
    Column("version", BigInteger, nullable=False),  # grows with every change but an agent's toggle
    Column("toggle_seq", BigInteger, nullable=False, server_default=text("0")),  # grows with every toggle
    Column("strike_limit", Integer, nullable=False, server_default=text("3")),
    Column("strike_rest_s", Float, nullable=False, server_default=text("1800")),
)

agent = Table(
    "agent",
    metadata,
    Column("id", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("available", Boolean, nullable=False),  # the agent's own toggle
    Column("zone", Text, nullable=False),  # IANA; schedules are wall time
    Column("phone", Text),
    Column("removed_at", Instant),
    Column("weight", Integer, nullable=False, server_default=text("1")),
    Column("wrap_up_s", Float, nullable=False, server_default=text("0")),
    Column("endpoint_order", Text, nullable=False, server_default="together"),
    Column("endpoint_step_s", Float, nullable=False, server_default=text("12")),
    Column("toggle_seq", BigInteger, nullable=False, index=True, server_default=text("0")),
    Column("own", Boolean, nullable=False, server_default=false()),  # from the site's own table
)

agent_endpoint = Table(
    "agent_endpoint",
    metadata,
    Column("agent_id", ForeignKey(agent.c.id), primary_key=True),
    Column("position", Integer, primary_key=True),
    *endpoint_columns(),
)

schedule_window = Table(
    "schedule_window",
    metadata,
    Column("agent_id", ForeignKey(agent.c.id), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("weekday", Integer, nullable=False),  # 0 is Monday
    Column("start_min", Integer, nullable=False),
    Column("end_min", Integer, nullable=False),
)

agent_exception = Table(  # wall time on one date; the last one that fits counts
    "agent_exception",
    metadata,
    Column("agent_id", ForeignKey(agent.c.id), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("on", Date, nullable=False),
    Column("start_min", Integer, nullable=False),
    Column("end_min", Integer, nullable=False),
    Column("opens", Boolean, nullable=False),
    Column("why", Text, nullable=False),
)

agent_tag = Table(
    "agent_tag",
    metadata,
    Column("agent_id", ForeignKey(agent.c.id), primary_key=True),
    Column("tag", Text, primary_key=True, index=True),
)

agent_standing = Table(  # what has lately become of an agent; one who was never rung has no row
    "agent_standing",
    metadata,
    Column("agent_id", Text, primary_key=True),
    Column("strikes", Integer, nullable=False, server_default=text("0")),
    Column("resting_until", Instant),
    Column("resting_why", Text, nullable=False, server_default=text("''")),
    Column("wrapping_until", Instant),
    Column("claimed_by", Text),  # a transfer's id, or a hold's
    Column("claimed_until", Instant),  # past it the claim is none: whoever made it is gone
    Column("claimed_pool_id", Text),  # the pool the agent was rung for, whose wrap-up time may count
    Column("idle_since", Instant),
    Column("last_rung_at", Instant),
    Column("talks_today", Integer, nullable=False, server_default=text("0")),
    Column("talks_on", Date),  # the day those were counted for, in the agent's zone
    partial_index("ix_agent_standing_claimed", "claimed_by", where="claimed_by IS NOT NULL"),
)

pool = Table(
    "pool",
    metadata,
    Column("id", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("ring_order", Text, nullable=False, server_default="listed"),
    Column("at_once", Integer, nullable=False, server_default=text("0")),  # 0: all
    Column("step_s", Float, nullable=False, server_default=text("10")),
    Column("last_agent_first", Boolean, nullable=False, server_default=false()),
    Column("wrap_up_s", Float),
)

pool_tag = Table(  # those with all of them are members
    "pool_tag",
    metadata,
    Column("pool_id", ForeignKey(pool.c.id), primary_key=True),
    Column("tag", Text, primary_key=True),
)

pool_member = Table(
    "pool_member",
    metadata,
    Column("pool_id", ForeignKey(pool.c.id), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("agent_id", ForeignKey(agent.c.id), nullable=False),
)

rule = Table(
    "rule",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=False),  # the first match wins
    Column("name", Text, nullable=False),
    Column("conditions", JSON, nullable=False),  # a tree: see conditions.py
    Column("pool_id", ForeignKey(pool.c.id), nullable=False),
)

_ACTIONS = ("cancel_cadence", "notify_agent", "notify_owner", "create_task")
_MORE_ACTIONS = {"notify_pool": false(), "webhook": true()}
_OUTCOMES = ("on_connected", "on_missed")

bot = Table(
    "bot",
    metadata,
    Column("id", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("pattern", Text, nullable=False),
    Column("ring_timeout_s", Float, nullable=False),
    Column("accept_timeout_s", Float, nullable=False),
    Column("handoff", Text, nullable=False),
    Column("handoff_limit_s", Float, nullable=False),
    Column("closing_line", Text, nullable=False),
    Column("fallback_all_at_once", Boolean, nullable=False),
    Column("missed_goto", Text, nullable=False),
    Column("owner_name", Text),
    Column("owner_phone", Text),
    *(Column(f"on_connected_{action}", Boolean, nullable=False) for action in _ACTIONS),
    *(Column(f"on_missed_{action}", Boolean, nullable=False) for action in _ACTIONS),
    Column("removed_at", Instant),
    *(
        Column(f"{outcome}_{action}", Boolean, nullable=False, server_default=default)
        for outcome in _OUTCOMES
        for action, default in _MORE_ACTIONS.items()
    ),
)

bot_contact = Table(  # the lists that an outcome notifies
    "bot_contact",
    metadata,
    Column("bot_id", ForeignKey(bot.c.id), primary_key=True),
    Column("outcome", Text, primary_key=True),  # on_connected, on_missed
    Column("position", Integer, primary_key=True),
    Column("list", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("phone", Text, nullable=False),
)

bot_fallback = Table(
    "bot_fallback",
    metadata,
    Column("bot_id", ForeignKey(bot.c.id), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("label", Text, nullable=False),
    *endpoint_columns(),
)
