"""A daemon that does nothing but send what is in the outbox; the test kills it at the step it names.

`python -m tests.courier DATABASE_URL PROVIDER_URL keyed|unkeyed|resends|gently STEP`. At its step it says so, and
stands still; gently: as a backlog goes while a transfer is under way. Steps: claimed, sending (the request is out, no answer yet), sent (taken, not yet marked), none.
"""

import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from callcontrol.adapters.sms.http import HttpGateway, Template
from callcontrol.adapters.sql import SqlStore
from callcontrol.adapters.web import Web
from callcontrol.app.clock import SystemClock
from callcontrol.outbox import Lane, Limits, Outbox, Pace, Route, Routes
from callcontrol.ports import Claim, Message

LEASE_S = 1.0


async def _stand_still(step: str) -> None:
    sys.stdout.write(f"{step}\n")
    sys.stdout.flush()
    await asyncio.sleep(3600)


class Store(SqlStore):
    """The real one, that stands still between two steps."""

    step = "none"

    async def claim_messages(self, *given: Any, **more: Any) -> Claim:
        claim = await super().claim_messages(*given, **more)
        if claim.messages and self.step == "claimed":
            await _stand_still("claimed")
        return claim

    async def message_sent(self, message: Message, now: datetime, provider_id: str) -> None:
        if self.step == "sent":
            await _stand_still("sent")
        await super().message_sent(message, now, provider_id)


async def main(database: str, provider: str, kind: str, step: str) -> None:
    store = Store(database)
    store.step = step
    template = Template(
        url=provider, headers={"Idempotency-Key": "{key}"}, json={"text": "{body}"}, keyed=kind == "keyed"
    )
    gateway = HttpGateway("web", template, Web())
    gently = kind == "gently"
    limits = Limits(resends=kind == "resends", at_once=8 if gently else 1, backlog_per_s=100.0)
    lane = Lane("web", gateway, limits)
    outbox = Outbox(
        store=store,
        lanes=[lane],
        routes=Routes(routes=[Route(gateways=("web",))]),
        clock=SystemClock(),
        deciding=lambda: gently,
        pace=Pace(lease_s=LEASE_S, poll_s=0.1, late_after_s=0.0),
    )
    sys.stdout.write("runs\n")
    sys.stdout.flush()
    await outbox.run()


def argv(*arguments: str) -> Sequence[str]:
    return (sys.executable, "-m", "tests.courier", *arguments)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
