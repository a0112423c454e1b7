"""A rule's `when`, short and long."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from callcontrol.core import rules
from callcontrol.core.model import All, AnyOf, Bot, BotId, Compare, Condition, During, Lead, LeadId, Operator
from tests.config.test_directory import PEOPLE, load, refusal

MONDAY_NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def when(tmp_path: Path, written: str) -> Condition:
    return load(tmp_path, PEOPLE.replace("{source: zillow}", written)).rules[0].when


def compare(fact: str, operator: Operator, *values: str) -> Compare:
    return Compare(fact=fact, operator=operator, values=values)


@pytest.mark.parametrize(
    ("written", "condition"),
    [
        ("{fact: budget, between: [100000, 500000]}", compare("budget", Operator.BETWEEN, "100000", "500000")),
        ("{fact: budget, at_least: 100000}", compare("budget", Operator.BETWEEN, "100000", "inf")),
        ("{fact: budget, at_most: 2.5}", compare("budget", Operator.BETWEEN, "-inf", "2.5")),
        ('{fact: zip, prefix: ["80", "81"]}', compare("zip", Operator.PREFIX, "80", "81")),
        ("{fact: zip, prefix: 0301}", compare("zip", Operator.PREFIX, "0301")),
        (r'{fact: email, matches: ".*@Example\\.com"}', compare("email", Operator.MATCHES, r".*@Example\.com")),
        ("{fact: x, present: yes}", compare("x", Operator.PRESENT)),
        ("{fact: x, present: no}", compare("x", Operator.ABSENT)),
        ("{fact: x, absent: yes}", compare("x", Operator.ABSENT)),
        ("{fact: x, is: [Straße, B]}", compare("x", Operator.IS, "strasse", "b")),
        ("{fact: x, is_not: A}", compare("x", Operator.IS_NOT, "a")),
        ("always", All()),
        (
            "{source: [Zillow, x], intent: sell}",
            All(conditions=(compare("source", Operator.IS, "zillow", "x"), compare("intent", Operator.IS, "sell"))),
        ),
        (
            "{any: [{source: a}, {all: [{fact: b, present: yes}, always]}]}",
            AnyOf(conditions=(
                All(conditions=(compare("source", Operator.IS, "a"),)),
                All(conditions=(compare("b", Operator.PRESENT), All())),
            )),
        ),
        (
            "{all: [{fact: a, present: yes}], any: [{fact: b, present: yes}]}",
            All(conditions=(compare("a", Operator.PRESENT), AnyOf(conditions=(compare("b", Operator.PRESENT),)))),
        ),
    ],
)  # fmt: skip
def test_a_condition_is_read_as_it_is_meant(tmp_path, written, condition):
    assert when(tmp_path, written) == condition


def test_the_time_is_that_of_the_conditions_zone_or_of_the_files(tmp_path):
    own = when(tmp_path, '{during: {mon-fri: "08:00-18:00"}, zone: Asia/Tokyo}')
    files = when(tmp_path, '{during: {mon-fri: "08:00-18:00"}}')
    assert isinstance(own, During)
    assert isinstance(files, During)
    assert (str(own.zone), str(files.zone)) == ("Asia/Tokyo", "Europe/Berlin")
    lead, bot = Lead(id=LeadId("l"), name="L", phone=""), Bot(id=BotId("sami"), name="Sami")
    facts = rules.facts_of(lead, bot, MONDAY_NOON, lambda _p, _t: False)
    assert (rules.holds(own, facts), rules.holds(files, facts)) == (False, True)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{fact: x}", "13: rules[0].when: give one of is, is_not, prefix, between, at_least, at_most, matches, present, absent; here are none"),
        ("{fact: x, is: a, prefix: b}", "here are is, prefix"),
        ("{fact: x, iss: a}", "13: rules[0].when.iss: is no key that belongs here; did you mean 'is'?"),
        ("{facts: budget, between: [1, 2]}", "'between' stands here without its fact; write {fact: budget, between: ...}"),
        ("{fact: b, between: [5, 2]}", "5 to 2 goes down; write the smaller number first"),
        ("{fact: b, between: [5, many]}", "13: rules[0].when.between[1]: 'many' is no number"),
        ("{fact: b, at_least: nan}", "'nan' is no number"),
        ('{fact: b, matches: "(a"}', "13: rules[0].when.matches: '(a' is no regular expression: missing )"),
        ("{all: [{fact: x, is: a}, {fact: x, is: }]}", "13: rules[0].when.all[1]: give one of is, "),
        ("{any: []}", "13: rules[0].when.any: is empty; give at least one"),
        ("{all: [{any: [{bot: samy}]}]}", "13: rules[0].when.all[0].any[0].bot: there is no bot 'samy' in this file"),
        ("{fact: bot, is_not: samy}", "13: rules[0].when: there is no bot 'samy'"),
        ("never", "'never' is no condition; write always, "),
        ("{during: {mon: '8-12'}}", "13: rules[0].when.during: '8-12' is no span of time"),
        ("{during: always, zone: Berlin}", "13: rules[0].when.zone: 'Berlin' is no IANA time zone"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_condition_is_named_with_its_line(tmp_path, written, said):
    assert said in refusal(tmp_path, PEOPLE.replace("{source: zillow}", written))


def test_a_time_without_any_zone_is_refused(tmp_path):
    text = PEOPLE.replace("zone: Europe/Berlin\n", "").replace(
        "    name: Alice", "    name: Alice\n    zone: UTC"
    )
    said = refusal(tmp_path, text.replace("{source: zillow}", "{during: always}"))
    assert "13: rules[0].when: has no zone; add one such as America/Denver" in said
