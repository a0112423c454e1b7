"""What of a decided transfer is kept for the statistics, in the transaction of its outcome."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, update

from callcontrol.adapters.sql import journal
from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.statements import insert_once
from callcontrol.core.attempts import attempts_of
from callcontrol.core.keptout import UNANSWERED, kept_out
from callcontrol.core.model import Connected, Missed, Outcome, StepKind, TransferId

_DECIDED = update(s.transfer).where(s.transfer.c.id == bindparam("transfer"))
_ITS_LEGS = update(s.leg).where(s.leg.c.transfer_id == bindparam("transfer"))


def keep(
    connection: Connection, transfer_id: TransferId, outcome: Outcome, transfer: Any, at: datetime
) -> None:
    """`transfer`: its row's `bot_id` and `requested_at`."""
    winner = outcome.leg.id if isinstance(outcome, Connected) else None
    found = attempts_of(journal.legs_of(connection, transfer_id), winner, transfer.requested_at, at)
    won = next((attempt for attempt in found if attempt.connected), None)
    of = {"bot_id": transfer.bot_id, "requested_at": transfer.requested_at}
    connection.execute(
        _DECIDED,
        {
            "transfer": transfer_id,
            "fallback_attempts": sum(attempt.step is StepKind.FALLBACK for attempt in found),
            "answer_us": won and won.answer_us,
            "talking_us": won and won.talking_us,
        },
    )
    if found:
        connection.execute(_ITS_LEGS, {"transfer": transfer_id, **of})
        rows = [{"transfer_id": transfer_id, **of, **asdict(attempt)} for attempt in found]
        connection.execute(insert_once(connection.dialect.name, s.attempt), rows)
    if isinstance(outcome, Missed) and outcome.because in UNANSWERED:
        _keep_who_was_kept_out(connection, transfer_id)


def _keep_who_was_kept_out(connection: Connection, transfer_id: TransferId) -> None:
    """Counted now: a journal does not outlive its lead's data."""
    counts = kept_out(journal.resolved(connection, transfer_id))
    if counts:
        rows = [{"transfer_id": transfer_id, "term": term, "agents": n} for term, n in counts.items()]
        connection.execute(insert_once(connection.dialect.name, s.kept_out), rows)
