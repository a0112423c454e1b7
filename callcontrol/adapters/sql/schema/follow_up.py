"""What an outcome brings with it: texts and webhooks to send, and tasks."""

from sqlalchemy import Boolean, Column, Float, ForeignKey, Integer, Table, Text, UniqueConstraint, false, text

from callcontrol.adapters.sql.instants import Instant
from callcontrol.adapters.sql.schema.base import SERIAL, metadata, partial_index
from callcontrol.adapters.sql.schema.leads import lead
from callcontrol.adapters.sql.schema.transfers import transfer

outbox = Table(
    "outbox",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("dedupe_key", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False, server_default="text"),  # text, webhook
    Column("transfer_id", ForeignKey(transfer.c.id), index=True),
    Column("recipient", Text, nullable=False),  # the role: agent, owner, ...
    Column("agent_id", Text),
    Column("to", Text, nullable=False),
    Column("queue", Text, nullable=False),  # those of one queue go one after the other
    Column("body", Text, nullable=False),
    Column("gateway", Text),  # this one and no other; none: by the routes
    Column("via", Text),  # what the routes chose
    Column("refused_by", Text, nullable=False, server_default=text("''")),  # gateways, between commas
    Column("state", Text, nullable=False),  # queued, claimed, sent, parked, discarded
    Column("doubtful", Boolean, nullable=False, server_default=false()),  # it may have been sent
    Column("attempts", Integer, nullable=False),
    Column("next_at", Instant, nullable=False),  # nobody takes it before
    Column("lease_until", Instant),  # claimed: until then it is the claimer's
    Column("last_error", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("provider_id", Text),
    Column("delivery", Text),  # on_its_way, delivered, undelivered: as the gateway reported
    Column("delivery_at", Instant),
    Column("delivery_detail", Text, nullable=False, server_default=text("''")),
    partial_index("ix_outbox_due", "via", "id", where="state = 'queued'"),
    partial_index("ix_outbox_leased", "next_at", where="state = 'claimed'"),
    partial_index("ix_outbox_unsent", "queue", "id", where="state IN ('queued', 'claimed')"),
    partial_index("ix_outbox_parked", "id", where="state = 'parked'"),
    partial_index("ix_outbox_provider_id", "provider_id", where="provider_id IS NOT NULL"),
)

task = Table(
    "task",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("transfer_id", ForeignKey(transfer.c.id), nullable=False),
    Column("kind", Text, nullable=False),  # call_back
    Column("lead_id", ForeignKey(lead.c.id), nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("owner_agent_id", Text),
    Column("created_at", Instant, nullable=False, index=True),
    Column("due_at", Instant, nullable=False),
    Column("state", Text, nullable=False),  # open, claimed, done
    Column("owner_pool_id", Text),  # neither agent nor pool: the bot's owner
    Column("claimed_by", Text),
    Column("claimed_at", Instant),
    Column("done_at", Instant),
    Column("done_by", Text, nullable=False, server_default=text("''")),
    Column("done_how", Text),  # call_back, lead_called, transfer, by_hand
    Column("done_words", Text, nullable=False, server_default=text("''")),
    Column("escalations", Integer, nullable=False, server_default=text("0")),  # texts sent
    Column("escalate_at", Instant),  # the next one, while the task is open
    Column("first_attempt_s", Float),  # from created_at, which is the miss, to the first call to the lead
    Column("first_answered_s", Float),  # likewise to the first talk, whoever called
    Column("talk_s", Float),  # of the call that closed it
    UniqueConstraint("transfer_id", "kind"),
    partial_index("ix_task_waiting", "lead_id", where="state IN ('open', 'claimed')"),
    partial_index("ix_task_escalate", "escalate_at", where="state = 'open'"),
)

task_note = Table(
    "task_note",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("task_id", ForeignKey(task.c.id), nullable=False),
    Column("key", Text, nullable=False),  # the same again is no other note
    Column("at", Instant, nullable=False),
    Column("by", Text, nullable=False),
    Column("text", Text, nullable=False),
    UniqueConstraint("task_id", "key"),
)

task_call = Table(  # between the lead and somebody here, seen by the switch
    "task_call",
    metadata,
    Column("task_id", ForeignKey(task.c.id), primary_key=True),
    Column("call", Text, primary_key=True),  # the unique id of the channel that dialled
    Column("direction", Text, nullable=False),  # back, in
    Column("agent_id", Text),
    Column("who", Text, nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("answered_at", Instant),
    Column("answered_leg", Text),
    Column("ended_at", Instant),
    Column("result", Text),  # closes, noted
    partial_index("ix_task_call_up", "call", where="ended_at IS NULL"),
)
