"""A transfer is opened: one look, the first decision, and all of it kept in one transaction."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, Text, bindparam, func, insert, select

from callcontrol.adapters.sql import claims, hooks, in_brief, journal, leads, outcomes, standings
from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.directory import STATE, Memory, State
from callcontrol.adapters.sql.driven import Driven
from callcontrol.adapters.sql.engine import is_here
from callcontrol.adapters.sql.facts import Facts
from callcontrol.adapters.sql.in_brief import OPENED, InBrief
from callcontrol.adapters.sql.instants import stored
from callcontrol.adapters.sql.own_tables import NOTHING, Site
from callcontrol.adapters.sql.transfers import assigned_of, bot_of, fingerprint, of_key
from callcontrol.core.escalation import TaskRules
from callcontrol.core.hooks import requested
from callcontrol.core.model import Call, Lead, TransferId
from callcontrol.ports import ChannelBusyError, First, NewLead, Request, TransferRow, Transition, UnknownError


class _Seen(NamedTuple):
    """What opening a transfer must know first, in one look."""

    version: int
    toggle_seq: int
    of_key: str | None
    busy_with: str | None
    assigned_available: bool | None
    lead_id: str | None
    lead_name: str
    lead_phone: str
    lead_email: str
    lead_source: str
    lead_assigned_agent_id: str | None
    lead_fields: Any


_WIDTH = len(_Seen._fields)
_INSERT = Driven(lambda _: insert(s.transfer), OPENED)


def _opening(lead: Any) -> Select[Any]:
    """Always one row: what is `_Seen`, then the standing of the lead's assigned agent."""
    of_key = select(s.transfer.c.id).where(s.transfer.c.key == bindparam("key"))
    live = select(s.transfer.c.id).where(
        s.transfer.c.lead_channel == bindparam("channel"), s.transfer.c.closed_at.is_(None)
    )
    columns = {
        **{column.name: column for column in (*STATE, *leads.LEAD_COLUMNS)},
        "of_key": of_key.scalar_subquery(),
        "busy_with": live.scalar_subquery(),
        "assigned_available": s.agent.c.available,
    }
    seen = (columns[name].label(name) for name in _Seen._fields)
    return select(*seen, *standings.COLUMNS).select_from(
        s.directory.outerjoin(s.lead, s.lead.c.id == lead)
        .outerjoin(
            s.agent,
            s.agent.c.id == func.coalesce(bindparam("given_agent"), s.lead.c.assigned_agent_id),
        )
        .outerjoin(s.agent_standing, s.agent_standing.c.agent_id == s.agent.c.id)
    )


_OPENING_BY_ID = Driven(lambda _: _opening(bindparam("lead", type_=Text)))
_OPENING_BY_PHONE = Driven(
    lambda _: _opening(
        select(func.min(s.lead.c.id)).where(s.lead.c.phone == bindparam("lead")).scalar_subquery()
    )
)


def open_transfer(
    connection: Connection,
    memory: Memory,
    *,
    transfer_id: TransferId,
    request: Request,
    call: Call,
    now: datetime,
    first: First,
    brief: InBrief,
    site: Site = NOTHING,
    rules: TaskRules,
) -> TransferRow:
    if brief.has(key=request.key, channel=call.lead):
        in_brief.write_out(connection, list(brief))
    if site.lead is not None:
        leads.put(connection, site.lead)
    seen, assigned = _look(connection, request, call)
    roster = memory.roster(connection, State(seen.version, seen.toggle_seq))
    known = roster.known
    if seen.of_key is not None:
        return of_key(connection, memory, request)
    if seen.busy_with is not None:
        raise ChannelBusyError(TransferId(seen.busy_with))
    bot = bot_of(known, request.bot_id)
    lead = _settle(connection, seen, request)
    row = TransferRow(
        id=transfer_id,
        key=request.key,
        bot=bot,
        lead=lead,
        assigned=assigned_of(known, lead, available=seen.assigned_available),
        call=call,
        summary=request.summary,
        requested_at=now,
    )
    if request.hold_id:
        claims.pass_on(connection, request.hold_id, transfer_id, now)
    stands = None if request.hold_id else assigned
    facts = Facts(connection, site.toggles(roster), bot, lead, now, assigned=stands)
    written = first(row, facts)
    columns = _columns(connection, row, request)
    if _may_be_brief(connection, memory, written):
        in_brief.put(connection, columns, journal.rows_of(connection, transfer_id, written.entries))
        brief.note(transfer_id, key=request.key, channel=call.lead)
    else:
        _INSERT.count(connection, columns)
        if memory.subscriptions:
            hooks.emit(connection, memory, requested(transfer_id, bot, lead, now))
        outcomes.begin(connection, memory, written, rules)
    for step in {record.step for record in written.legs}:
        legs = [record.leg for record in written.legs if record.step is step]
        claims.claim_all(connection, claims.claims_of(row.id, bot, legs, facts.pool_of(step), now))
    return row


def _may_be_brief(connection: Connection, memory: Memory, written: Transition) -> bool:
    """A phone waits, and nothing else refers to the transfer yet."""
    return is_here(connection) and bool(written.legs) and not memory.subscriptions


def _columns(connection: Connection, row: TransferRow, request: Request) -> dict[str, Any]:
    return {
        "id": row.id,
        "key": row.key,
        "fingerprint": fingerprint(request),
        "lead_id": row.lead.id,
        "bot_id": row.bot.id,
        "lead_channel": row.call.lead,
        "bot_channel": row.call.bot,
        "pbx_started": row.call.pbx_started,
        "summary": row.summary,
        "requested_at": stored(connection.dialect, row.requested_at),
        "pattern": row.bot.pattern,
        "ring_timeout_s": row.bot.ring_timeout_s,
    }


def _look(connection: Connection, request: Request, call: Call) -> tuple[_Seen, Sequence[Any]]:
    given = request.lead if isinstance(request.lead, NewLead) else None
    by_phone = given is not None and given.phone != ""
    if given is not None and by_phone and connection.dialect.name == "postgresql":
        # Two at once must not both find that the phone is new.
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(given.phone))))
    look = _OPENING_BY_PHONE if by_phone else _OPENING_BY_ID
    (row,) = look.rows(
        connection,
        {
            "key": request.key,
            "channel": call.lead,
            "lead": request.lead if given is None else given.phone or None,
            "given_agent": None if given is None else given.assigned_agent_id,
        },
    )
    fields = row[_WIDTH - 1]
    if isinstance(fields, str):
        fields = {} if fields == "{}" else json.loads(fields)
    return _Seen._make((*row[: _WIDTH - 1], fields)), row[_WIDTH:]


def _settle(connection: Connection, seen: Any, request: Request) -> Lead:
    stored = None if seen.lead_id is None else leads.lead_of(seen)
    if isinstance(request.lead, NewLead):
        return leads.keep(connection, stored, request.lead)
    if stored is None:
        raise UnknownError("lead", request.lead)
    return stored
