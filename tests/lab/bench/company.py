"""Whom the bench's daemon knows: a lead for each load phone, and one whom three phones ring for."""

from typing import Any

from tests.lab import parties
from tests.lab.site import OWNER

TRIO = ("p001", "p002", "p003")


def directory() -> dict[str, Any]:
    phones = parties.BULK_PHONES
    return {
        "zone": "Europe/Berlin",
        "owner": {"name": "Olivia Owner", "phone": OWNER},
        "agents": [
            {
                "id": name,
                "name": name.title(),
                "phone": f"+49302312{6000 + n}",
                "schedule": "always",
                "endpoints": [{"extension": name}],
            }
            for n, name in enumerate(phones, 1)
        ],
        "pools": [{"id": "trio", "name": "Trio", "agents": list(TRIO)}],
        "rules": [{"name": "three phones", "when": {"intent": ["trio"]}, "pool": "trio"}],
        "bots": [
            {"id": "bench", "name": "Sami", "pattern": "assigned", "fallbacks": []},
            {"id": "trio", "name": "Sami", "pattern": "group", "fallbacks": []},
        ],
        "leads": [
            *(_lead(f"l{n:03d}", n, agent=name) for n, name in enumerate(phones, 1)),
            _lead("trio", 0, fields={"intent": "trio"}),
        ],
    }


def _lead(lead_id: str, n: int, **more: Any) -> dict[str, Any]:
    return {"id": lead_id, "name": f"Lena {lead_id}", "phone": f"+49302312{7000 + n}"} | more
