"""Whom a transfer rings: a bot's plan of steps, and who may ring when a step starts."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

from callcontrol.core.availability import consider
from callcontrol.core.events import AttemptResolved
from callcontrol.core.model import Agent, AgentId, Bot, ChannelId, Lead, Leg, Pattern, Rule, Step, StepKind

_AGENT_STEPS = {
    Pattern.ASSIGNED: (StepKind.ASSIGNED,),
    Pattern.GROUP: (StepKind.GROUP,),
    Pattern.ASSIGNED_THEN_GROUP: (StepKind.ASSIGNED, StepKind.GROUP),
}


def plan(bot: Bot) -> tuple[Step, ...]:
    """The steps a bot allows: agents by its pattern, then its fallback numbers, in order or at once."""
    agents = tuple(Step(kind=kind) for kind in _AGENT_STEPS[bot.pattern])
    numbers = tuple(range(len(bot.fallbacks)))
    if bot.fallback_all_at_once and numbers:
        return (*agents, Step(kind=StepKind.FALLBACK, fallbacks=numbers))
    return (*agents, *(Step(kind=StepKind.FALLBACK, fallbacks=(n,)) for n in numbers))


def match(rules: Iterable[Rule], lead: Lead, bot: Bot) -> Rule | None:
    """The first rule that every named fact of lead and bot agrees with; case does not matter."""
    facts = {**lead.fields, "source": lead.source, "bot": bot.id}
    folded = {name: value.casefold() for name, value in facts.items()}
    return next(
        (
            rule
            for rule in rules
            if all(folded.get(name) in {v.casefold() for v in values} for name, values in rule.when.items())
        ),
        None,
    )


def resolve(
    step: Step,
    *,
    bot: Bot,
    agents: Sequence[Agent],
    because: str,
    tried: Collection[AgentId],
    now: datetime,
    new_id: Callable[[], ChannelId],
) -> AttemptResolved:
    """Who rings for this step, now. `agents` are those the step is about; `tried` have been rung."""
    if step.kind is StepKind.FALLBACK:
        numbers = [bot.fallbacks[n] for n in step.fallbacks]
        legs = [Leg(id=new_id(), agent_id=None, label=f.label, endpoint=f.endpoint) for f in numbers]
        return AttemptResolved(step=step, legs=tuple(legs), because="the bot's fallback numbers")
    considered = [consider(agent, now, tried) for agent in agents]
    legs = [
        Leg(id=new_id(), agent_id=agent.id, label=agent.name, endpoint=endpoint)
        for agent, verdict in zip(agents, considered, strict=True)
        if verdict.rings
        for endpoint in agent.endpoints
    ]
    return AttemptResolved(step=step, legs=tuple(legs), considered=tuple(considered), because=because)
