"""directory.yaml."""

from pathlib import Path

import pytest

from callcontrol.config import ConfigError, load_directory
from callcontrol.core.model import AcceptBy, All, Compare, Directory, EndpointKind, Operator, Window

SHIPPED = Path(__file__).parents[2] / "config" / "directory.yaml"

PEOPLE = """\
zone: Europe/Berlin
agents:
  - id: alice
    name: Alice
    schedule: always
    endpoints:
      - extension: alice
pools:
  - id: all
    agents: [alice]
rules:
  - name: portals
    when: {source: zillow}
    pool: all
bots:
  - id: sami
    name: Sami
"""

WITH_FALLBACK = PEOPLE + "    fallbacks: [{number: +4930654321}]\n"


def load(tmp_path: Path, text: str) -> Directory:
    file = tmp_path / "directory.yaml"
    file.write_text(text)
    return load_directory(file)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, text)
    return str(raised.value).replace(f"{tmp_path}/", "")


def test_the_shipped_file_is_right():
    directory = load_directory(SHIPPED)
    assert [agent.id for agent in directory.agents] == ["alice", "bob", "carol"]
    assert directory.bots[0].ring_timeout_s == 35
    assert directory.bots[0].owner is not None


def test_extensions_accept_by_answering_and_all_others_by_key(tmp_path):
    endpoints = (
        "[{extension: a}, {number: +1 303-555-0101}, {dial: Local/x@y/n}, {extension: b, accept: key}]"
    )
    directory = load(tmp_path, PEOPLE.replace("\n      - extension: alice", f" {endpoints}"))
    found = [(e.kind, e.address, e.accept_by) for e in directory.agents[0].endpoints]
    assert found == [
        (EndpointKind.EXTENSION, "a", AcceptBy.ANSWER),
        (EndpointKind.NUMBER, "+13035550101", AcceptBy.KEY),
        (EndpointKind.DIAL, "Local/x@y/n", AcceptBy.KEY),
        (EndpointKind.EXTENSION, "b", AcceptBy.KEY),
    ]


def test_an_agents_own_zone_goes_before_the_files(tmp_path):
    text = PEOPLE.replace("    name: Alice", "    name: Alice\n    zone: America/Denver")
    assert str(load(tmp_path, text).agents[0].zone) == "America/Denver"
    assert str(load(tmp_path, PEOPLE).agents[0].zone) == "Europe/Berlin"


def test_a_bot_has_the_files_owner_unless_it_names_its_own(tmp_path):
    text = PEOPLE + "  - {id: two, name: Two, owner: {name: Otto, phone: +4930123456}}\n"
    text += "owner: {name: Olive, phone: +4930654321}\n"
    bots = load(tmp_path, text).bots
    assert [bot.owner.name for bot in bots if bot.owner] == ["Olive", "Otto"]


def test_the_playbooks_defaults_hold_where_nothing_is_said(tmp_path):
    bot = load(tmp_path, PEOPLE).bots[0]
    assert bot.pattern == "assigned_then_group"
    assert bot.on_missed.create_task
    assert not bot.on_connected.create_task
    assert bot.on_connected.notify_owner


def test_one_word_in_a_rule_is_a_list_of_one(tmp_path):
    condition = Compare(fact="source", operator=Operator.IS, values=("zillow",))
    assert load(tmp_path, PEOPLE).rules[0].when == All(conditions=(condition,))


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("Europe/Berlin", "Europe/Berlim", "1: zone: 'Europe/Berlim' is no IANA time zone; did you mean 'Europe/Berlin'?"),
        ("Europe/Berlin", "../../etc/passwd", "1: zone: '../../etc/passwd' is no IANA time zone"),
        ("zone: Europe/Berlin\n", "", "2: agents[0]: has no zone; add one such as America/Denver"),
        ("schedule: always", "shedule: always", "5: agents[0].shedule: is no key that belongs here; did you mean 'schedule'?"),
        ("extension: alice", "extension: PJSIP/alice", "7: agents[0].endpoints[0].extension: 'PJSIP/alice' can't be"),
        ("extension: alice", "number: 0301234567", "7: agents[0].endpoints[0].number: '0301234567' is no phone number in E.164"),
        ("extension: alice", "number: +1-800-FLOWERS", "'+1-800-FLOWERS' is no phone number in E.164"),
        ("extension: alice", "number: +12", "'+12' is no phone number in E.164"),
        ("extension: alice", "dial: SIP/a&SIP/b", "'SIP/a&SIP/b' is no dial string"),
        ("extension: alice", "dial: Local/a@b", "'Local/a@b' must end in /n"),
        ("extension: alice", 'dial: "Local/a@b/n,x"', "is no dial string"),
        ("extension: alice", "{}", "7: agents[0].endpoints[0]: give exactly one of extension, number or dial"),
        ("agents: [alice]", "agents: [alcie]", "10: pools[0].agents[0]: there is no agent 'alcie' in this file; did you mean 'alice'?"),
        ("agents: [alice]", "agents: [alice, alice]", "10: pools[0].agents[1]: 'alice' is given twice"),
        ("agents: [alice]", "agents: []", "10: pools[0].agents: is empty; give at least one"),
        ("pool: all", "pool: al", "14: rules[0].pool: there is no pool 'al' in this file; did you mean 'all'?"),
        ("{source: zillow}", "{bot: samy}", "13: rules[0].when.bot: there is no bot 'samy' in this file; did you mean 'sami'?"),
        ("{source: zillow}", "{}", "13: rules[0].when: is empty; give at least one"),
        ("name: Sami", "name: Sami\n    ring_timeout_s: 1", "18: bots[0].ring_timeout_s: '1' is too small; it must be at least 5"),
        ("name: Sami", "name: Sami\n    missed_goto: here", "18: bots[0].missed_goto: 'here' is no place in the dialplan"),
        ("name: Sami", "name: Sami\n    handoff: wisper", "18: bots[0].handoff: 'wisper' is none of introduce, whisper, announce; did you mean 'whisper'?"),
        ("name: Sami", "name: Sami\n    name: Sami", "18: bots[0].name: is given twice, first in line 17; keep one"),
        ("id: sami", "id: sa mi", "16: bots[0].id: 'sa mi' can't be an id"),
        ("name: Sami", "name: Sami\n  - {id: sami, name: Again}", "18: bots[1].id: 'sami' is given twice, first in line 16; keep one"),
        ("name: Sami", "name: Sami\nleads: [{id: x, name: X, phone: +4930123456, agent: bob}]", "leads[0].agent: there is no agent 'bob'"),
        ("name: Alice", 'name: "Al\\nice"', "4: agents[0].name: has control characters or line breaks in it"),
        ("name: Alice", "name:", "4: agents[0].name: nothing is written there"),
        ("name: Alice", "name: [x]", "4: agents[0].name: a list where one value is wanted"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line_and_what_would_be_right(tmp_path, right, wrong, said):
    assert right in PEOPLE
    assert said in refusal(tmp_path, PEOPLE.replace(right, wrong, 1))


@pytest.mark.parametrize(
    ("written", "windows"),
    [
        ("{mon: '08:00-12:00, 13:00-17:30'}", [(0, 480, 720), (0, 780, 1050)]),
        ("{sat-mon: '9:00-10:00'}", [(0, 540, 600), (5, 540, 600), (6, 540, 600)]),
        ("{Fri: '22:00-02:00'}", [(4, 1320, 120)]),
        ("{'tue, thu': ['00:00-24:00']}", [(1, 0, 1440), (3, 0, 1440)]),
        ("{sun: '20:00-00:00'}", [(6, 1200, 1440)]),
        ("never", []),
    ],
)
def test_a_schedule_is_read_as_it_is_meant(tmp_path, written, windows):
    found = load(tmp_path, WITH_FALLBACK.replace("always", written)).agents[0].schedule
    assert found == tuple(Window(weekday=d, start_min=s, end_min=e) for d, s, e in windows)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{mon: '08:00-08:00'}", "'08:00-08:00' is empty; the whole day is 00:00-24:00"),
        ("{mon: '08:00-12:00, 11:00-13:00'}", "two spans overlap on mon at 11:00; make them one"),
        ("{sun: '22:00-02:00', mon: '01:00-03:00'}", "two spans overlap on mon at 01:00; make them one"),
        (
            "{mon-fri: '08:00-12:00', fri: '13:00-14:00'}",
            "fri is in both 'mon-fri' and 'fri'; name each day once",
        ),
        ("{monn: '08:00-12:00'}", "'monn' is no day; did you mean 'mon'?"),
        ("{mon: '8-12'}", "'8-12' is no span of time; write it like 08:00-17:30"),
        ("{mon: '25:00-26:00'}", "'25:00' is no time of day"),
        ("{mon: '08:61-09:00'}", "'08:61' is no time of day"),
        ("{mon: '24:00-09:00'}", "begins at 24:00; write 00:00 on the next day"),
        ("{mon: }", "'' is no span of time"),
        ("sometimes", "is no schedule; write always, never, or"),
        ("{}", "is no schedule; write always, never, or"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(tmp_path, written, said):
    found = refusal(tmp_path, PEOPLE.replace("always", written))
    assert f"directory.yaml:5: agents[0].schedule: {said}" in found or said in found


def test_a_large_directory_is_read_in_a_moment(tmp_path):
    agents = "\n".join(
        f"  - {{id: a{n}, name: Agent {n}, schedule: always, endpoints: [{{extension: a{n}}}]}}"
        for n in range(5000)
    )
    text = f"zone: UTC\nagents:\n{agents}\nbots: [{{id: b, name: B}}]\n"
    assert len(load(tmp_path, text).agents) == 5000


LISTS = """\
contacts:
  managers:
    - {name: Mia, phone: +1 303 555 0171}
"""


def test_an_outcome_may_notify_lists_that_the_file_has(tmp_path):
    text = LISTS + WITH_FALLBACK + "    on_missed: {notify_lists: managers, notify_pool: yes, webhook: no}\n"
    actions = load(tmp_path, text).bots[0].on_missed
    (managers,) = actions.notify_lists
    assert (managers.name, managers.contacts[0].phone) == ("managers", "+13035550171")
    assert (actions.notify_pool, actions.webhook, actions.create_task) == (True, False, True)


def test_a_list_that_there_is_not_is_refused_with_its_line(tmp_path):
    text = LISTS + WITH_FALLBACK + "    on_missed: {notify_lists: [manager]}\n"
    assert refusal(tmp_path, text).endswith(
        ": bots[0].on_missed.notify_lists[0]: there is no list of contacts 'manager' in this file;"
        " did you mean 'managers'?"
    )


def test_a_list_without_anybody_is_refused(tmp_path):
    assert "contacts.managers: is empty" in refusal(tmp_path, "contacts: {managers: []}\n" + WITH_FALLBACK)


def test_a_missed_lead_that_nobody_hears_of_is_warned_about(tmp_path):
    file = tmp_path / "directory.yaml"
    quiet = "    on_missed: {notify_agent: no, notify_owner: no, create_task: no}\n"
    warned = []
    for text in (
        WITH_FALLBACK + quiet,
        WITH_FALLBACK + quiet.replace("notify_owner: no", "notify_pool: yes"),
    ):
        file.write_text(text)
        load_directory(file, warned.append)
    (problem,) = warned
    assert (problem.key, problem.line) == ("bots[0].on_missed", WITH_FALLBACK.count("\n") + 1)
    assert "a missed lead is told to nobody and makes no task" in problem.what
