"""A small office, and the usual requests, legs and transitions."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from callcontrol.adapters.sql import SqlStore, outbox
from callcontrol.core.availability import Lines
from callcontrol.core.events import (
    AttemptResolved,
    Event,
    LegRinging,
    ResolveNextAttempt,
    Settings,
    TransferRequested,
)
from callcontrol.core.followup import FollowUp, NewTask, TextOut
from callcontrol.core.model import (
    AcceptBy,
    Agent,
    AgentId,
    All,
    Bot,
    BotId,
    Call,
    ChannelId,
    Compare,
    Connected,
    ConnectedBy,
    Contact,
    Directory,
    Endpoint,
    EndpointKind,
    Fallback,
    HandoffStyle,
    Lead,
    LeadId,
    Leg,
    LegFate,
    LegRecord,
    LineState,
    Missed,
    MissedBecause,
    Operator,
    OutcomeActions,
    Pattern,
    Pool,
    PoolId,
    Rule,
    SoFar,
    Standing,
    Step,
    StepKind,
    TransferId,
    Window,
)
from callcontrol.core.routing import RoutingFacts
from callcontrol.core.standing import Became, StandingChange
from callcontrol.ports import (
    Entry,
    FactsOf,
    Message,
    MessageStatus,
    NewLead,
    NewMessage,
    Request,
    TransferRow,
    Transition,
    Which,
)
from callcontrol.turn import decide

NOW = datetime(2026, 6, 1, 15, 0, 0, 123456, tzinfo=UTC)
LATER = NOW + timedelta(seconds=20)
ASSIGNED, GROUP = Step(kind=StepKind.ASSIGNED), Step(kind=StepKind.GROUP)


def desk(address: str) -> Endpoint:
    return Endpoint(kind=EndpointKind.EXTENSION, address=address, accept_by=AcceptBy.ANSWER)


def mobile(number: str) -> Endpoint:
    return Endpoint(kind=EndpointKind.NUMBER, address=number, accept_by=AcceptBy.KEY)


def where(**facts: tuple[str, ...]) -> All:
    """All of the facts, each one of its values."""
    compared = (Compare(fact=f, operator=Operator.IS, values=values) for f, values in facts.items())
    return All(conditions=tuple(compared))


def agent(name: str, *, active: bool = True, available: bool = True) -> Agent:
    return Agent(
        id=AgentId(name),
        name=name.title(),
        active=active,
        available=available,
        zone=ZoneInfo("America/Denver"),
        schedule=(
            Window(weekday=0, start_min=540, end_min=720),
            Window(weekday=0, start_min=780, end_min=1020),
            Window(weekday=4, start_min=1200, end_min=120),
        ),
        endpoints=(desk(f"10{len(name)}"), mobile("+15550111")),
        phone="+15550199",
    )


ANN, BOB, CYD, DAN, EVE = (agent(name) for name in ("ann", "bob", "cyd", "dan", "eve"))
OFF, GONE = agent("off", available=False), agent("gone", active=False)

SAMI = Bot(
    id=BotId("sami"),
    name="Sami",
    pattern=Pattern.GROUP,
    ring_timeout_s=12.5,
    handoff=HandoffStyle.WHISPER,
    closing_line="Over to you.",
    fallbacks=(
        Fallback(label="Front desk", endpoint=desk("1000")),
        Fallback(label="Mobile", endpoint=mobile("+15550100")),
    ),
    fallback_all_at_once=True,
    missed_goto="callcontrol-missed,s,1",
    owner=Contact(name="Olga", phone="+15550177"),
    on_connected=OutcomeActions(notify_owner=False),
)
PLAIN = Bot(id=BotId("plain"), name="Plain")

LEA = Lead(
    id=LeadId("lea"),
    name="Lea Lead",
    phone="+15550142",
    email="lea@example.com",
    source="Zillow",
    assigned_agent_id=ANN.id,
    fields={"state": "CO", "budget": "400k"},
)
LUC = Lead(id=LeadId("luc"), name="Luc", phone="+15550143", source="web")

SALES = Pool(id=PoolId("sales"), name="Sales", agent_ids=(CYD.id, OFF.id, ANN.id))
EMPTY = Pool(id=PoolId("empty"), name="Nobody", agent_ids=())

DIRECTORY = Directory(
    agents=(EVE, ANN, BOB, CYD, DAN, OFF, GONE),
    pools=(SALES, EMPTY),
    rules=(
        Rule(name="Colorado", when=where(state=("co", "wy"), source=("zillow",)), pool_id=SALES.id),
        Rule(name="void", when=where(source=("void",)), pool_id=EMPTY.id),
    ),
    bots=(SAMI, PLAIN),
    leads=(LEA, LUC),
)

CALL = Call(lead=ChannelId("lead-1"), bot=ChannelId("bot-1"), pbx_started="2026-06-01 08:00:00")
SETTINGS = Settings(
    plan=(ASSIGNED, GROUP),
    handoff=HandoffStyle.INTRODUCE,
    ring_timeout_s=35,
    accept_timeout_s=20,
    handoff_limit_s=60,
)

_numbers = count(1)


def request(
    *,
    lead: LeadId | NewLead = LEA.id,
    bot: BotId = SAMI.id,
    channel: str = "SIP/lead-1",
    key: str = "",
) -> Request:
    return Request(
        bot_id=bot,
        lead=lead,
        channel=channel,
        summary="Wants a house.",
        key=key or f"key-{next(_numbers)}",
    )


def asked(call: Call = CALL) -> TransferRequested:
    return TransferRequested(call=call, settings=SETTINGS)


def call_of(channel: str) -> Call:
    return replace(CALL, lead=ChannelId(channel))


async def opened(
    store: SqlStore,
    name: str = "t1",
    *,
    lead: LeadId | NewLead = LEA.id,
    bot: BotId = SAMI.id,
    now: datetime = NOW,
) -> TransferRow:
    """A transfer on a channel of its own."""
    wanted = request(lead=lead, bot=bot, channel=f"SIP/{name}", key=f"key-of-{name}")
    return await store.open(TransferId(name), wanted, call_of(f"lead-of-{name}"), now, only_asked)


def only_asked(row: TransferRow, _: FactsOf) -> Transition:
    """A first turn that rings nobody yet."""
    return Transition(transfer_id=row.id, entries=(entry(1, asked(row.call), at=row.requested_at),), legs=())


async def facts(
    store: SqlStore,
    lead: LeadId | NewLead = LEA.id,
    step: Step = GROUP,
    *,
    now: datetime = NOW,
    bot: Bot = SAMI,
) -> RoutingFacts:
    """As `explain` sees them."""
    return await store.consult(bot.id, lead, lambda _bot, _lead, facts_of: facts_of(step), now)


async def considered(store: SqlStore, *args: Any, **more: Any) -> tuple[Agent, ...]:
    return tuple(candidate.agent for candidate in (await facts(store, *args, **more)).candidates)


def leg(name: str = "leg-1", of: Agent | None = ANN) -> Leg:
    return Leg(
        id=ChannelId(name),
        agent_id=None if of is None else of.id,
        label="Front desk" if of is None else of.name,
        endpoint=desk("103"),
    )


def rung(name: str = "leg-1", of: Agent | None = ANN) -> LegRecord:
    return LegRecord(leg=leg(name, of), attempt=1, step=StepKind.ASSIGNED, dialled_at=NOW)


def answered(record: LegRecord) -> LegRecord:
    return replace(
        record,
        ringing_at=NOW + timedelta(seconds=1),
        answered_at=NOW + timedelta(seconds=5),
        accepted_at=NOW + timedelta(seconds=5, microseconds=1),
        joined_at=LATER,
        ended_at=LATER + timedelta(minutes=3),
        fate=LegFate.ANSWERED,
        cause="16 Normal Clearing",
    )


def entry(seq: int, event: Event | None = None, *, at: datetime = LATER) -> Entry:
    return Entry(seq=seq, at=at, event=event or LegRinging(channel=ChannelId("leg-1")))


CONNECTED = Connected(by=ConnectedBy.ASSIGNED_AGENT, leg=leg())
MISSED = Missed(because=MissedBecause.NO_ANSWER)
TO_AGENT = TextOut(recipient="agent", to="+15550199", body="Missed live transfer: Lea. Please call back.")
TO_OWNER = TextOut(recipient="owner", to="+15550177", body="Missed live transfer: Lea.")
CALL_BACK = NewTask(
    title="Call back Lea Lead",
    reason="Missed live transfer: nobody answered.",
    owner_agent_id=ANN.id,
)
FOLLOW_UP = FollowUp(texts=(TO_AGENT, TO_OWNER), task=CALL_BACK, cancel_cadence=True)


def free_lines(_: Endpoint) -> LineState:
    return LineState.NOT_IN_USE


async def resolved(
    store: SqlStore,
    row: TransferRow,
    *,
    step: Step = GROUP,
    now: datetime = NOW,
    lines: Lines = free_lines,
    so_far: SoFar | None = None,
) -> AttemptResolved:
    """As a conductor asks."""
    ask = ResolveNextAttempt(step=step, ask=1)
    so_far = so_far or SoFar(transfer=row.id)
    choose = partial(decide, ask, row.bot, so_far=so_far, now=now, lines=lines)
    return await store.resolve(row, step, choose, now)


async def rings(store: SqlStore, row: TransferRow, **more: Any) -> list[str]:
    """Whom a transfer rings now; each once."""
    legs = (await resolved(store, row, **more)).legs
    return list(dict.fromkeys(str(leg.agent_id) for leg in legs))


async def standing(store: SqlStore, agent: Agent, now: datetime = NOW) -> Standing:
    found = {candidate.agent.id: candidate.standing for candidate in await store.candidates(now)}
    return found[agent.id]


def became(agent: Agent, what: Became, at: datetime = LATER) -> StandingChange:
    return StandingChange(agent_id=agent.id, became=what, at=at)


def missed(transfer_id: str = "t1", *, seq: int = 2, follow_up: FollowUp = FOLLOW_UP) -> Transition:
    return Transition(
        transfer_id=TransferId(transfer_id),
        entries=(entry(seq),),
        legs=(),
        outcome=MISSED,
        follow_up=follow_up,
        closed=True,
    )


async def claim(
    store: SqlStore, limit: int, now: datetime, lease_s: float, *, via: str = "any"
) -> tuple[Message, ...]:
    """Through one gateway, which sends again what may have been sent."""
    found = await store.claim_messages(lambda _: via, {via: limit}, now, lease_s, resends=(via,))
    return found.messages


async def texts(store: SqlStore, transfer_id: str) -> tuple[MessageStatus, ...]:
    """Of a transfer, in their order."""
    return tuple(reversed(await store.messages(Which(transfer_id=TransferId(transfer_id)), 100)))


async def enqueue(store: SqlStore, messages: Sequence[NewMessage], at: datetime = LATER) -> None:
    """In a transaction of its own, as no caller of ours needs to."""
    await store._runner.write(outbox.enqueue, messages, at)
