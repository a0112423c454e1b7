"""A small office on the simulated switch: the real switchboard and a real SQLite, an hour in a moment."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

from callcontrol.adapters.simulated import Behaviour, SimulatedPbx, VirtualClock
from callcontrol.adapters.simulated.pbx import Does
from callcontrol.adapters.sql import OwnTables, SqlStore
from callcontrol.core.model import (
    AcceptBy,
    Agent,
    AgentId,
    Bot,
    BotId,
    Call,
    Contact,
    Directory,
    Endpoint,
    EndpointKind,
    Fallback,
    Lead,
    LeadId,
    LegRecord,
    TransferId,
    Window,
)
from callcontrol.narration import Told
from callcontrol.ports import PortError, Request, Speech, TransferRow
from callcontrol.switchboard import Switchboard

ALWAYS = tuple(Window(weekday=day, start_min=0, end_min=1440) for day in range(7))
ANSWERS = Behaviour(does=Does.ANSWERS, after_s=1.0)
MOBILE, FRONT_DESK = "+15550150", "+15550151"


def agent(name: str, number: int, *, available: bool = True) -> Agent:
    return Agent(
        id=AgentId(name),
        name=name.title(),
        active=True,
        available=available,
        zone=UTC,
        schedule=ALWAYS,
        endpoints=(Endpoint(kind=EndpointKind.EXTENSION, address=name, accept_by=AcceptBy.ANSWER),),
        phone=f"+1555011{number}",
    )


def fallback(number: str) -> Fallback:
    endpoint = Endpoint(kind=EndpointKind.NUMBER, address=number, accept_by=AcceptBy.KEY)
    return Fallback(label=number, endpoint=endpoint)


def directory(**bot: object) -> Directory:
    facts: dict = {
        "id": BotId("sami"),
        "name": "Sami",
        "fallbacks": (fallback(MOBILE), fallback(FRONT_DESK)),
        "owner": Contact(name="Olive", phone="+15550199"),
    }
    lead = Lead(
        id=LeadId("lea"),
        name="Lea Lead",
        phone="+15550100",
        email="lea@example.com",
        source="Web",
        assigned_agent_id=AgentId("alice"),
    )
    agents = (agent("alice", 1), agent("bob", 2), agent("carol", 3))
    return Directory(agents=agents, bots=(Bot(**(facts | bot)),), leads=(lead,))


@dataclass
class SilentSpeech(Speech):
    """Renders nothing, but says where it would be."""

    fails: bool = False
    rendered: list[str] = field(default_factory=list)

    async def render(self, text: str) -> Path:
        if self.fails:
            raise PortError("no voice", retryable=True)
        self.rendered.append(text)
        return Path(f"/sounds/{len(self.rendered)}.wav")

    async def erase(self, text: str) -> None:
        self.rendered = [one for one in self.rendered if one != text]


class Office:
    def __init__(
        self, store: SqlStore, clock: VirtualClock, pbx: SimulatedPbx, speech: Speech | None
    ) -> None:
        self.store, self.clock, self.pbx, self.speech = store, clock, pbx, speech
        self.outcomes = self.phases = 0
        self.open_switchboard()

    def open_switchboard(self) -> None:
        """A daemon starts."""
        self.switchboard = Switchboard(
            pbx=self.pbx,
            store=self.store,
            speech=self.speech,
            clock=self.clock,
            on_outcome=self._outcome,
            on_phase=self._phase,
        )
        self.running = asyncio.create_task(self.switchboard.run())

    def _outcome(self) -> None:
        self.outcomes += 1

    def _phase(self) -> None:
        self.phases += 1

    async def until_ready(self) -> None:
        while not self.switchboard.ready:
            await asyncio.sleep(0.001)

    async def until_live(self) -> None:
        """Until somebody conducts a transfer; the database is asked in a thread."""
        async with asyncio.timeout(5):
            while not self.switchboard.live:
                await asyncio.sleep(0.001)

    async def until_closed(self) -> TransferRow:
        """Until the only transfer that there is is over."""
        async with asyncio.timeout(5):
            while True:
                (row,) = await self.store.transfers(2)
                if row.closed and not self.switchboard.live:
                    return row
                await asyncio.sleep(0.001)

    async def dies(self) -> None:
        """The daemon is gone: no event reaches anyone."""
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)
        self.pbx._report = None

    async def passes(self, seconds: float) -> None:
        await self.clock.advance(seconds, busy=lambda: self.switchboard.busy)

    async def asks(
        self,
        call: Call | None = None,
        *,
        key: str = "",
        bot: str = "sami",
        lead: str = "lea",
        hold: str | None = None,
    ) -> tuple[Call, TransferId]:
        call = call or self.pbx.call()
        row = await self.switchboard.request(
            Request(
                bot_id=BotId(bot),
                lead=LeadId(lead),
                channel=call.lead,
                summary="Lea wants to sell a house.",
                key=key or str(uuid.uuid4()),
                hold_id=hold or "",
            )
        )
        return call, row.id

    async def row(self, transfer_id: TransferId) -> TransferRow:
        return await self.store.transfer(transfer_id)

    async def legs(self, transfer_id: TransferId) -> dict[str, LegRecord]:
        return {record.leg.endpoint.address: record for record in await self.store.legs(transfer_id)}

    async def told(self, transfer_id: TransferId, after: int = 0) -> list[Told]:
        return [told async for told in self.switchboard.phases(transfer_id, after)]

    def verbs(self, *verbs: str) -> list[str]:
        return [f"{order.verb} {order.detail}".strip() for order in self.pbx.orders if order.verb in verbs]


@asynccontextmanager
async def office(
    tmp_path: Path,
    *,
    speech: Speech | None = None,
    people: Directory | None = None,
    store_class: Callable[..., SqlStore] = SqlStore,
    own: OwnTables | None = None,
    **phones: Behaviour,
) -> AsyncIterator[Office]:
    store = store_class(f"sqlite:///{tmp_path / 'office.db'}", own=own)
    await store.ensure_schema()
    await store.apply(people or directory())
    clock = VirtualClock()
    rented = Office(store, clock, SimulatedPbx(clock=clock, phones=phones), speech)
    try:
        await rented.until_ready()
        yield rented
    finally:
        await rented.dies()
        await store.close()
