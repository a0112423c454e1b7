"""Which call is the call back, and what it comes to."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcontrol.core.callback import (
    CallBegan,
    Direction,
    FollowedCall,
    How,
    Party,
    Person,
    Result,
    begun,
    direction,
    ours,
    spell,
    verdict,
)
from callcontrol.core.model import AgentId, ChannelId

NOW = datetime(2026, 6, 1, 15, tzinfo=UTC)
ALICE, BOB = Person(label="Alice", agent_id=AgentId("alice")), Person(label="Bob", agent_id=AgentId("bob"))
RECEPTION = Person(label="extension 105")
CALL, LEG, OTHER_LEG = ChannelId("1700000000.1"), ChannelId("1700000000.2"), ChannelId("1700000000.3")
DESK, LEAD = Party(address="alice", number="101"), Party(number="+4930123456")


def began(caller: Party = DESK, called: Party = LEAD, ago_s: float = 0.0) -> CallBegan:
    return CallBegan(call=CALL, leg=LEG, caller=caller, called=called, ago_s=ago_s)


def followed(way: Direction = Direction.BACK, who: Person = ALICE) -> FollowedCall:
    call = begun(began(), way, who, (7,), NOW)
    assert call is not None
    return call


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("caller", "called", "way"),
    [
        (False, False, None),
        (False, True, Direction.BACK),
        (True, False, Direction.IN),
        (True, True, None),  # two leads with one another: nobody of ours
    ],
)
def test_the_lead_is_at_one_end(caller, called, way):
    assert direction(caller_waited_for=caller, called_waited_for=called) is way


def test_our_end_is_the_other_one():
    assert ours(began(), Direction.BACK) == DESK
    assert ours(began(caller=LEAD, called=DESK), Direction.IN) == DESK


@pytest.mark.parametrize(
    ("party", "label"),
    [
        (Party(address="front", number="105"), "extension 105"),
        (Party(address="front", number="+4930123400"), "extension front"),
        (Party(address="front"), "extension front"),
        (Party(number="105"), "extension 105"),
        (Party(number="030123400"), "extension 030123400"),
        (Party(), "somebody"),
    ],
)
def test_a_phone_of_nobody_known_is_named_by_its_extension(party, label):
    assert party.label == label


def test_a_lead_who_reaches_nobody_of_ours_is_not_followed():
    assert begun(began(), Direction.IN, RECEPTION, (7,), NOW) is None
    assert begun(began(), Direction.IN, ALICE, (7,), NOW) is not None


def test_a_call_that_was_up_before_anybody_looked_began_then():
    call = begun(began(ago_s=40), Direction.BACK, ALICE, (7,), NOW)
    assert call is not None
    assert call.began_at == after(-40)


def test_an_answered_call_back_closes_the_task_and_says_who_and_how_long():
    call = followed().answered(LEG, after(12)).ended(after(12 + 252), "")
    found = verdict(call)
    assert (found.result, found.how) == (Result.CLOSES, How.CALL_BACK)
    assert found.words == "Alice called the lead back: answered, 4 min 12 s"
    assert call.talk_s == 252


@pytest.mark.parametrize(("cause", "said"), [("busy", "not answered (busy)"), ("", "not answered")])
def test_an_unanswered_one_is_noted(cause, said):
    found = verdict(followed(who=RECEPTION).ended(after(30), cause))
    assert found.result is Result.NOTED
    assert found.words == f"extension 105 called the lead back: {said}"


def test_one_too_short_to_be_a_talk_is_noted():
    call = followed().answered(LEG, after(12)).ended(after(16), "")
    assert verdict(call, shortest_talk_s=10).result is Result.NOTED
    assert verdict(call, 10).words == "Alice called the lead back: answered, 4 s, too short to count"
    assert verdict(call, shortest_talk_s=4).result is Result.CLOSES


def test_the_first_answer_counts_however_often_it_is_told():
    call = followed().answered(LEG, after(5)).answered(OTHER_LEG, after(9))
    assert (call.answered_at, call.answered_leg) == (after(5), LEG)


def test_a_lead_who_calls_again_and_reaches_an_agent_closes_the_task():
    call = followed(Direction.IN).rings(OTHER_LEG, BOB).answered(OTHER_LEG, after(8)).ended(after(68), "")
    found = verdict(call)
    assert (found.result, found.how) == (Result.CLOSES, How.LEAD_CALLED)
    assert found.words == "the lead called again and reached Bob: answered, 1 min 0 s"


def test_a_lead_who_calls_again_in_vain_is_noted():
    found = verdict(followed(Direction.IN).ended(after(30), "rang out"))
    assert found.result is Result.NOTED
    assert found.words == "the lead called again and did not reach Alice: not answered (rang out)"


def test_a_lead_who_reaches_somebody_who_is_no_agent_is_noted():
    call = followed(Direction.IN).rings(OTHER_LEG, RECEPTION).answered(OTHER_LEG, after(8))
    assert verdict(call.ended(after(90), "")).result is Result.NOTED


def test_what_nobody_saw_end_is_said_to_be_so():
    talking = followed().answered(LEG, after(5)).lost(after(600))
    assert talking.talk_s is None
    assert verdict(talking, shortest_talk_s=30).result is Result.CLOSES
    assert verdict(talking).words == "Alice called the lead back: answered; how long they talked was not seen"
    ringing = followed().lost(after(600))
    assert verdict(ringing).result is Result.NOTED
    assert verdict(ringing).words == "Alice called the lead back: whether it was answered was not seen"


def test_a_call_needs_its_caller_until_it_is_answered_and_that_leg_from_then_on():
    assert followed().needs == CALL
    assert followed().answered(LEG, after(5)).needs == LEG


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (252, "4 min 12 s")]
)
def test_a_spell_of_time_is_said(seconds, said):
    assert spell(seconds) == said


@given(st.sampled_from(Direction), st.lists(st.integers(0, 5)), st.booleans(), st.floats(0, 1e4))
def test_only_a_call_that_was_answered_closes_a_task(way, answers, seen, shortest):
    call = followed(way)
    for n, _ in enumerate(answers):
        call = call.answered(LEG, after(n))
    call = call.ended(after(len(answers)), "") if seen else call.lost(after(len(answers)))
    found = verdict(call, shortest)
    assert (found.result is Result.CLOSES) <= (call.answered_at is not None)
    assert found.words
