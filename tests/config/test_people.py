"""What directory.yaml says about agents, holidays, pools and strikes, and the bots that would reach nobody."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from callcontrol.config import ConfigError, Problem, load_directory
from callcontrol.core import schedule
from callcontrol.core.model import (
    AgentId,
    DatedWindow,
    Directory,
    EndpointOrder,
    PoolOrder,
    StrikePolicy,
)
from tests.config.test_directory import PEOPLE, WITH_FALLBACK, load, refusal

ALICE = "    name: Alice\n"


def with_agent(tmp_path: Path, lines: str, top: str = "") -> Directory:
    return load(tmp_path, top + PEOPLE.replace(ALICE, ALICE + lines))


def dated(day: str, start: int, end: int, *, opens: bool, why: str = "") -> DatedWindow:
    return DatedWindow(on=date.fromisoformat(day), start_min=start, end_min=end, opens=opens, why=why)


def test_tags_and_languages_are_one_set_without_case(tmp_path):
    agent = with_agent(tmp_path, "    tags: [Senior, team:north]\n    languages: [DE, pt-BR]\n").agents[0]
    assert agent.tags == {"senior", "team:north", "lang:de", "lang:pt-br"}


def test_how_an_agents_phones_ring_and_what_comes_after_a_call_is_read(tmp_path):
    lines = "    ring: in_order\n    ring_step_s: 8\n    weight: 70\n    wrap_up_s: 0\n"
    agent = with_agent(tmp_path, lines).agents[0]
    assert agent.endpoint_order is EndpointOrder.IN_ORDER
    assert (agent.endpoint_step_s, agent.weight, agent.wrap_up_s) == (8, 70, 0)


@pytest.mark.parametrize(
    ("written", "windows"),
    [
        ("{on: 2026-12-24, closed: yes, why: Christmas}", [dated("2026-12-24", 0, 1440, opens=False, why="Christmas")]),
        ('{on: 2026-12-24, closed: "12:00-24:00"}', [dated("2026-12-24", 720, 1440, opens=False)]),
        ('{on: 2026-12-26, open: "10:00-12:00, 13:00-14:00"}', [
            dated("2026-12-26", 600, 720, opens=True), dated("2026-12-26", 780, 840, opens=True)]),
        ('{on: 2026-12-24, hours: "10:00-14:00"}', [
            dated("2026-12-24", 0, 1440, opens=False), dated("2026-12-24", 600, 840, opens=True)]),
        ('{on: 2026-12-31, open: "22:00-02:00"}', [
            dated("2026-12-31", 1320, 1440, opens=True), dated("2027-01-01", 0, 120, opens=True)]),
        ("{on: 2026-08-31 to 2026-09-01, closed: yes}", [
            dated("2026-08-31", 0, 1440, opens=False), dated("2026-09-01", 0, 1440, opens=False)]),
    ],
)  # fmt: skip
def test_an_exception_is_read_as_it_is_meant(tmp_path, written, windows):
    agent = with_agent(tmp_path, f"    exceptions: [{written}]\n").agents[0]
    assert list(agent.exceptions) == windows


def test_an_agents_own_exception_goes_before_the_holiday(tmp_path):
    top = "holidays:\n  germany: {2026-12-25: Christmas, 2026-12-26: Boxing Day}\n  others: [2026-07-04]\n"
    lines = '    holidays: germany\n    exceptions: [{on: 2026-12-26, open: "10:00-12:00"}]\n'
    agent = with_agent(tmp_path, lines, top).agents[0]
    assert [window.why for window in agent.exceptions] == ["Christmas", "Boxing Day", ""]
    assert schedule.is_open(agent, datetime(2026, 12, 26, 10, tzinfo=UTC))
    assert not schedule.is_open(agent, datetime(2026, 12, 26, 14, tzinfo=UTC))
    assert not schedule.is_open(agent, datetime(2026, 12, 25, 10, tzinfo=UTC))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("    holidays: germny\n", "6: agents[0].holidays: there is no calendar 'germny' in this file; did you mean 'germany'?"),
        ("    exceptions: [{on: 24.12.2026, closed: yes}]\n", "6: agents[0].exceptions[0].on: '24.12.2026' is no date; write 2026-12-24"),
        ("    exceptions: [{on: 2026-02-30, closed: yes}]\n", "'2026-02-30' is no date"),
        ("    exceptions: [{on: 2026-02-03 to 2026-02-01, closed: yes}]\n", "is no span of dates; write the earlier date first"),
        ("    exceptions: [{on: 2026-02-03}]\n", "6: agents[0].exceptions[0]: give exactly one of closed, open or hours"),
        ("    exceptions: [{on: 2026-02-03, closed: no}]\n", "'no' is no span of time; write it like 08:00-17:30, or yes for the whole day"),
        ("    weight: 101\n", "6: agents[0].weight: '101' is too large; it must be at most 100"),
        ("    ring: one\n", "6: agents[0].ring: 'one' is none of together, in_order"),
        ("    tags: [new hire]\n", "6: agents[0].tags[0]: 'new hire' can't be a tag"),
        ("    languages: [german]\n", "6: agents[0].languages[0]: 'german' is no language; write its code"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_agent_is_named_with_its_line(tmp_path, lines, said):
    text = "holidays: {germany: [2026-12-25]}\n" + PEOPLE.replace(ALICE, ALICE + lines)
    assert said in refusal(tmp_path, text)


def test_a_calendar_that_is_none_is_refused(tmp_path):
    assert "1: holidays.x: is no calendar; write a list of dates" in refusal(
        tmp_path, "holidays: {x: soon}\n" + PEOPLE
    )
    assert "1: holidays.x: '25.12.' is no date" in refusal(tmp_path, "holidays: {x: [25.12.]}\n" + PEOPLE)


def test_a_pool_is_asked_for_by_tags_with_its_order_and_pace(tmp_path):
    pool = (
        "tags: [senior], languages: [de], order: longest_idle, at_once: 2, step_s: 8, last_agent_first: yes"
    )
    text = PEOPLE.replace(ALICE, ALICE + "    tags: senior\n    languages: de\n")
    text = text.replace("agents: [alice]", f"<<: {{{pool}, wrap_up_s: 30}}")
    [found] = load(tmp_path, text).pools
    assert (found.tags, found.agent_ids) == ({"senior", "lang:de"}, ())
    assert (found.order, found.at_once, found.step_s) == (PoolOrder.LONGEST_IDLE, 2, 8)
    assert (found.last_agent_first, found.wrap_up_s) == (True, 30)


@pytest.mark.parametrize(
    "written", ["name: All", "agents: [alice], tags: [x]", "agents: [alice], languages: [de]"]
)
def test_a_pool_has_either_names_or_tags(tmp_path, written):
    text = PEOPLE.replace("    agents: [alice]", f"    <<: {{{written}}}")
    assert "9: pools[0]: give either agents, or the tags or languages" in refusal(tmp_path, text)


def test_strikes_are_read_in_minutes_and_have_a_default(tmp_path):
    assert load(tmp_path, PEOPLE).strikes == StrikePolicy(limit=3, rest_s=1800)
    text = "strikes: {limit: 0, rest_minutes: 5}\n" + PEOPLE
    assert load(tmp_path, text).strikes == StrikePolicy(limit=0, rest_s=300)


@pytest.mark.parametrize("nobody", ["agents: [alice]\n    active: no", "tags: [nobody]", "never"])
def test_a_pool_that_nobody_can_be_in_is_refused_where_it_strands_a_bot(tmp_path, nobody):
    if nobody == "never":
        text = PEOPLE.replace("always", "never")
    elif nobody.startswith("tags"):
        text = PEOPLE.replace("agents: [alice]", nobody)
    else:
        text = PEOPLE.replace(ALICE, ALICE + "    active: no\n")
    said = refusal(tmp_path, text)
    assert "pools[0]: nobody can be in pool 'all', so rule 'portals' strands bot sami; " in said
    assert said.startswith("directory.yaml:")


def test_with_a_fallback_or_where_no_rule_leads_there_an_empty_pool_only_warns(tmp_path):
    two = PEOPLE.replace("{source: zillow}", "{bot: [two], source: x}")
    two += "  - {id: two, name: Two, fallbacks: [{number: +4930654321}]}\n"
    for text in (WITH_FALLBACK, two):
        file = tmp_path / "directory.yaml"
        file.write_text(text.replace("agents: [alice]", "tags: [nobody]"))
        warned: list[Problem] = []
        load_directory(file, warned.append)
        assert [str(problem).partition(": ")[2] for problem in warned] == [
            "pools[0]: nobody can be in pool 'all' as it stands; give an active agent with hours the tags nobody"
        ]


def test_a_bot_without_any_agent_and_fallback_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no agent can ever ring for bot 'b', which strands it"):
        load(tmp_path, "bots: [{id: b, name: B}]\n")


def test_a_bot_of_assigned_agents_alone_gets_a_warning(tmp_path):
    file = tmp_path / "directory.yaml"
    file.write_text(PEOPLE + "    pattern: assigned\n")
    warned: list[Problem] = []
    load_directory(file, warned.append)
    assert [(problem.line, problem.key) for problem in warned] == [(16, "bots[0]")]
    assert warned[0].what.startswith("bot 'sami' rings the assigned agent only")


def test_an_id_of_the_assigned_agent_stays_as_written(tmp_path):
    text = PEOPLE + "leads: [{id: x, name: X, phone: +4930123456, agent: alice}]\n"
    assert load(tmp_path, text).leads[0].assigned_agent_id == AgentId("alice")
