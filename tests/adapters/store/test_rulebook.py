import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcontrol.adapters.sql import conditions
from callcontrol.adapters.sql.rulebook import ALL_PATTERNS_S, PATTERN_S, TOLD, Matching, RuleBook
from callcontrol.core import rules
from callcontrol.core.model import All, AnyOf, Compare, During, Lead, LeadId, Operator, PoolId, Rule, Window
from callcontrol.ports import StoreError
from tests.adapters.store import people as p

NOW = datetime(2026, 6, 1, 16, 30, tzinfo=UTC)  # a Monday, half past ten in Denver
DENVER = ZoneInfo("America/Denver")
ENDLESS = r"(a|aa)+$"
POOL = PoolId("pool")

values = st.lists(st.sampled_from(["a", "b", "c", "10", "20"]), min_size=2, max_size=3).map(tuple)
compares = st.builds(
    Compare,
    fact=st.sampled_from(["source", "state", "budget"]),
    operator=st.sampled_from(Operator),
    values=values,
)
trees = st.recursive(
    compares
    | st.builds(
        During, windows=st.just((Window(weekday=0, start_min=600, end_min=660),)), zone=st.just(DENVER)
    ),
    lambda inner: (
        st.builds(All, conditions=st.lists(inner, max_size=3).map(tuple))
        | st.builds(AnyOf, conditions=st.lists(inner, max_size=3).map(tuple))
    ),
    max_leaves=6,
)
leads = st.builds(
    Lead,
    id=st.just(LeadId("l")),
    name=st.just(""),
    phone=st.just(""),
    source=st.sampled_from(["a", "B", ""]),
    fields=st.dictionaries(st.sampled_from(["state", "budget"]), st.sampled_from(["A", "c", "10", "15"])),
)


def facts(lead, matches=None):
    return rules.facts_of(lead, p.SAMI, NOW, matches or Matching())


def rule(name, when):
    return Rule(name=name, when=when, pool_id=POOL)


def source(value):
    return p.where(source=(value,))


@given(st.lists(trees, max_size=8), leads)
def test_a_book_finds_the_rule_that_looking_at_each_in_turn_finds(conditions_, lead):
    ordered = [rule(str(n), when) for n, when in enumerate(conditions_)]
    assert RuleBook(ordered).first_that_fits(facts(lead)) == rules.first_that_fits(ordered, facts(lead))


@given(trees)
def test_a_condition_is_read_back_as_it_was_written(condition):
    assert conditions.from_json(json.loads(json.dumps(conditions.to_json(condition)))) == condition


@pytest.mark.parametrize("stored", [{}, {"fact": "x"}, {"fact": "x", "like": ["a"]}, {"state": ["CO"]}])
def test_a_condition_nobody_wrote_is_refused(stored):
    with pytest.raises(StoreError, match="unknown form"):
        conditions.from_json(stored)


@pytest.mark.parametrize(
    ("when", "why"),
    [
        (Compare(fact="state", operator=Operator.IS, values=("co", "ut")), ""),
        (Compare(fact="state", operator=Operator.IS, values=("ut",)), "state is co, not: is ut"),
        (Compare(fact="state", operator=Operator.IS_NOT, values=("ut",)), ""),
        (Compare(fact="state", operator=Operator.IS_NOT, values=("co",)), "state is co, not: is not co"),
        (Compare(fact="zip", operator=Operator.IS_NOT, values=("co",)), ""),
        (Compare(fact="phone", operator=Operator.PREFIX, values=("+1555", "+44")), ""),
        (Compare(fact="phone", operator=Operator.PREFIX, values=("+44",)), "phone is +15550142, not: prefix +44"),
        (Compare(fact="budget", operator=Operator.BETWEEN, values=("100", "400")), ""),
        (Compare(fact="budget", operator=Operator.BETWEEN, values=("401", "inf")), "budget is 400, not: between 401, inf"),
        (Compare(fact="state", operator=Operator.BETWEEN, values=("1", "2")), "state is co, not: between 1, 2"),
        (Compare(fact="email", operator=Operator.MATCHES, values=("x", "@EXAMPLE")), ""),
        (Compare(fact="email", operator=Operator.MATCHES, values=("^@",)), "email is lea@example.com, not: matches ^@"),
        (Compare(fact="state", operator=Operator.PRESENT), ""),
        (Compare(fact="zip", operator=Operator.PRESENT), "zip is absent, not: present"),
        (Compare(fact="zip", operator=Operator.ABSENT), ""),
        (Compare(fact="state", operator=Operator.ABSENT), "state is co, not: absent"),
        (During(windows=(Window(weekday=0, start_min=600, end_min=660),), zone=DENVER), ""),
        (During(windows=(Window(weekday=1, start_min=600, end_min=660),), zone=DENVER), "not at Mon 10:30 America/Denver"),
    ],
    ids=str,
)  # fmt: skip
async def test_a_rule_of_every_operator_is_kept_and_tried(office, when, why):
    lea = replace(p.LEA, fields={"state": "CO", "budget": "400"})
    only = replace(p.DIRECTORY, rules=(rule("only", when),), pools=(replace(p.EMPTY, id=POOL),), leads=(lea,))
    await office.apply(only)
    assert (await office.export()).rules == only.rules
    (told,) = (await p.facts(office, lea.id, now=NOW)).rules
    assert (told.fits, told.why) == (not why, why or "fits")


def test_of_many_rules_the_nearest_are_told():
    book = RuleBook([rule(f"r{n}", source(str(n))) for n in range(200)])
    lead = Lead(id=LeadId("l"), name="", phone="", source="150")
    found, before = book.first_that_fits(facts(lead))
    assert (found.name, before) == ("r150", 150)
    told = book.verdicts(facts(lead), found, before)
    assert len(told) == TOLD + 1
    assert [v.rule for v in told[:-1]] == [f"r{n}" for n in range(101, 151)]
    assert [v.fits for v in told] == [False] * 49 + [True, False]
    assert told[0].why == "source is 150, not: is 101"
    assert told[-1].rule == "101 rules before these"


def test_where_no_rule_fits_the_last_ones_are_told():
    book = RuleBook([rule(f"r{n}", source(str(n))) for n in range(60)])
    lead = Lead(id=LeadId("l"), name="", phone="")
    told = book.verdicts(facts(lead), *book.first_that_fits(facts(lead)))
    assert [v.rule for v in told] == [*(f"r{n}" for n in range(10, 60)), "10 rules before these"]


def test_a_pattern_without_end_is_given_up_and_does_not_fit():
    matching = Matching()
    begun = time.monotonic()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            matching(ENDLESS, "a" * 60 + "b")
    assert time.monotonic() - begun < PATTERN_S + 0.5
    assert matching("^B", "bee")


def test_many_patterns_without_end_are_given_up_together():
    evil = [
        rule(f"r{n}", Compare(fact="source", operator=Operator.MATCHES, values=(f"{ENDLESS}|{n}",)))
        for n in range(99)
    ]
    last = rule("last", All())
    lead = Lead(id=LeadId("l"), name="", phone="", source="a" * 60 + "b")
    book, seen = RuleBook([*evil, last]), facts(lead)
    begun = time.monotonic()
    found, before = book.first_that_fits(seen)
    told = book.verdicts(seen, found, before)
    assert time.monotonic() - begun < ALL_PATTERNS_S + 0.5
    assert found == last
    assert [v.fits for v in told].count(True) == 1


def test_a_broken_pattern_fits_nobody():
    with pytest.raises(TimeoutError):
        Matching()("(", "x")
