"""Every table. A change here needs a migration; a test holds the two together.

Agents and bots are never deleted, only marked removed: transfers refer to them. Columns that name
an agent in history (`leg`, `task`, `lead`) have no foreign key, so that agents and leads may one day
come from a site's own tables, and a stale id never refuses a live call.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

from callcontrol.adapters.sql.instants import Instant

VERSION_TABLE = "callcontrol_schema"  # not Alembic's own name: a database may be shared

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_SERIAL = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts only an INTEGER PRIMARY KEY


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


def _endpoint() -> tuple[Column[str], ...]:
    return (
        Column("kind", Text, nullable=False),
        Column("address", Text, nullable=False),
        Column("accept_by", Text, nullable=False),
    )


# --- who and what routing knows

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
    *_endpoint(),
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
    _partial("ix_agent_standing_claimed", "claimed_by", where="claimed_by IS NOT NULL"),
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
    *_endpoint(),
)

# --- leads, and what was still planned for them

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
    Column("id", _SERIAL, primary_key=True),
    Column("lead_id", ForeignKey(lead.c.id), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),  # pending, cancelled, done
    Column("cancelled_at", Instant),
    Column("cancelled_by", Text),  # a transfer's id, or whoever did it
    Column("why", Text, nullable=False),
    Column("key", Text),  # idempotency key
    Column("created_at", Instant),
    _partial("uq_cadence_enrolment_key", "lead_id", "key", where="key IS NOT NULL", unique=True),
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
    _partial("ix_cadence_step_open", "lead_id", where="state IN ('pending', 'claimed')"),
    _partial("ix_cadence_step_due", "due_at", where="state IN ('pending', 'claimed')"),
    _partial("uq_cadence_step_claim", "claim_id", where="claim_id IS NOT NULL", unique=True),
)

# --- transfers

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
    _partial(  # in the order of the report's groups, so that it need not sort
        "ix_transfer_decided",
        *("bot_id", "pattern", "ring_timeout_s", "outcome", "outcome_reason", "fallback_attempts"),
        *("requested_at", "answer_us", "talking_us"),
        where="outcome IS NOT NULL",
    ),
    Column("forgotten_at", Instant),  # its lead's data, see retention.py
    _partial("ix_transfer_remembered", "requested_at", where="forgotten_at IS NULL"),
    _partial("uq_transfer_live_channel", "lead_channel", where="closed_at IS NULL", unique=True),
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
    *_endpoint(),
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
    _partial(
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

# --- what an outcome brings with it

outbox = Table(
    "outbox",
    metadata,
    Column("id", _SERIAL, primary_key=True),
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
    _partial("ix_outbox_due", "via", "id", where="state = 'queued'"),
    _partial("ix_outbox_leased", "next_at", where="state = 'claimed'"),
    _partial("ix_outbox_unsent", "queue", "id", where="state IN ('queued', 'claimed')"),
    _partial("ix_outbox_parked", "id", where="state = 'parked'"),
    _partial("ix_outbox_provider_id", "provider_id", where="provider_id IS NOT NULL"),
)

task = Table(
    "task",
    metadata,
    Column("id", _SERIAL, primary_key=True),
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
    _partial("ix_task_waiting", "lead_id", where="state IN ('open', 'claimed')"),
    _partial("ix_task_escalate", "escalate_at", where="state = 'open'"),
)

task_note = Table(
    "task_note",
    metadata,
    Column("id", _SERIAL, primary_key=True),
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
    _partial("ix_task_call_up", "call", where="ended_at IS NULL"),
)
