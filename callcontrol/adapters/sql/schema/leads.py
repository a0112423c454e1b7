"""Leads, and what was still planned for them."""

from sqlalchemy import JSON, Column, ForeignKey, Integer, Table, Text

from callcontrol.adapters.sql.instants import Instant
from callcontrol.adapters.sql.schema.base import SERIAL, metadata, partial_index

lead = Table(
    "lead",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("phone", Text, nullable=False, index=True),
    Column("email", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("assigned_agent_id", Text),
    Column("fields", JSON, nullable=False),
)

cadence_enrolment = Table(
    "cadence_enrolment",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("lead_id", ForeignKey(lead.c.id), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),  # pending, cancelled, done
    Column("cancelled_at", Instant),
    Column("cancelled_by", Text),  # a transfer's id, or whoever did it
    Column("why", Text, nullable=False),
    Column("key", Text),  # idempotency key
    Column("created_at", Instant),
    partial_index("uq_cadence_enrolment_key", "lead_id", "key", where="key IS NOT NULL", unique=True),
)

cadence_step = Table(
    "cadence_step",
    metadata,
    Column("enrolment_id", ForeignKey(cadence_enrolment.c.id), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("lead_id", ForeignKey(lead.c.id), nullable=False),
    Column("name", Text, nullable=False),
    Column("due_at", Instant),
    Column("state", Text, nullable=False),  # pending, claimed, cancelled, done
    Column("cancelled_at", Instant),
    Column("cancelled_by", Text),
    Column("why", Text, nullable=False),
    Column("claim_id", Text),
    Column("claimed_by", Text),  # the worker, as it calls itself
    Column("claimed_until", Instant),
    Column("done_at", Instant),  # of a cancelled one: it had been carried out all the same
    partial_index("ix_cadence_step_open", "lead_id", where="state IN ('pending', 'claimed')"),
    partial_index("ix_cadence_step_due", "due_at", where="state IN ('pending', 'claimed')"),
    partial_index("uq_cadence_step_claim", "claim_id", where="claim_id IS NOT NULL", unique=True),
)
