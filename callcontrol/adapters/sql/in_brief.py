"""Transfers whose phones were told to ring a moment ago, each kept in one short row.

On SQLite the event loop opens a transfer while a phone waits, and every page that changes takes ten
microseconds: the transfer and its journal, with their indexes, come to nine. So what they are to hold is kept as it
is in one row of a table that is all but empty, and written out with the transfer's next turn, or when anybody asks.
What a process left that died in between, the next one writes out before it takes anything up.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy import Connection, bindparam, delete, insert, select

from callcontrol.adapters.sql import journal
from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.driven import Driven
from callcontrol.adapters.sql.statements import insert_once
from callcontrol.core.model import TransferId

log = structlog.get_logger(__name__)

OPENED = (
    *("id", "key", "fingerprint", "lead_id", "bot_id"),
    *("lead_channel", "bot_channel", "pbx_started", "summary", "requested_at"),
    *("pattern", "ring_timeout_s"),
)
_PUT = Driven(lambda _: insert(s.transfer_in_brief), ["transfer_id", "contents"])
_CONTENTS = select(s.transfer_in_brief.c.contents)
_ALL = Driven(lambda _: _CONTENTS)
_ONE = Driven(lambda _: _CONTENTS.where(s.transfer_in_brief.c.transfer_id == bindparam("transfer")))
_DELETE = Driven(
    lambda _: delete(s.transfer_in_brief).where(s.transfer_in_brief.c.transfer_id == bindparam("transfer"))
)
_WRITE_OUT = Driven(lambda dialect: insert_once(dialect, s.transfer), OPENED)


class InBrief:
    """This process's transfers that may still be in brief. One that is not does no harm: there is nothing of it
    to write out.
    """

    def __init__(self) -> None:
        self._transfers: dict[TransferId, tuple[str, str]] = {}

    def __contains__(self, transfer_id: object) -> bool:
        return transfer_id in self._transfers

    def __iter__(self) -> Iterator[TransferId]:
        return iter(tuple(self._transfers))

    def __bool__(self) -> bool:
        return bool(self._transfers)

    def has(self, *, key: str, channel: str) -> bool:
        """Whether one of them has the key, or is about the channel."""
        return any(key == its or channel == on for its, on in self._transfers.values())

    def note(self, transfer_id: TransferId, *, key: str, channel: str) -> None:
        self._transfers[transfer_id] = (key, channel)

    def forget(self, transfers: Collection[TransferId]) -> None:
        """They have been written out, and that is committed."""
        for transfer_id in transfers:
            self._transfers.pop(transfer_id, None)


def put(connection: Connection, transfer: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> None:
    contents = json.dumps([transfer, entries])
    _PUT.count(connection, {"transfer_id": transfer["id"], "contents": contents})


def any_left(connection: Connection) -> bool:
    return bool(_ALL.rows(connection, {}))


def write_out(connection: Connection, transfers: Collection[TransferId] | None = None) -> None:
    """Those of them that are still in brief; without `transfers` all there are, whoever kept them."""
    if transfers is None:
        found = _ALL.rows(connection, {})
    else:
        found = [row for one in transfers for row in _ONE.rows(connection, {"transfer": one})]
    for (contents,) in found:
        transfer, entries = json.loads(contents)
        if _WRITE_OUT.count(connection, transfer):
            journal.put(connection, entries)
        else:
            log.error(
                "a transfer is lost: another process opened one for its key or channel",
                transfer=transfer["id"],
            )
        _DELETE.count(connection, {"transfer": transfer["id"]})
