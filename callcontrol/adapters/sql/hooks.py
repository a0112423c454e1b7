"""What outside systems are told: a row in the outbox for each that wants it, in the transaction of the fact.

Whatever states a fact calls `emit` with its own connection; what is rolled back was never told.
"""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.directory import Memory
from callcontrol.adapters.sql.statements import insert_once
from callcontrol.core.hooks import Hook
from callcontrol.core.model import Lead
from callcontrol.ports import Subscription


def emit(connection: Connection, memory: Memory, *hooks: Hook) -> None:
    """Safe to repeat: a hook that is there already is left alone."""
    rows = [
        _row(subscription, hook)
        for hook in hooks
        for subscription in memory.subscriptions
        if hook.event in subscription.events
    ]
    if rows:
        connection.execute(insert_once(connection.dialect.name, s.outbox), rows)


def _row(subscription: Subscription, hook: Hook) -> dict[str, Any]:
    return {
        "dedupe_key": f"hook:{subscription.endpoint}:{hook.event}:{hook.key}",
        "transfer_id": hook.transfer_id,
        "recipient": "webhook",
        "to": subscription.endpoint,
        "body": _body(hook, pii=subscription.pii),
        "state": "queued",
        "attempts": 0,
        "next_at": hook.at,
        "last_error": "",
        "created_at": hook.at,
    }


def _body(hook: Hook, *, pii: bool) -> str:
    lead = {} if hook.lead is None else {"lead": _lead(hook.lead, pii=pii)}
    told = {"type": hook.event, "timestamp": hook.at.isoformat(), "data": {**hook.data, **lead}}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def _lead(lead: Lead, *, pii: bool) -> Mapping[str, str]:
    if not pii:
        return {"id": lead.id}
    return {
        "id": lead.id,
        "name": lead.name,
        "phone": lead.phone,
        "email": lead.email,
        "source": lead.source,
    }
