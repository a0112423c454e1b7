"""Leads: found by id or phone, completed with what a request brings, never blanked."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, bindparam, insert, update

from callcontrol.adapters.sql import schema as s
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
