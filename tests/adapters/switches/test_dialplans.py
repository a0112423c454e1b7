"""One contract for every switch: what dialplan/README.md names is in each dialplan, and can be read by it."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from callcontrol.adapters.freeswitch.checks import _NEEDED, _PLACES
from callcontrol.adapters.freeswitch.ledger import OURS
from callcontrol.core.model import AgentState

DIALPLAN = Path(__file__).parents[3] / "dialplan"
CONTRACT = (DIALPLAN / "README.md").read_text()
ASTERISK = (DIALPLAN / "asterisk" / "callcontrol.conf").read_text()
FREESWITCH = (DIALPLAN / "freeswitch" / "callcontrol.xml").read_text()

_NAME = re.compile(r"(?<![\w/.-])(callcontrol-[a-z]+(?:-[a-z]+)*|CALLCONTROL_[A-Z]+(?:_[A-Z]+)*)(?![\w<.-])")
_EVENT = re.compile(r"\bCallcontrol[A-Z]\w+")
_CUSTOM = re.compile(r"callcontrol::\w+")


def common() -> str:
    """The contract without what is of one switch only: its sections, its rows, and the examples."""
    kept, own = [], False
    for line in CONTRACT.splitlines():
        if line.startswith("#"):
            own = line.endswith(("Asterisk", "FreeSWITCH"))
        example = line.startswith("    ")
        if not own and not example and "Asterisk only" not in line and "FreeSWITCH only" not in line:
            kept.append(line)
    return "\n".join(kept)


def names() -> list[str]:
    return sorted(set(_NAME.findall(common())))


def test_the_contract_names_what_it_is_about():
    assert len(names()) > 25


@pytest.mark.parametrize("name", names())
def test_a_name_of_the_contract_is_in_every_dialplan(name: str):
    assert re.search(rf"(?<![\w-]){name}(?![\w-])", ASTERISK), "dialplan/asterisk/callcontrol.conf"
    assert re.search(rf"(?<![\w-]){name}(?![\w-])", FREESWITCH), "dialplan/freeswitch/callcontrol.xml"


def test_every_event_of_the_contract_is_emitted_and_no_other():
    sent = set(re.findall(r"UserEvent\((\w+)", ASTERISK)) - {"CallcontrolPing"}
    assert set(_EVENT.findall(common())) == sent
    custom = set(re.findall(r"Event-Subclass=(callcontrol::\w+)", FREESWITCH))
    assert set(_CUSTOM.findall(common())) == custom
    assert custom == {f"callcontrol::{name}" for name in OURS} - {"callcontrol::ping"}


def test_each_event_has_a_name_on_both_switches():
    rows = [line for line in CONTRACT.splitlines() if line.startswith("| `Callcontrol")]
    for row in rows:
        ours = [
            re.sub(r"(?<!^)([A-Z])", r"_\1", name.removeprefix("Callcontrol")).lower()
            for name in _EVENT.findall(row)
        ]
        assert [f"callcontrol::{name}" for name in ours] == _CUSTOM.findall(row)


# --- FreeSWITCH's own


@pytest.mark.parametrize("file", sorted((DIALPLAN / "freeswitch").glob("*.xml")), ids=lambda file: file.name)
def test_what_freeswitch_reads_is_xml_that_its_preprocessor_leaves_whole(file: Path):
    """It takes an include tag off only where that is alone on its line, and reads orders even in comments."""
    text = file.read_text()
    ET.fromstring(text)
    assert all(
        line.strip() == tag
        for line in text.splitlines()
        for tag in ("<include>", "</include>")
        if tag in line
    )
    for comment in re.findall(r"<!--.*?-->", text, re.DOTALL):
        assert "<X-PRE-PROCESS" not in comment


def test_what_is_set_for_the_whole_switch_is_not_set_again():
    """Its vars.xml is read before."""
    assert "<X-PRE-PROCESS" not in FREESWITCH


def contexts() -> dict[str, ET.Element]:
    return {found.attrib["name"]: found for found in ET.fromstring(FREESWITCH) if found.tag == "context"}


def test_every_place_that_is_gone_to_exists():
    expressions = {
        name: [
            c.attrib["expression"]
            for c in context.iter("condition")
            if c.attrib["field"] == "destination_number"
        ]
        for name, context in contexts().items()
    }
    gone_to = re.findall(r'(?:data="|\d )([\w*#$.{}-]+) XML (callcontrol-[a-z-]+)"', FREESWITCH)
    gone_to += [
        (exten, context) for exten, context in re.findall(r"=([a-z]+):XML:(callcontrol-[a-z-]+)", FREESWITCH)
    ]
    assert len(gone_to) > 30
    for exten, context in gone_to:
        tried = [re.sub(r"\$\{\w+\}", value, exten) for value in ("", "1", "*")]
        assert context in expressions, context
        there = any(re.match(expression, one) for expression in expressions[context] for one in tried)
        assert there or exten == "$1", exten


@pytest.mark.parametrize("state", list(AgentState))
def test_a_phone_can_say_every_state(state: AgentState):
    said = f"say-{state.value.replace('_', '-')}"
    assert f"exten => {said},1," in ASTERISK
    expressions = [c.attrib["expression"] for c in contexts()["callcontrol-agent"].iter("condition")]
    assert any(re.match(expression, said) for expression in expressions if "say" in expression)
    assert (DIALPLAN / "asterisk" / "sounds" / "callcontrol" / f"agent-{said[4:]}.ulaw").exists()


def test_every_prompt_that_is_played_is_there():
    played = re.findall(r"/callcontrol/([a-z0-9-]+)\.ulaw", FREESWITCH)
    assert len(played) > 5
    for name in {*played, "taken", "lead-gone", "called-off", "failed"}:
        assert (DIALPLAN / "asterisk" / "sounds" / "callcontrol" / f"{name}.ulaw").exists(), name


def test_nothing_in_the_dialplan_expands_what_a_lead_has_said_or_asks_for_an_api():
    for expression in re.findall(r"(?<!\$)\$\{([^}]*)\}?", FREESWITCH):
        assert "(" not in expression
        assert not re.search(
            r"SUMMARY|LEAD_NAME|LEAD_PHONE|LEAD_EMAIL|LEAD_SOURCE|caller_id|sip_", expression
        )


def test_every_wait_has_an_end():
    """Music and silence without end are scheduled away from, whatever callcontrol does."""
    for context in contexts().values():
        for extension in context.iter("extension"):
            actions = [(a.attrib["application"], a.attrib.get("data", "")) for a in extension.iter("action")]
            waits = [n for n, (application, _) in enumerate(actions) if application == "endless_playback"]
            for n in waits:
                assert any(application == "sched_transfer" for application, _ in actions[:n])


def test_nothing_is_said_that_an_order_may_answer_right_before_a_transfer():
    """An order that meets a channel between two extensions is lost: FreeSWITCH executes the one it had looked up."""
    stays = ("playback", "endless_playback", "play_and_get_digits", "hangup")
    said = 0
    for context in contexts().values():
        for extension in context.iter("extension"):
            applications = [action.attrib["application"] for action in extension.iter("action")]
            for n in [n for n, application in enumerate(applications) if application == "event"]:
                said += 1
                then = next((a for a in applications[n:] if a in (*stays, "transfer")), "")
                assert then != "transfer", extension.attrib["name"]
    assert said > 5


def test_what_check_looks_for_is_in_the_dialplan_and_in_the_users_rights():
    for name, extensions in _PLACES.items():
        known = {part for e in contexts()[name].iter("extension") for part in e.attrib["name"].split(", ")}
        assert set(extensions) <= known, name
    user = (DIALPLAN / "freeswitch" / "callcontrol-user.xml").read_text()
    allowed = re.findall(r'"esl-allowed-api" value="([^"]*)"', user)[0].split()
    assert set(_NEEDED) <= set(allowed)
    assert not {"system", "bg_system", "fsctl", "reload", "reloadxml", "lua", "expand", "eval"} & set(allowed)
    told = f"Reply-Text: +OK accepted\nAllowed-Events: all\nAllowed-API: {' '.join(allowed)}\nAllowed-LOG: true\n\n"
    assert len(told) < 511, "FreeSWITCH would cut it short, and the login never end"
