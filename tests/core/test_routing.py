from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcontrol.core import routing
from callcontrol.core.model import (
    AcceptBy,
    Agent,
    AgentId,
    Bot,
    BotId,
    Candidate,
    ChannelId,
    Endpoint,
    EndpointKind,
    EndpointOrder,
    Fallback,
    LineState,
    Pattern,
    Pool,
    PoolId,
    PoolOrder,
    RuleVerdict,
    SoFar,
    Standing,
    Step,
    StepKind,
    Term,
    TransferId,
    Window,
)
from callcontrol.core.routing import RoutingFacts

NOW = datetime(2026, 6, 1, 15, tzinfo=UTC)
ALWAYS = tuple(Window(weekday=d, start_min=0, end_min=1440) for d in range(7))
ASSIGNED, GROUP = Step(kind=StepKind.ASSIGNED), Step(kind=StepKind.GROUP)


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


NOTHING_YET = SoFar()


def resolve(step: Step, *candidates: Candidate | Agent, so_far=NOTHING_YET, of: Bot | None = None, **facts):
    ids = count(1)
    lines = facts.pop("lines", {})
    given = tuple(c if isinstance(c, Candidate) else Candidate(agent=c) for c in candidates)
    return routing.resolve(
        step,
        bot=of or bot(),
        facts=RoutingFacts(candidates=given, because="rule west", **facts),
        so_far=so_far,
        now=NOW,
        lines=lambda endpoint: lines.get(endpoint.address, LineState.NOT_IN_USE),
        new_id=lambda: ChannelId(f"leg{next(ids)}"),
    )


def pool(**settings) -> Pool:
    return Pool(id=PoolId("west"), name="West", **settings)


def stood(name: str, *, weight: int = 1, **standing) -> Candidate:
    return Candidate(agent=replace(agent(name), weight=weight), standing=Standing(**standing))


def rung(resolved) -> list[str]:
    return [leg.endpoint.address for leg in resolved.legs]


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
    assert rung(resolved) == ["alice0", "alice1", "carol0"]
    assert len({leg.id for leg in resolved.legs}) == 3
    assert [(c.agent_id, c.rings) for c in resolved.considered] == [
        ("alice", True),
        ("bob", False),
        ("carol", True),
    ]
    assert resolved.because == "rule west"
    assert resolved.next_after_s is None


def test_a_phone_is_not_rung_twice_for_one_transfer():
    (endpoint,) = agent("alice").endpoints
    assert rung(resolve(GROUP, agent("alice"), so_far=SoFar(rung=frozenset({endpoint})))) == []


def test_an_agent_who_declined_is_not_rung_again_on_another_phone():
    so_far = SoFar(declined=frozenset({AgentId("alice")}))
    assert rung(resolve(GROUP, agent("alice", phones=2), so_far=so_far)) == []


def test_a_fallback_step_rings_its_numbers_whatever_the_agents_do():
    resolved = resolve(Step(kind=StepKind.FALLBACK, fallbacks=(1,)))
    assert [(leg.label, leg.agent_id) for leg in resolved.legs] == [("+15550101", None)]


# --- lines and claims


def test_an_agent_on_another_call_is_not_rung():
    assert rung(resolve(GROUP, agent("alice"), agent("bob"), lines={"alice0": LineState.IN_USE})) == ["bob0"]


def test_a_phone_that_is_off_leaves_the_agents_others():
    lines = {"alice0": LineState.UNREGISTERED}
    assert rung(resolve(GROUP, agent("alice", phones=2), lines=lines)) == ["alice1"]


def test_an_agent_reserved_by_another_transfer_is_not_rung():
    mine, theirs = (
        stood("alice", claimed_by=TransferId("mine")),
        stood("bob", claimed_by=TransferId("theirs")),
    )
    assert rung(resolve(GROUP, mine, theirs, so_far=SoFar(transfer=TransferId("mine")))) == ["alice0"]


# --- who first


ORDERS = {
    PoolOrder.LISTED: ["alice0", "bob0", "carol0"],
    PoolOrder.LONGEST_IDLE: ["carol0", "bob0", "alice0"],
    PoolOrder.ROUND_ROBIN: ["bob0", "carol0", "alice0"],
    PoolOrder.WEIGHT: ["bob0", "carol0", "alice0"],
    PoolOrder.FEWEST_TODAY: ["alice0", "carol0", "bob0"],
}


@pytest.mark.parametrize("order", PoolOrder)
def test_each_order_of_a_pool_has_its_first(order):
    ago = [NOW - timedelta(minutes=m) for m in (5, 10, 60)]
    people = (
        stood("alice", idle_since=ago[0], last_rung_at=ago[0], transfers_today=1),
        stood("bob", idle_since=ago[1], transfers_today=3, weight=9),
        stood("carol", idle_since=ago[2], last_rung_at=ago[1], transfers_today=2),
    )
    assert rung(resolve(GROUP, *people, pool=pool(order=order))) == ORDERS[order]


def test_a_few_at_a_time_and_the_next_after_a_while():
    people = [agent(name) for name in ("alice", "bob", "carol")]
    first = resolve(GROUP, *people, pool=pool(at_once=2, step_s=7))
    assert (rung(first), first.next_after_s) == (["alice0", "bob0"], 7)
    so_far = SoFar(rung=frozenset(leg.endpoint for leg in first.legs))
    lines = {"alice0": LineState.RINGING, "bob0": LineState.RINGING}
    second = resolve(GROUP, *people, pool=pool(at_once=2, step_s=7), so_far=so_far, lines=lines)
    assert (rung(second), second.next_after_s) == (["carol0"], None)


def test_an_agents_phones_may_ring_one_after_the_other():
    alice = replace(agent("alice", phones=2), endpoint_order=EndpointOrder.IN_ORDER)
    first = resolve(ASSIGNED, alice)
    assert (rung(first), first.next_after_s) == (["alice0"], 12.0)
    so_far = SoFar(rung=frozenset(leg.endpoint for leg in first.legs))
    second = resolve(ASSIGNED, alice, so_far=so_far, lines={"alice0": LineState.RINGING})
    assert (rung(second), second.next_after_s) == (["alice1"], None)


def test_the_agent_who_last_spoke_with_the_lead_may_come_first():
    people = [agent(name) for name in ("alice", "bob")]
    last = {"last_agent_id": AgentId("bob")}
    assert rung(resolve(GROUP, *people, pool=pool(last_agent_first=True), **last)) == ["bob0", "alice0"]
    assert rung(resolve(GROUP, *people, pool=pool(), **last)) == ["alice0", "bob0"]


def test_the_rules_looked_at_are_kept_with_the_attempt():
    verdict = RuleVerdict(rule="west", fits=True, why="fits")
    assert resolve(GROUP, rules=(verdict,)).rules == (verdict,)


PHONES = ("a0", "a1", "b0", "b1", "c0", "c1")
soon = st.sampled_from([None, NOW - timedelta(seconds=1), NOW, NOW + timedelta(seconds=1)])
candidates = st.builds(
    lambda name, phones, active, available, schedule, standing: Candidate(
        agent=replace(
            agent(name, available=available, phones=phones),
            active=active,
            schedule=ALWAYS if schedule else (),
        ),
        standing=standing,
    ),
    st.sampled_from(["a", "b", "c"]),
    st.integers(0, 2),
    *([st.booleans()] * 3),
    st.builds(
        Standing,
        resting_until=soon,
        wrapping_until=soon,
        claimed_by=st.sampled_from([None, TransferId("this"), TransferId("other")]),
    ),
)


@given(
    st.lists(candidates, unique_by=lambda c: c.agent.id),
    st.dictionaries(st.sampled_from(PHONES), st.sampled_from(list(LineState))),
    st.sets(st.sampled_from(PHONES)),
    st.sets(st.sampled_from(["a", "b", "c"]).map(AgentId)),
    st.sampled_from([None, pool(), pool(at_once=1), pool(at_once=2, order=PoolOrder.LONGEST_IDLE)]),
)
def test_no_leg_rings_an_agent_for_whom_a_term_is_false(people, lines, rung_before, declined, of):
    phones = [phone for one in people for phone in one.agent.endpoints]
    before = frozenset(phone for phone in phones if phone.address in rung_before)
    so_far = SoFar(transfer=TransferId("this"), rung=before, declined=frozenset(declined))
    resolved = resolve(GROUP, *people, lines=lines, so_far=so_far, pool=of)
    may = {one.agent_id for one in resolved.considered if all(term.holds for term in one.terms)}
    assert {one.agent_id for one in resolved.considered} == {one.agent.id for one in people}
    assert all({term.term for term in one.terms} == set(Term) for one in resolved.considered)
    assert {leg.agent_id for leg in resolved.legs} <= may
    assert not before & {leg.endpoint for leg in resolved.legs}
    if of is None or not of.at_once:
        assert {leg.agent_id for leg in resolved.legs} == may


def test_what_is_remembered_of_a_bot_is_not_taken_for_that_of_a_changed_one():
    bot = Bot(id=BotId("sami"), name="Sami")
    changed = replace(bot, ring_timeout_s=10.0)
    remembered = {bot: "as it was", changed: "as it is"}
    assert (remembered[replace(bot)], remembered[replace(changed)]) == ("as it was", "as it is")
