import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcontrol.core import rules
from callcontrol.core.model import (
    All,
    AnyOf,
    Bot,
    BotId,
    Compare,
    During,
    Lead,
    LeadId,
    Operator,
    PoolId,
    Rule,
    Window,
)

NOW = datetime(2026, 6, 1, 15, tzinfo=UTC)  # a Monday
LEAD = Lead(
    id=LeadId("l"),
    name="Lea",
    phone="+15550100",
    source="Zillow",
    fields={"state": "CO", "budget": "250000", "zip": "80331"},
)
BOT = Bot(id=BotId("Sami"), name="Sami")


def search(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None


def facts(lead: Lead = LEAD, matches=search):
    return rules.facts_of(lead, BOT, NOW, matches)


def compare(fact: str, operator: Operator, *values: str) -> Compare:
    return Compare(fact=fact, operator=operator, values=values)


def rule(name: str, when) -> Rule:
    return Rule(name=name, when=when, pool_id=PoolId(name))


CASES = [
    (compare("state", Operator.IS, "ny", "co"), True),
    (compare("state", Operator.IS, "ny"), False),
    (compare("source", Operator.IS, "zillow"), True),
    (compare("bot", Operator.IS, "sami"), True),
    (compare("city", Operator.IS, "denver"), False),
    (compare("state", Operator.IS_NOT, "ny"), True),
    (compare("city", Operator.IS_NOT, "denver"), True),
    (compare("state", Operator.IS_NOT, "co"), False),
    (compare("phone", Operator.PREFIX, "+1555", "+49"), True),
    (compare("phone", Operator.PREFIX, "+49"), False),
    (compare("budget", Operator.BETWEEN, "100000", "250000"), True),
    (compare("budget", Operator.BETWEEN, "1", "2"), False),
    (compare("state", Operator.BETWEEN, "1", "2"), False),
    (compare("zip", Operator.MATCHES, "^80[0-9]{3}$"), True),
    (compare("zip", Operator.MATCHES, "^9"), False),
    (compare("zip", Operator.PRESENT), True),
    (compare("city", Operator.PRESENT), False),
    (compare("city", Operator.ABSENT), True),
    (compare("zip", Operator.ABSENT), False),
    (During(windows=(Window(weekday=0, start_min=0, end_min=1440),), zone=UTC), True),
    (During(windows=(Window(weekday=1, start_min=0, end_min=1440),), zone=UTC), False),
]


@pytest.mark.parametrize(("condition", "expected"), CASES)
def test_each_operator(condition, expected):
    assert rules.holds(condition, facts()) is expected
    assert (rules.why_not(condition, facts()) == "") is expected


def test_all_wants_every_part_and_any_wants_one():
    yes, no = compare("zip", Operator.PRESENT), compare("city", Operator.PRESENT)
    assert rules.holds(All(conditions=(yes, yes)), facts())
    assert not rules.holds(All(conditions=(yes, no)), facts())
    assert rules.holds(AnyOf(conditions=(no, yes)), facts())
    assert not rules.holds(AnyOf(conditions=(no, no)), facts())
    assert rules.holds(All(), facts())


def test_why_a_rule_does_not_fit_is_said_for_people():
    ny = compare("state", Operator.IS, "ny")
    assert rules.why_not(All(conditions=(compare("zip", Operator.PRESENT), ny)), facts()) == (
        "state is co, not: is ny"
    )
    assert rules.why_not(AnyOf(conditions=(ny, compare("city", Operator.PRESENT))), facts()) == (
        "none of: state is co, not: is ny; city is absent, not: present"
    )
    tuesdays = During(windows=(Window(weekday=1, start_min=0, end_min=1440),), zone=UTC)
    assert rules.why_not(tuesdays, facts()) == "not at Mon 15:00 UTC"


def test_the_first_rule_that_fits_wins():
    ordered = [
        rule("ny", compare("state", Operator.IS, "ny")),
        rule("west", compare("state", Operator.IS, "co")),
        rule("all", All()),
    ]
    found, tried = rules.first_that_fits(ordered, facts())
    assert (found.name, tried) == ("west", 1)
    assert rules.first_that_fits(ordered[:1], facts()) == (None, 1)


def test_a_pattern_that_takes_too_long_does_not_fit():
    def slow(pattern: str, text: str) -> bool:
        raise TimeoutError

    assert not rules.holds(compare("zip", Operator.MATCHES, "(a+)+$"), facts(matches=slow))


def test_a_leads_own_field_can_not_pose_as_one_of_ours():
    lead = Lead(id=LeadId("l"), name="L", phone="", fields={"bot": "vip", "source": "vip"})
    assert not rules.holds(compare("bot", Operator.IS, "vip"), facts(lead))
    assert rules.holds(compare("source", Operator.ABSENT), facts(lead))


LEAVES = st.sampled_from([condition for condition, _ in CASES])
CONDITIONS = st.recursive(
    LEAVES,
    lambda part: (
        st.builds(All, conditions=st.lists(part, max_size=3).map(tuple))
        | st.builds(AnyOf, conditions=st.lists(part, max_size=3).map(tuple))
    ),
)


@given(CONDITIONS)
def test_the_reason_is_empty_exactly_where_it_holds(condition):
    assert (rules.why_not(condition, facts()) == "") is rules.holds(condition, facts())
