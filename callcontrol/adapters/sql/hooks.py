"""What outside systems are told: a row in the outbox for each that wants it, in the transaction of the fact.

Whatever states a fact calls `emit` with its own connection; what is rolled back was never told.
"""

import json
from collections.abc import Mapping

from sqlalchemy import Connection

from callcontrol.adapters.sql import outbox
from callcontrol.adapters.sql.directory import Memory
from callcontrol.core.hooks import Hook
from callcontrol.core.model import Lead
from callcontrol.ports import MessageKind, NewMessage, Subscription


def emit(connection: Connection, memory: Memory, *hooks: Hook) -> None:
    """Safe to repeat: a hook that is there already is left alone."""
    for hook in hooks:
        told = [
            _message(subscription, hook)
            for subscription in memory.subscriptions
            if hook.event in subscription.events
        ]
        outbox.enqueue(connection, told, hook.at)


def _message(subscription: Subscription, hook: Hook) -> NewMessage:
    """What is about one lead arrives in order; other leads don't wait for it."""
    about = hook.lead.id if hook.lead is not None else hook.transfer_id or ""
    return NewMessage(
        kind=MessageKind.WEBHOOK,
        dedupe_key=f"hook:{subscription.endpoint}:{hook.event}:{hook.key}",
        recipient="webhook",
        to=subscription.endpoint,
        gateway=f"webhook:{subscription.endpoint}",
        queue=f"webhook:{subscription.endpoint}:{about}",
        body=_body(hook, pii=subscription.pii),
        transfer_id=hook.transfer_id,
    )


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
