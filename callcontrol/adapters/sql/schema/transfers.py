"""Transfers, step by step and leg by leg, and what the statistics keep of them."""

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, Table, Text

from callcontrol.adapters.sql.instants import Instant
from callcontrol.adapters.sql.schema.base import endpoint_columns, metadata, partial_index
from callcontrol.adapters.sql.schema.leads import lead
from callcontrol.adapters.sql.schema.routing import bot

transfer = Table(
    "transfer",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("fingerprint", Text, nullable=False),  # of what the key was first used for
    Column("lead_id", ForeignKey(lead.c.id), nullable=False, index=True),
    Column("bot_id", ForeignKey(bot.c.id), nullable=False),
    Column("lead_channel", Text, nullable=False),
    Column("bot_channel", Text),
    Column("pbx_started", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("requested_at", Instant, nullable=False, index=True),
    Column("outcome", Text),  # connected, missed
    Column("outcome_reason", Text),
    Column("outcome_leg_id", Text),
    Column("outcome_follow_up", Boolean),
    Column("finished_at", Instant),
    Column("closed_at", Instant),
    # for the statistics, as they were at the time; the last three with the outcome
    Column("pattern", Text),
    Column("ring_timeout_s", Float),
    Column("fallback_attempts", Integer),  # steps that rang fallback numbers
    Column("answer_us", BigInteger),  # the winner's phone, from being dialled to being picked up
    Column("talking_us", BigInteger),  # from the request to agent and lead on one line
    partial_index(  # in the order of the report's groups, so that it need not sort
        "ix_transfer_decided",
        *("bot_id", "pattern", "ring_timeout_s", "outcome", "outcome_reason", "fallback_attempts"),
        *("requested_at", "answer_us", "talking_us"),
        where="outcome IS NOT NULL",
    ),
    Column("forgotten_at", Instant),  # its lead's data, see retention.py
    partial_index("ix_transfer_remembered", "requested_at", where="forgotten_at IS NULL"),
    partial_index("uq_transfer_live_channel", "lead_channel", where="closed_at IS NULL", unique=True),
)

transfer_in_brief = Table(  # of a transfer just opened, until it and its journal are written out
    "transfer_in_brief",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("transfer_id", Text, nullable=False),
    Column("contents", Text, nullable=False),  # JSON: the transfer's columns, and the rows of its journal
)

journal = Table(
    "journal",
    metadata,
    Column("transfer_id", ForeignKey(transfer.c.id), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("type", Text, nullable=False),
    Column("payload", Text, nullable=False),  # JSON
)

leg = Table(
    "leg",
    metadata,
    Column("id", Text, primary_key=True),  # the channel's unique id
    Column("transfer_id", ForeignKey(transfer.c.id), nullable=False, index=True),
    Column("agent_id", Text),
    Column("label", Text, nullable=False),
    *endpoint_columns(),
    Column("attempt", Integer, nullable=False),
    Column("step", Text, nullable=False),
    Column("dialled_at", Instant, nullable=False),
    Column("ringing_at", Instant),
    Column("answered_at", Instant),
    Column("accepted_at", Instant),
    Column("joined_at", Instant),
    Column("ended_at", Instant),
    Column("fate", Text),
    Column("cause", Text, nullable=False),
    Column("pool_id", Text),
    Column("ending", Text),  # answered, refused, cut: see core/tuning.py; none while it rings
    Column("rang_s", Integer),  # whole seconds from dialling to the answer or the end
    # of its transfer, once that is decided: statistics over a million legs join nothing
    Column("bot_id", Text),
    Column("requested_at", Instant),
    partial_index(
        "ix_leg_decided",
        *("agent_id", "attempt", "fate", "ending", "rang_s", "requested_at", "bot_id"),
        *("dialled_at", "answered_at", "joined_at"),
        where="requested_at IS NOT NULL",
    ),
)

attempt = Table(  # of decided transfers, for the statistics
    "attempt",
    metadata,
    Column("transfer_id", ForeignKey(transfer.c.id), primary_key=True),
    Column("number", Integer, primary_key=True),  # 1 is the first
    Column("step", Text, nullable=False),
    Column("pool_id", Text),
    Column("connected", Boolean, nullable=False),
    Column("called_off", Boolean, nullable=False),  # before it was decided
    Column("ending", Text, nullable=False),  # like a leg's
    Column("rang_s", Integer, nullable=False),
    Column("answer_us", BigInteger),
    Column("talking_us", BigInteger),
    Column("bot_id", Text, nullable=False),
    Column("requested_at", Instant, nullable=False),
    Index(
        "ix_attempt_report",
        *("number", "step", "pool_id", "connected", "called_off", "ending", "rang_s"),
        *("requested_at", "bot_id", "answer_us", "talking_us"),
    ),
)

kept_out = Table(  # of a missed transfer: agents who would have rung but for one term
    "kept_out",
    metadata,
    Column("transfer_id", ForeignKey(transfer.c.id), primary_key=True),
    Column("term", Text, primary_key=True),
    Column("agents", Integer, nullable=False),
)
