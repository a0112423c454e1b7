from datetime import UTC, datetime
from itertools import count

from callcontrol.core import routing
from callcontrol.core.model import (
    AcceptBy,
    Agent,
    AgentId,
    Bot,
    BotId,
    ChannelId,
    Endpoint,
    EndpointKind,
    Fallback,
    Lead,
    LeadId,
    Pattern,
    PoolId,
    Rule,
    Step,
    StepKind,
    Window,
)

NOW = datetime(2026, 6, 1, 15, tzinfo=UTC)
ALWAYS = tuple(Window(weekday=d, start_min=0, end_min=1440) for d in range(7))
ASSIGNED, GROUP = Step(kind=StepKind.ASSIGNED), Step(kind=StepKind.GROUP)
LEAD = Lead(id=LeadId("l"), name="Lea", phone="+15550100", source="Zillow", fields={"state": "CO"})


def number(digits: str) -> Fallback:
    endpoint = Endpoint(kind=EndpointKind.NUMBER, address=digits, accept_by=AcceptBy.KEY)
    return Fallback(label=digits, endpoint=endpoint)


def bot(pattern: Pattern = Pattern.ASSIGNED_THEN_GROUP, *, at_once: bool = False, numbers: int = 2) -> Bot:
    return Bot(
        id=BotId("sami"),
        name="Sami",
        pattern=pattern,
        fallbacks=tuple(number(f"+1555010{n}") for n in range(numbers)),
        fallback_all_at_once=at_once,
    )


def agent(name: str, *, available: bool = True, phones: int = 1) -> Agent:
    return Agent(
        id=AgentId(name),
        name=name.title(),
        active=True,
        available=available,
        zone=UTC,
        schedule=ALWAYS,
        endpoints=tuple(
            Endpoint(kind=EndpointKind.EXTENSION, address=f"{name}{n}", accept_by=AcceptBy.ANSWER)
            for n in range(phones)
        ),
    )


def resolve(step: Step, *agents: Agent, tried=(), of: Bot | None = None):
    ids = count(1)
    return routing.resolve(
        step,
        bot=of or bot(),
        agents=agents,
        because="rule west",
        tried=tried,
        now=NOW,
        new_id=lambda: ChannelId(f"leg{next(ids)}"),
    )


def rule(name: str, **when: tuple[str, ...]) -> Rule:
    return Rule(name=name, when=when, pool_id=PoolId(name))


def kinds(plan) -> list[StepKind]:
    return [step.kind for step in plan]


def test_the_default_pattern_is_assigned_then_group_with_35_s():
    assert Bot(id=BotId("b"), name="B").pattern is Pattern.ASSIGNED_THEN_GROUP
    assert Bot(id=BotId("b"), name="B").ring_timeout_s == 35.0


def test_each_pattern_has_its_steps_and_then_the_fallbacks_one_by_one():
    assert kinds(routing.plan(bot(Pattern.ASSIGNED))) == ["assigned", "fallback", "fallback"]
    assert kinds(routing.plan(bot(Pattern.GROUP))) == ["group", "fallback", "fallback"]
    assert kinds(routing.plan(bot())) == ["assigned", "group", "fallback", "fallback"]
    assert [step.fallbacks for step in routing.plan(bot())[2:]] == [(0,), (1,)]


def test_fallbacks_may_ring_all_at_once():
    assert routing.plan(bot(at_once=True))[-1].fallbacks == (0, 1)
    assert kinds(routing.plan(bot(at_once=True, numbers=0))) == ["assigned", "group"]


def test_every_endpoint_of_every_available_agent_rings():
    resolved = resolve(GROUP, agent("alice", phones=2), agent("bob", available=False), agent("carol"))
    assert [leg.endpoint.address for leg in resolved.legs] == ["alice0", "alice1", "carol0"]
    assert len({leg.id for leg in resolved.legs}) == 3
    assert [(c.agent_id, c.rings) for c in resolved.considered] == [
        ("alice", True),
        ("bob", False),
        ("carol", True),
    ]
    assert resolved.because == "rule west"


def test_an_agent_is_not_rung_twice_for_one_transfer():
    assert resolve(GROUP, agent("alice"), tried={AgentId("alice")}).legs == ()


def test_a_fallback_step_rings_its_numbers_whatever_the_agents_do():
    resolved = resolve(Step(kind=StepKind.FALLBACK, fallbacks=(1,)))
    assert [(leg.label, leg.agent_id) for leg in resolved.legs] == [("+15550101", None)]


def test_the_first_rule_that_agrees_wins():
    rules = [rule("ny", state=("NY",)), rule("west", state=("WA", "co")), rule("all")]
    assert routing.match(rules, LEAD, bot()).name == "west"


def test_every_fact_a_rule_names_must_agree():
    assert routing.match([rule("r", state=("CO",), source=("Web",))], LEAD, bot()) is None
    assert routing.match([rule("r", state=("CO",), bot=("SAMI",))], LEAD, bot()).name == "r"
    assert routing.match([rule("r", city=("Denver",))], LEAD, bot()) is None


def test_a_leads_own_field_can_not_pose_as_the_bot():
    lead = Lead(id=LeadId("l"), name="L", phone="", fields={"bot": "vip"})
    assert routing.match([rule("r", bot=("vip",))], lead, bot()) is None
