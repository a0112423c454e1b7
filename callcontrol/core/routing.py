"""Whom a transfer rings: a bot's plan of steps, and who may ring when a step starts or goes on."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from callcontrol.core.availability import Lines, callable_now, consider
from callcontrol.core.events import AttemptResolved
from callcontrol.core.model import (
    AgentId,
    Bot,
    Candidate,
    ChannelId,
    Endpoint,
    EndpointOrder,
    Leg,
    Pattern,
    Pool,
    PoolOrder,
    RuleVerdict,
    SoFar,
    Step,
    StepKind,
)

_AGENT_STEPS = {
    Pattern.ASSIGNED: (StepKind.ASSIGNED,),
    Pattern.GROUP: (StepKind.GROUP,),
    Pattern.ASSIGNED_THEN_GROUP: (StepKind.ASSIGNED, StepKind.GROUP),
}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class RoutingFacts:
    """What a step depends on, as the database has it now."""

    candidates: tuple[Candidate, ...] = ()  # those the step is about, in the pool's order
    because: str = ""  # for people: which rule, which pool
    pool: Pool | None = None  # none: the assigned agent, or everybody
    rules: tuple[RuleVerdict, ...] = ()
    last_agent_id: AgentId | None = None  # who last spoke with this lead


def plan(bot: Bot) -> tuple[Step, ...]:
    """The steps a bot allows: agents by its pattern, then its fallback numbers, in order or at once."""
    agents = tuple(Step(kind=kind) for kind in _AGENT_STEPS[bot.pattern])
    numbers = tuple(range(len(bot.fallbacks)))
    if bot.fallback_all_at_once and numbers:
        return (*agents, Step(kind=StepKind.FALLBACK, fallbacks=numbers))
    return (*agents, *(Step(kind=StepKind.FALLBACK, fallbacks=(n,)) for n in numbers))


def resolve(
    step: Step,
    *,
    bot: Bot,
    facts: RoutingFacts,
    so_far: SoFar,
    now: datetime,
    lines: Lines,
    new_id: Callable[[], ChannelId],
    ask: int = 0,
) -> AttemptResolved:
    """Who rings for this step, now, and whether more may be rung a little later."""
    if step.kind is StepKind.FALLBACK:
        numbers = [bot.fallbacks[n] for n in step.fallbacks]
        legs = tuple(Leg(id=new_id(), agent_id=None, label=f.label, endpoint=f.endpoint) for f in numbers)
        return AttemptResolved(step=step, ask=ask, legs=legs, because="the bot's fallback numbers")
    considered = [
        consider(
            candidate,
            now=now,
            lines=lines,
            rung=so_far.rung,
            declined=so_far.declined,
            transfer=so_far.transfer,
        )
        for candidate in facts.candidates
    ]
    ready = [c for c, verdict in zip(facts.candidates, considered, strict=True) if verdict.rings]
    ordered = in_order(ready, facts.pool, facts.last_agent_id)
    at_once = facts.pool.at_once if facts.pool and facts.pool.at_once else len(ordered)
    legs, waits = _legs(ordered[:at_once], lines, so_far.rung, new_id)
    if facts.pool is not None and ordered[at_once:]:
        waits.append(facts.pool.step_s)
    return AttemptResolved(
        step=step,
        ask=ask,
        legs=legs,
        considered=tuple(considered),
        because=facts.because,
        rules=facts.rules,
        next_after_s=min(waits, default=None),
        pool_id=facts.pool.id if facts.pool else None,
    )


def in_order(
    candidates: Sequence[Candidate], pool: Pool | None, last_agent_id: AgentId | None
) -> list[Candidate]:
    """Who is rung first, where not all are; those who are alike stay in the pool's order."""
    key = _KEYS[pool.order if pool else PoolOrder.LISTED]
    last = last_agent_id if pool and pool.last_agent_first else None
    return sorted(candidates, key=lambda c: (c.agent.id != last or last is None, *key(c)))


def _idle(candidate: Candidate) -> tuple[datetime]:
    return (candidate.standing.idle_since or _LONG_AGO,)


_KEYS: dict[PoolOrder, Callable[[Candidate], tuple[object, ...]]] = {
    PoolOrder.LISTED: lambda _: (),
    PoolOrder.LONGEST_IDLE: _idle,
    PoolOrder.ROUND_ROBIN: lambda c: (c.standing.last_rung_at or _LONG_AGO,),
    PoolOrder.WEIGHT: lambda c: (-c.agent.weight, *_idle(c)),
    PoolOrder.FEWEST_TODAY: lambda c: (c.standing.transfers_today, *_idle(c)),
}


def _legs(
    candidates: Sequence[Candidate],
    lines: Lines,
    rung: Collection[Endpoint],
    new_id: Callable[[], ChannelId],
) -> tuple[tuple[Leg, ...], list[float]]:
    """The phones to ring, and after how long someone's next phone could join."""
    legs, waits = [], []
    for candidate in candidates:
        agent = candidate.agent
        phones = callable_now(agent, lines, rung)
        if agent.endpoint_order is EndpointOrder.IN_ORDER and len(phones) > 1:
            phones = phones[:1]
            waits.append(agent.endpoint_step_s)
        legs += [Leg(id=new_id(), agent_id=agent.id, label=agent.name, endpoint=phone) for phone in phones]
    return tuple(legs), waits
