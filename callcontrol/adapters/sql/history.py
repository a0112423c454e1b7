"""How a bot's transfers ended, and how soon."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from callcontrol.adapters.sql import schema as s
from callcontrol.core.model import BotId, MissedBecause

_NOBODYS_FAULT = (MissedBecause.LEAD_HUNG_UP, MissedBecause.CANCELLED)

_HISTORY = (
    select(s.transfer.c.requested_at, s.transfer.c.outcome, s.leg.c.joined_at)
    .select_from(s.transfer.outerjoin(s.leg, s.leg.c.id == s.transfer.c.outcome_leg_id))
    .where(
        s.transfer.c.bot_id == bindparam("bot"),
        s.transfer.c.requested_at >= bindparam("since"),
        s.transfer.c.outcome.is_not(None),
        s.transfer.c.outcome_reason.not_in([reason.value for reason in _NOBODYS_FAULT]),
    )
)


def history(connection: Connection, bot_id: BotId, since: datetime) -> tuple[float | None, ...]:
    return tuple(
        (row.joined_at - row.requested_at).total_seconds()
        if row.outcome == "connected" and row.joined_at is not None
        else None
        for row in connection.execute(_HISTORY, {"bot": bot_id, "since": since})
    )
