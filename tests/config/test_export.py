"""A directory written out and read back is the same."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from callcontrol.config import load_directory
from callcontrol.config.export import dump
from callcontrol.core import model as m
from tests.config.test_directory import SHIPPED

ZONES = [ZoneInfo(name) for name in ("Europe/Berlin", "America/Denver", "UTC")]
WORDS = st.sampled_from(
    ["no", "17:30", "+49301", "0301", "null", "~", "a b", "é: x", "yes", "[x]", "# y", "<<", "1e3"]
)
NAMES = st.one_of(WORDS, st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="\x7f\xa0\xad", exclude_categories=["Cc", "Z"]), min_size=1))  # fmt: skip
SECONDS = st.sampled_from([1.0, 2.5, 30.0, 120.0])
TAGS = st.frozensets(st.sampled_from(["senior", "team:north", "lang:de", "lang:pt-br", "no", "1"]))


@st.composite
def endpoints(draw) -> m.Endpoint:
    kind = draw(st.sampled_from(m.EndpointKind))
    address = {"extension": "0301", "number": "+13035550101", "dial": "Local/x@y/n"}[kind.value]
    return m.Endpoint(kind=kind, address=address, accept_by=draw(st.sampled_from(m.AcceptBy)))


@st.composite
def weeks(draw) -> tuple[m.Window, ...]:
    days = draw(st.sets(st.integers(0, 6)))
    hours = st.sampled_from([((480, 720), (780, 1050)), ((60, 1440),), ((540, 600),), ((1320, 60),)])
    several = [(day, draw(hours)) for day in sorted(days)]
    return tuple(
        m.Window(weekday=day, start_min=start, end_min=end) for day, spans in several for start, end in spans
    )


@st.composite
def exceptions(draw) -> tuple[m.DatedWindow, ...]:
    found = []
    for _ in range(draw(st.integers(0, 5))):
        start, end = draw(st.sampled_from([(0, 1440), (600, 720), (0, 60)]))
        on = date(2026, 12, 24) + timedelta(days=draw(st.integers(0, 4)))
        opens, why = draw(st.booleans()), draw(st.sampled_from(["", "Christmas", "no"]))
        found.append(m.DatedWindow(on=on, start_min=start, end_min=end, opens=opens, why=why))
    return tuple(found)


@st.composite
def compares(draw) -> m.Compare:
    operator = draw(st.sampled_from(m.Operator))
    words = draw(st.lists(NAMES.map(str.casefold), min_size=1, max_size=3))
    match operator:
        case m.Operator.PRESENT | m.Operator.ABSENT:
            words = []
        case m.Operator.BETWEEN:
            words = draw(st.sampled_from([["1", "2.5"], ["007", "inf"], ["-inf", "3"], ["100000", "500000"]]))
        case m.Operator.MATCHES:
            words = draw(st.sampled_from([[r".*@example\.com"], ["a", "no"]]))
    fact = draw(st.sampled_from(["source", "intent", "is", "all", "no", "zip", "fact"]))
    return m.Compare(fact=fact, operator=operator, values=tuple(words))


DURINGS = st.builds(m.During, windows=weeks().filter(bool), zone=st.sampled_from(ZONES))
SIMPLE = st.one_of(compares(), DURINGS, st.just(m.All()))
CONDITIONS = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.builds(m.All, conditions=st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(m.AnyOf, conditions=st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)
CONTACTS = st.one_of(st.none(), st.builds(m.Contact, name=NAMES, phone=st.just("+13035550100")))
LISTS = (
    m.ContactList(name="managers", contacts=(m.Contact(name="Mia: no", phone="+13035550171"),)),
    m.ContactList(
        name="0301",
        contacts=(m.Contact(name="a", phone="+13035550172"), m.Contact(name="b", phone="+13035550173")),
    ),
)
ACTIONS = st.builds(
    m.OutcomeActions,
    cancel_cadence=st.booleans(),
    notify_agent=st.booleans(),
    notify_owner=st.booleans(),
    notify_pool=st.booleans(),
    notify_lists=st.lists(st.sampled_from(LISTS), unique=True).map(tuple),
    create_task=st.booleans(),
    webhook=st.booleans(),
)


@st.composite
def directories(draw) -> m.Directory:
    holidays = draw(st.one_of(st.just(()), exceptions()))
    agents = tuple(
        m.Agent(
            id=m.AgentId(name),
            name=draw(NAMES),
            active=draw(st.booleans()),
            available=draw(st.booleans()),
            zone=draw(st.sampled_from(ZONES)),
            schedule=draw(weeks()),
            endpoints=tuple(draw(st.lists(endpoints(), min_size=1, max_size=3))),
            phone=draw(st.sampled_from([None, "+13035550101"])),
            exceptions=(*holidays, *draw(exceptions())),
            tags=draw(TAGS),
            weight=draw(st.integers(1, 100)),
            wrap_up_s=draw(st.sampled_from([0.0, 12.5])),
            endpoint_order=draw(st.sampled_from(m.EndpointOrder)),
            endpoint_step_s=draw(SECONDS),
        )
        for name in ("alice", "no", "0301")
    )
    named = st.builds(
        m.Pool,
        id=st.just(m.PoolId("p")),
        name=NAMES,
        agent_ids=st.just((m.AgentId("no"), m.AgentId("alice"))),
    )
    by_tags = st.builds(
        m.Pool,
        id=st.just(m.PoolId("p")),
        name=NAMES,
        tags=TAGS.filter(bool),
        order=st.sampled_from(m.PoolOrder),
        at_once=st.integers(0, 5),
        step_s=SECONDS,
        last_agent_first=st.booleans(),
        wrap_up_s=st.sampled_from([None, 0.0, 12.5]),
    )
    rules = tuple(
        m.Rule(name=f"{n}", when=draw(CONDITIONS), pool_id=m.PoolId("p"))
        for n in range(draw(st.integers(0, 3)))
    )
    bots = tuple(
        m.Bot(
            id=m.BotId(name),
            name=draw(NAMES),
            pattern=draw(st.sampled_from(m.Pattern)),
            ring_timeout_s=draw(st.sampled_from([35.0, 7.5])),
            handoff=draw(st.sampled_from(m.HandoffStyle)),
            closing_line=draw(NAMES),
            fallbacks=(m.Fallback(label=draw(NAMES), endpoint=draw(endpoints())),),
            fallback_all_at_once=draw(st.booleans()),
            missed_goto=draw(st.sampled_from(["", "a,b,1"])),
            owner=draw(CONTACTS),
            on_connected=draw(ACTIONS),
            on_missed=draw(ACTIONS),
        )
        for name in ("b", "null")
    )
    lead = m.Lead(id=m.LeadId("l"), name=draw(NAMES), phone="+13035550199", fields={draw(NAMES): draw(NAMES)})
    return m.Directory(
        agents=agents,
        pools=(draw(st.one_of(named, by_tags)),),
        rules=rules,
        bots=bots,
        leads=(lead,),
        strikes=m.StrikePolicy(limit=draw(st.integers(0, 9)), rest_s=draw(st.sampled_from([1800.0, 90.0]))),
    )


@settings(max_examples=150, deadline=None)
@given(directory=directories())
def test_what_is_written_is_read_back_the_same(tmp_path_factory, directory):
    file = tmp_path_factory.mktemp("export") / "directory.yaml"
    file.write_text(dump(directory))
    assert load_directory(file) == directory


def test_the_shipped_directory_survives_and_stays_readable(tmp_path):
    directory = load_directory(SHIPPED)
    text = dump(directory)
    (tmp_path / "directory.yaml").write_text(text)
    assert load_directory(tmp_path / "directory.yaml") == directory
    assert "schedule: always" in text
    assert "{mon-fri: '08:00-12:00, 13:00-17:30', sat: '22:00-02:00'}" in text


def test_holidays_that_agents_share_are_written_once(tmp_path):
    people = "\n".join(
        f"  - {{id: {n}, name: N, schedule: always, holidays: de, endpoints: [{{extension: x}}]}}"
        for n in "ab"
    )
    file = tmp_path / "directory.yaml"
    file.write_text(
        f"zone: UTC\nholidays: {{de: {{2026-12-25: Christmas, 2026-12-26: Boxing Day}}}}\nagents:\n{people}\n"
        "bots: [{id: b, name: B}]\n"
    )
    directory = load_directory(file)
    written = dump(directory)
    assert written.count("Boxing Day") == 1
    assert "2026-12-25: Christmas" in written
    assert [agent["holidays"] for agent in yaml.safe_load(written)["agents"]] == ["calendar-1"] * 2


def test_days_off_in_a_row_are_one_entry(tmp_path: Path):
    directory = load_directory(SHIPPED)
    away = tuple(
        m.DatedWindow(
            on=date(2026, 8, 30) + timedelta(days=n), start_min=0, end_min=1440, opens=False, why="away"
        )
        for n in range(4)
    )
    agents = (replace(directory.agents[0], exceptions=away),)
    text = dump(m.Directory(agents=agents, bots=directory.bots))
    assert "{'on': 2026-08-30 to 2026-09-02, closed: yes, why: away}" in text
