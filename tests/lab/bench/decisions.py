"""The decision part alone: the real switchboard, SQLite and clock on the simulated switch.

A decision is from the event's report to the order that follows it: journalled in between, with the
database's fsync, and for a new attempt with its look at the database.
"""

import asyncio
import random
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

from callcontrol.adapters.simulated import Behaviour, SimulatedPbx
from callcontrol.adapters.simulated.pbx import Does
from callcontrol.adapters.sql import SqlStore
from callcontrol.app import heap
from callcontrol.app.clock import SystemClock
from callcontrol.core import events as e
from callcontrol.core.model import (
    AcceptBy,
    Agent,
    AgentId,
    Bot,
    BotId,
    ChannelId,
    Compare,
    Connected,
    Contact,
    Directory,
    Endpoint,
    EndpointKind,
    Lead,
    LeadId,
    Operator,
    OutcomeActions,
    Pool,
    PoolId,
    Rule,
    TransferId,
    Window,
)
from callcontrol.ports import Report, Request, RingOrder
from callcontrol.switchboard import Switchboard

START_OVER_S = 5.0
FIRST_EVENT_S = 6.0  # after its own start
GROUP_SIZE = 3
READY_S = 20.0
ALWAYS = tuple(Window(weekday=day, start_min=0, end_min=1440) for day in range(7))

ACTIONS = OutcomeActions()

Taken = defaultdict[str, list[float]]


@dataclass(slots=True)
class ObservedPbx(SimulatedPbx):
    """Notes how long after its event each order comes."""

    taken: Taken = field(default_factory=lambda: defaultdict(list))
    reported: dict[tuple[str, ChannelId], float] = field(default_factory=dict)
    leads: dict[ChannelId, ChannelId] = field(default_factory=dict)  # a leg -> its lead

    def note(self, what: str, channel: ChannelId) -> None:
        """An event is reported."""
        self.reported[what, channel] = time.perf_counter()

    def _order(self, decision: str, what: str, channel: ChannelId) -> None:
        if (since := self.reported.get((what, channel))) is not None:
            self.taken[decision].append(time.perf_counter() - since)

    def _tell(self, report: Report, *, even_down: bool = False) -> None:
        match report:
            case e.LegAnswered(channel=channel):
                self.note("accepted", channel)
            case e.LegEnded(channel=channel) if channel in self.leads:
                self.note("refused", self.leads[channel])
            case e.Joined(channel=channel):
                self.note("joined", self.leads[channel])
            case _:
                pass
        SimulatedPbx._tell(self, report, even_down=even_down)

    async def ring(self, order: RingOrder) -> None:
        self.leads[order.leg.id] = order.lead
        if ("refused", order.lead) in self.reported:
            self._order("refused: the group rings", "refused", order.lead)
        await SimulatedPbx.ring(self, order)

    async def join(self, lead: ChannelId, channel: ChannelId) -> None:
        self._order("accepted: join", "accepted", channel)
        await SimulatedPbx.join(self, lead, channel)

    async def hang_up(self, channel: ChannelId, why: e.Why, *, answered: bool) -> None:
        self._order("joined: the others stop", "joined", self.leads[channel])
        await SimulatedPbx.hang_up(self, channel, why, answered=answered)

    async def release_bot(self, channel: ChannelId) -> None:
        self._order("handed off: the bot leaves", "handed off", channel)
        await SimulatedPbx.release_bot(self, channel)


def _agent(name: str) -> Agent:
    return Agent(
        id=AgentId(name),
        name=name,
        active=True,
        available=True,
        zone=UTC,
        schedule=ALWAYS,
        endpoints=(Endpoint(kind=EndpointKind.EXTENSION, address=name, accept_by=AcceptBy.ANSWER),),
        phone="+15550111",
    )


def _group(n: int) -> list[str]:
    """Whom lead n's group has: an agent rings for one transfer at a time, so no two share one."""
    return [f"group{n}-{mate}" for mate in range(GROUP_SIZE)]


def _directory(count: int, actions: OutcomeActions) -> Directory:
    """Each lead has an agent; where that one will refuse, also a rule, a pool and a group of its own."""
    refused = range(0, count, 2)
    mates = [name for n in refused for name in _group(n)]
    return Directory(
        agents=tuple(_agent(name) for name in (*(f"agent{n}" for n in range(count)), *mates)),
        pools=tuple(
            Pool(id=PoolId(f"pool{n}"), name=f"Pool {n}", agent_ids=tuple(map(AgentId, _group(n))))
            for n in refused
        ),
        rules=tuple(
            Rule(
                name=f"group {n}",
                when=Compare(fact="group", operator=Operator.IS, values=(str(n),)),
                pool_id=PoolId(f"pool{n}"),
            )
            for n in refused
        ),
        bots=(
            Bot(
                id=BotId("sami"),
                name="Sami",
                owner=Contact(name="Olive", phone="+15550199"),
                on_connected=actions,
            ),
        ),
        leads=tuple(
            Lead(
                id=LeadId(f"lead{n}"),
                name=f"Lea {n}",
                phone=f"+1555{n:07d}",
                assigned_agent_id=AgentId(f"agent{n}"),
                fields={"group": str(n)},
            )
            for n in range(count)
        ),
    )


def _phones(count: int, spread_s: float) -> dict[str, Behaviour]:
    """Half the agents answer; the others refuse, and their group rings, of whom one answers."""
    moments = random.Random(1)
    phones = {_group(n)[0]: Behaviour(does=Does.ANSWERS, after_s=1.0) for n in range(0, count, 2)}
    for n in range(count):
        does = Does.ANSWERS if n % 2 else Does.REFUSES
        phones[f"agent{n}"] = Behaviour(does=does, after_s=FIRST_EVENT_S + moments.uniform(0, spread_s))
    return phones


@dataclass(frozen=True)
class Decisions:
    taken: Taken
    in_flight: int  # the most at once
    connected: int


Beside = Callable[[SqlStore, Switchboard], AbstractAsyncContextManager[None]]


def nothing(_: SqlStore, __: Switchboard) -> AbstractAsyncContextManager[None]:
    return nullcontext()


async def run(
    count: int, spread_s: float, *, beside: Beside = nothing, actions: OutcomeActions = ACTIONS
) -> Decisions:
    """`count` transfers in flight, and what happens in them spread over about `spread_s`.

    `beside` is what goes on meanwhile, in the same process on the same store; `actions` follow each outcome.
    """
    with tempfile.TemporaryDirectory(prefix="callcontrol-bench-") as folder:
        store = SqlStore(f"sqlite:///{Path(folder) / 'bench.db'}")
        await store.ensure_schema()
        await store.apply(_directory(count, actions))
        clock = SystemClock()
        pbx = ObservedPbx(clock=clock, phones=_phones(count, spread_s))
        board = Switchboard(pbx=pbx, store=store, speech=None, clock=clock)
        running = asyncio.create_task(board.run())
        try:
            heap.settle()  # as the daemon does when it starts
            async with asyncio.timeout(READY_S):
                while not board.ready:
                    if running.done():
                        running.result()  # raises what ended it
                    await asyncio.sleep(0.01)
            async with beside(store, board):
                return await _converse(board, store, pbx, count)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await store.close()


async def _converse(board: Switchboard, store: SqlStore, pbx: ObservedPbx, count: int) -> Decisions:
    most = 0
    async with asyncio.TaskGroup() as bots:
        tasks = []
        for n in range(count):
            tasks.append(bots.create_task(_bot(board, pbx, n)))
            await asyncio.sleep(START_OVER_S / count)
            most = max(most, board.live)
    connected = sum([isinstance((await store.transfer(task.result())).outcome, Connected) for task in tasks])
    return Decisions(pbx.taken, most, connected)


async def _bot(board: Switchboard, pbx: ObservedPbx, n: int) -> TransferId:
    """Asks, waits until an agent is there, speaks for a moment and says that it has."""
    call = pbx.call()
    asked = time.perf_counter()
    row = await board.request(
        Request(
            bot_id=BotId("sami"),
            lead=LeadId(f"lead{n}"),
            channel=call.lead,
            summary="Wants to sell a house.",
            key=str(uuid.uuid4()),
        )
    )
    pbx.taken["asked: accepted on disk"].append(time.perf_counter() - asked)
    async for told in board.phases(row.id):
        if told.phase is e.Phase.JOINED:
            await asyncio.sleep(0.5)
            assert call.bot is not None
            pbx.note("handed off", call.bot)
            await board.handoff_finished(row.id)
        if told.phase in (e.Phase.CONNECTED, e.Phase.MISSED):
            break
    return row.id
