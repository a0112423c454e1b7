"""Leads: found by id or phone, completed with what a request brings, never blanked."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, bindparam, func, insert, select, update

from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.statements import upsert
from callcontrol.core.model import AgentId, Lead, LeadId
from callcontrol.ports import NewLead


def lead_of(row: Any) -> Lead:
    """The lead in a row which has its columns as `lead_...`."""
    assigned = row.lead_assigned_agent_id
    return Lead(
        id=LeadId(row.lead_id),
        name=row.lead_name,
        phone=row.lead_phone,
        email=row.lead_email,
        source=row.lead_source,
        assigned_agent_id=None if assigned is None else AgentId(assigned),
        fields=row.lead_fields,
    )


LEAD_COLUMNS = tuple(column.label(f"lead_{column.name}") for column in s.lead.columns)


_ALL = select(*LEAD_COLUMNS).order_by(s.lead.c.id)
_BY_ID = select(*LEAD_COLUMNS).where(s.lead.c.id == bindparam("sought"))
_BY_PHONE = select(*LEAD_COLUMNS).where(
    s.lead.c.id
    == select(func.min(s.lead.c.id)).where(s.lead.c.phone == bindparam("sought")).scalar_subquery()
)


def all_leads(connection: Connection) -> tuple[Lead, ...]:
    return tuple(map(lead_of, connection.execute(_ALL)))


def by_id(connection: Connection, lead_id: LeadId) -> Lead | None:
    row = connection.execute(_BY_ID, {"sought": lead_id}).one_or_none()
    return None if row is None else lead_of(row)


def as_kept(connection: Connection, given: NewLead) -> Lead:
    """The lead that `keep` would store, without storing it; a new one has no id yet."""
    row = connection.execute(_BY_PHONE, {"sought": given.phone}).one_or_none() if given.phone else None
    known = Lead(id=LeadId(""), name="", phone=given.phone) if row is None else lead_of(row)
    return _complete(known, given)


def put(connection: Connection, lead: Lead) -> None:
    connection.execute(upsert(connection.dialect.name, s.lead), values(lead))


def values(lead: Lead) -> dict[str, Any]:
    return {
        "id": lead.id,
        "name": lead.name,
        "phone": lead.phone,
        "email": lead.email,
        "source": lead.source,
        "assigned_agent_id": lead.assigned_agent_id,
        "fields": dict(lead.fields),
    }


def keep(connection: Connection, known: Lead | None, given: NewLead) -> Lead:
    """Store a lead given inline. A known one gains what it lacked, and the assigned agent if given."""
    if known is None:
        lead = _complete(Lead(id=LeadId(str(uuid4())), name="", phone=given.phone), given)
        connection.execute(insert(s.lead), values(lead))
        return lead
    lead = _complete(known, given)
    before, after = values(known), values(lead)
    changed = {name: after[name] for name in after if after[name] != before[name]}
    if changed:
        connection.execute(update(s.lead).where(s.lead.c.id == bindparam("of")), {"of": lead.id, **changed})
    return lead


def _complete(lead: Lead, given: NewLead) -> Lead:
    stored = {name: value for name, value in lead.fields.items() if value}
    return replace(
        lead,
        name=lead.name or given.name,
        email=lead.email or given.email,
        source=lead.source or given.source,
        assigned_agent_id=given.assigned_agent_id or lead.assigned_agent_id,
        fields={**lead.fields, **given.fields, **stored},
    )
