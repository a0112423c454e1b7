"""How much waits to be sent, from the partial indexes of what is unsent."""

from sqlalchemy import Connection, bindparam, func, literal_column, select

from callcontrol.adapters.sql import schema as s
from callcontrol.ports import Backlog

_o = s.outbox.c
# Written into the statements, so that each database sees that the partial indexes fit.
_WAITS = _o.state.in_(bindparam("unsent", ("queued", "claimed"), expanding=True, literal_execute=True))
_UNSENT = (
    select(_o.state, func.count().label("n"), func.min(_o.created_at).label("oldest"))
    .where(_WAITS)
    .group_by(_o.state)
)
_PARKED = select(func.count()).where(_o.state == literal_column("'parked'"))


def backlog(connection: Connection) -> Backlog:
    found = connection.execute(_UNSENT).all()
    waiting = {row.state: row.n for row in found}
    return Backlog(
        queued=waiting.get("queued", 0),
        claimed=waiting.get("claimed", 0),
        parked=connection.scalar(_PARKED) or 0,
        oldest_at=min((row.oldest for row in found), default=None),
    )
