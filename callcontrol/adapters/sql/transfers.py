"""Transfers: asked for, opened, looked up."""

import hashlib
import json
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, select

from callcontrol.adapters.sql import journal, leads
from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.directory import Memory, with_toggle
from callcontrol.adapters.sql.facts import Facts
from callcontrol.adapters.sql.own_tables import NOTHING, Site
from callcontrol.adapters.sql.roster import Known
from callcontrol.core.model import (
    AcceptBy,
    Agent,
    AgentId,
    Bot,
    BotId,
    Call,
    ChannelId,
    Connected,
    ConnectedBy,
    Endpoint,
    EndpointKind,
    Lead,
    LeadId,
    Leg,
    Missed,
    MissedBecause,
    Outcome,
    TransferId,
)
from callcontrol.ports import (
    Entry,
    FactsOf,
    KeyReusedError,
    NewLead,
    Request,
    StoreError,
    TransferRow,
    UnknownError,
)

T = TypeVar("T")

_OUTCOME_LEG = (
    s.leg.c.id,
    s.leg.c.agent_id,
    s.leg.c.label,
    s.leg.c.kind,
    s.leg.c.address,
    s.leg.c.accept_by,
)
_COLUMNS = (
    *(column.label(f"transfer_{column.name}") for column in s.transfer.columns),
    *leads.LEAD_COLUMNS,
    *(column.label(f"leg_{column.name}") for column in _OUTCOME_LEG),
    s.agent.c.available.label("assigned_available"),
)
_VERSION = s.directory.c.version.label("version")


def _joined(start: Any) -> Any:
    return (
        start.outerjoin(s.lead, s.lead.c.id == s.transfer.c.lead_id)
        .outerjoin(s.leg, s.leg.c.id == s.transfer.c.outcome_leg_id)
        .outerjoin(s.agent, s.agent.c.id == s.lead.c.assigned_agent_id)
    )


# Always one row: the directory's version, beside the transfer if there is one.
_BY_ID = select(_VERSION, *_COLUMNS).select_from(
    _joined(s.directory.outerjoin(s.transfer, s.transfer.c.id == bindparam("sought")))
)
_PREPARE = select(
    _VERSION,
    *_COLUMNS,
    select(s.lead.c.id).where(s.lead.c.id == bindparam("wanted_lead")).scalar_subquery().label("found_lead"),
).select_from(_joined(s.directory.outerjoin(s.transfer, s.transfer.c.key == bindparam("sought"))))

_ALL = select(*_COLUMNS).select_from(_joined(s.transfer))
_NEWEST = _ALL.order_by(s.transfer.c.requested_at.desc(), s.transfer.c.id).limit(bindparam("at_most"))
_UNCLOSED = _ALL.where(s.transfer.c.closed_at.is_(None)).order_by(s.transfer.c.requested_at)


def prepare(
    connection: Connection, memory: Memory, request: Request, site: Site = NOTHING
) -> TransferRow | Bot:
    wanted = None if isinstance(request.lead, NewLead) else request.lead
    found = connection.execute(_PREPARE, {"sought": request.key, "wanted_lead": wanted}).one()
    known = memory.current(connection, found.version)
    if found.transfer_id is not None:
        return _same(found, known, request)
    if found.found_lead != wanted and site.lead is None:
        raise UnknownError("lead", str(wanted))
    return bot_of(known, request.bot_id)


def of_key(connection: Connection, memory: Memory, request: Request) -> TransferRow:
    found = connection.execute(_PREPARE, {"sought": request.key, "wanted_lead": None}).one()
    return _same(found, memory.current(connection, found.version), request)


def _same(found: Any, known: Known, request: Request) -> TransferRow:
    if found.transfer_fingerprint != fingerprint(request):
        raise KeyReusedError
    return _row(found, known)


def consult(
    connection: Connection,
    memory: Memory,
    bot_id: BotId,
    lead: LeadId | NewLead,
    look: Callable[[Bot, Lead, FactsOf], T],
    *,
    now: datetime,
    site: Site = NOTHING,
    in_full: bool = False,
) -> T:
    roster = memory.roster(connection)
    bot = bot_of(roster.known, bot_id)
    if isinstance(lead, NewLead):
        found: Lead | None = leads.as_kept(connection, lead)
    else:
        found = site.lead or leads.by_id(connection, lead)
    if found is None:
        raise UnknownError("lead", str(lead))
    return look(bot, found, Facts(connection, site.toggles(roster), bot, found, now, in_full=in_full))


def fingerprint(request: Request) -> str:
    """What must be the same when a key comes again: bot, lead and channel.

    A lead given inline is the same where its phone is, or without one its name and email.
    """
    lead = request.lead
    who = ["new", lead.phone or [lead.name, lead.email]] if isinstance(lead, NewLead) else ["id", lead]
    same = json.dumps([request.bot_id, who, request.channel])
    return hashlib.sha256(same.encode()).hexdigest()


def transfer(connection: Connection, memory: Memory, transfer_id: TransferId) -> TransferRow:
    found = connection.execute(_BY_ID, {"sought": transfer_id}).one()
    if found.transfer_id is None:
        raise UnknownError("transfer", transfer_id)
    return _row(found, memory.current(connection, found.version))


def newest(connection: Connection, memory: Memory, limit: int) -> tuple[TransferRow, ...]:
    rows = connection.execute(_NEWEST, {"at_most": limit}).all()
    return _rows(rows, memory.current(connection))


def unclosed(connection: Connection, memory: Memory) -> tuple[tuple[TransferRow, tuple[Entry, ...]], ...]:
    rows = _rows(connection.execute(_UNCLOSED).all(), memory.current(connection))
    entries = journal.of_unclosed(connection)
    return tuple((row, entries[row.id]) for row in rows)


def _rows(rows: Iterable[Any], known: Known) -> tuple[TransferRow, ...]:
    return tuple(_row(row, known) for row in rows)


def _row(row: Any, known: Known) -> TransferRow:
    lead = leads.lead_of(row)
    bot_id = BotId(row.transfer_bot_id)
    return TransferRow(
        id=TransferId(row.transfer_id),
        key=row.transfer_key,
        bot=known.bots.get(bot_id) or known.removed_bots[bot_id],
        lead=lead,
        assigned=assigned_of(known, lead, available=row.assigned_available),
        call=Call(
            lead=ChannelId(row.transfer_lead_channel),
            bot=None if row.transfer_bot_channel is None else ChannelId(row.transfer_bot_channel),
            pbx_started=row.transfer_pbx_started,
        ),
        summary=row.transfer_summary,
        requested_at=row.transfer_requested_at,
        outcome=_outcome(row),
        finished_at=row.transfer_finished_at,
        closed=row.transfer_closed_at is not None,
    )


def bot_of(known: Known, bot_id: BotId) -> Bot:
    bot = known.bots.get(bot_id)
    if bot is None:
        raise UnknownError("bot", bot_id)
    return bot


def assigned_of(known: Known, lead: Lead, *, available: bool | None) -> Agent | None:
    """None also for an agent who is in the directory no more: nothing is sent to those."""
    agent = known.agents.get(lead.assigned_agent_id) if lead.assigned_agent_id is not None else None
    return None if agent is None else with_toggle(agent, available=bool(available))


def _outcome(row: Any) -> Outcome | None:
    match row.transfer_outcome:
        case None:
            return None
        case "connected":
            return Connected(by=ConnectedBy(row.transfer_outcome_reason), leg=_leg(row))
        case "missed":
            return Missed(
                because=MissedBecause(row.transfer_outcome_reason), follow_up=row.transfer_outcome_follow_up
            )
        case other:
            raise StoreError(f"a transfer has the unknown outcome {other!r}", retryable=False)


def _leg(row: Any) -> Leg:
    return Leg(
        id=ChannelId(row.leg_id),
        agent_id=None if row.leg_agent_id is None else AgentId(row.leg_agent_id),
        label=row.leg_label,
        endpoint=Endpoint(
            kind=EndpointKind(row.leg_kind),
            address=row.leg_address,
            accept_by=AcceptBy(row.leg_accept_by),
        ),
    )
