"""What of a decided transfer is kept for the statistics, in the transaction of its outcome."""

from dataclasses import fields
from datetime import datetime

from sqlalchemy import Connection, bindparam, update

from callcontrol.adapters.sql import journal
from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.driven import Driven
from callcontrol.adapters.sql.instants import stored
from callcontrol.adapters.sql.statements import insert_once
from callcontrol.core.attempts import AttemptFacts, attempts_of
from callcontrol.core.keptout import UNANSWERED, kept_out
from callcontrol.core.model import Connected, Missed, Outcome, StepKind, TransferId

_OF_ATTEMPTS = [field.name for field in fields(AttemptFacts)]
_DECIDED = Driven(
    lambda _: update(s.transfer).where(s.transfer.c.id == bindparam("transfer")),
    ["fallback_attempts", "answer_us", "talking_us"],
)
_ITS_LEGS = Driven(
    lambda _: update(s.leg).where(s.leg.c.transfer_id == bindparam("transfer")), ["bot_id", "requested_at"]
)
_ATTEMPT = Driven(
    lambda dialect: insert_once(dialect, s.attempt), ["transfer_id", "bot_id", "requested_at", *_OF_ATTEMPTS]
)


def keep(
    connection: Connection,
    transfer_id: TransferId,
    outcome: Outcome,
    *,
    bot_id: str,
    requested_at: datetime,
    at: datetime,
) -> None:
    winner = outcome.leg.id if isinstance(outcome, Connected) else None
    found = attempts_of(journal.legs_of(connection, transfer_id), winner, requested_at, at)
    won = next((attempt for attempt in found if attempt.connected), None)
    of = {"bot_id": bot_id, "requested_at": stored(connection.dialect, requested_at)}
    _DECIDED.count(
        connection,
        {
            "transfer": transfer_id,
            "fallback_attempts": sum(attempt.step is StepKind.FALLBACK for attempt in found),
            "answer_us": won and won.answer_us,
            "talking_us": won and won.talking_us,
        },
    )
    if found:
        _ITS_LEGS.count(connection, {"transfer": transfer_id, **of})
        own = [{name: getattr(attempt, name) for name in _OF_ATTEMPTS} for attempt in found]
        _ATTEMPT.each(connection, [{"transfer_id": transfer_id, **of, **values} for values in own])
    if isinstance(outcome, Missed) and outcome.because in UNANSWERED:
        _keep_who_was_kept_out(connection, transfer_id)


def _keep_who_was_kept_out(connection: Connection, transfer_id: TransferId) -> None:
    """Counted now: a journal does not outlive its lead's data."""
    counts = kept_out(journal.resolved(connection, transfer_id))
    if counts:
        rows = [{"transfer_id": transfer_id, "term": term, "agents": n} for term, n in counts.items()]
        connection.execute(insert_once(connection.dialect.name, s.kept_out), rows)
