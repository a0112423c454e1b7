"""The API as it runs: a real server on a real socket, the real switchboard and SQLite, a simulated switch."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from callcontrol.adapters.simulated import Behaviour, SimulatedPbx
from callcontrol.adapters.simulated.pbx import Does
from callcontrol.adapters.sql import OwnTables, SqlStore
from callcontrol.api.factory import create_api
from callcontrol.api.gate import Token
from callcontrol.api.metrics import Metrics
from callcontrol.api.service import Service
from callcontrol.app.clock import SystemClock
from callcontrol.app.web import WebServer, listen
from callcontrol.config.schedule import ALWAYS
from callcontrol.core.model import (
    AcceptBy,
    Agent,
    AgentId,
    Bot,
    BotId,
    Contact,
    Directory,
    Endpoint,
    EndpointKind,
    Lead,
    LeadId,
)
from callcontrol.switchboard import Switchboard

REPORT_SECRET = "report-" + "s" * 20
FULL, READ = "full-" + "f" * 30, "read-" + "r" * 30


def agent(name: str) -> Agent:
    return Agent(
        id=AgentId(name),
        name=name.title(),
        active=True,
        available=True,
        zone=ZoneInfo("UTC"),
        schedule=ALWAYS,
        endpoints=(Endpoint(kind=EndpointKind.EXTENSION, address=name, accept_by=AcceptBy.ANSWER),),
        phone="+13035550101",
    )


DIRECTORY = Directory(
    agents=(agent("alice"), agent("bob")),
    bots=(Bot(id=BotId("sami"), name="Sami", owner=Contact(name="Olive", phone="+13035550100")),),
    leads=(Lead(id=LeadId("lena"), name="Lena", phone="+13035550199", assigned_agent_id=AgentId("alice")),),
)


@dataclass
class Office:
    http: httpx.AsyncClient
    pbx: SimulatedPbx
    store: SqlStore
    switchboard: Switchboard
    service: Service
    host: str
    port: int
    outbox_woken: asyncio.Event

    async def asks(self, **more: object) -> httpx.Response:
        """The usual request, with what differs; a fresh call unless one is named."""
        body = {"bot": "sami", "lead_id": "lena", "channel": "", "summary": "Wants to sell."} | more
        if not body["channel"]:
            body["channel"] = self.pbx.call().lead
        body = {key: value for key, value in body.items() if value is not None}
        return await self.http.post("/v1/transfers", json=body)

    async def count(self) -> int:
        return len(await self.store.transfers(500))


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(
    folder: Path,
    *,
    keep_alive_s: float = 15.0,
    reporters: Mapping[str, object] | None = None,
    own: OwnTables | None = None,
) -> AsyncIterator[Office]:
    folder.mkdir(exist_ok=True)
    woken = asyncio.Event()
    store = SqlStore(f"sqlite:///{folder / 'cc.db'}", own=own)
    await store.ensure_schema()
    await store.apply(DIRECTORY)
    clock = SystemClock()
    answers = Behaviour(does=Does.ANSWERS, after_s=0.05)
    pbx = SimulatedPbx(clock=clock, phones={"bob": answers})
    metrics = Metrics()
    switchboard = Switchboard(pbx=pbx, store=store, speech=None, clock=clock, observer=metrics)
    service = Service(
        transfers=switchboard,
        store=store,
        linked=lambda: pbx.linked,
        lines=pbx.line,
        now=clock.now,
        keep_alive_s=keep_alive_s,
        metrics=metrics,
        wake_outbox=woken.set,
        reporters=reporters or {},
        report_secrets=dict.fromkeys(reporters or {}, REPORT_SECRET),
    )
    tokens = [Token.of("bot", FULL), Token.of("board", READ, read_only=True)]
    stop = asyncio.Event()
    with listen("127.0.0.1", 0) as listening:
        host, port = listening.getsockname()[:2]
        web = WebServer(create_api(service, tokens), listening)
        async with asyncio.TaskGroup() as group:
            board = group.create_task(switchboard.run())
            serving = group.create_task(web.run_until(stop))
            headers = {"Authorization": f"Bearer {FULL}"}
            async with httpx.AsyncClient(base_url=f"http://{host}:{port}", headers=headers) as http:
                await eventually(lambda: switchboard.ready)
                yield Office(http, pbx, store, switchboard, service, host, port, woken)
            service.closing.set()
            stop.set()
            await serving
            board.cancel()
    await store.close()


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with running(tmp_path) as found:
        yield found
