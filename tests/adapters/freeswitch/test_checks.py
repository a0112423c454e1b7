"""`callcontrol check` against a scripted FreeSWITCH: what is missing is named, with what to do."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from callcontrol.adapters.freeswitch import FreeswitchPbx
from callcontrol.core.model import Agent, AgentId, Endpoint, EndpointKind
from callcontrol.ports import Finding
from tests.adapters.freeswitch.scripted import QUICK, Command, ScriptedFreeswitch, event, rows
from tests.adapters.phones import phone

DIALPLAN = (Path(__file__).parents[3] / "dialplan" / "freeswitch" / "callcontrol.xml").read_text()
SWITCH = '<configuration name="switch.conf"><param name="api-expansion" value="{}"/></configuration>'
SOFIA = '<profile name="external"><gateways><gateway name="trunk"/></gateways></profile>'
DIRECTORY = "<domain name='pbx.example'><user id='alice'/><user id='carol'/></domain>"


def agent(*endpoints: Endpoint) -> Agent:
    zone = ZoneInfo("UTC")
    return Agent(
        id=AgentId("alice"),
        name="A",
        active=True,
        available=True,
        zone=zone,
        schedule=(),
        endpoints=endpoints,
    )


def as_installed(freeswitch: ScriptedFreeswitch) -> ScriptedFreeswitch:
    def locate(command: Command) -> str:
        section, _, _, name = command.rest.split()
        if section == "configuration":
            return SOFIA if name == "sofia.conf" else SWITCH.format("false")
        if section == "directory":
            return DIRECTORY
        _, found, rest = DIALPLAN.partition(f'<context name="{name}">')
        return found + rest.partition("</context>")[0] if found else "can't find anything"

    def send_event(command: Command) -> str:
        freeswitch.tell(event("CUSTOM", {**command.headers}))
        return "+OK"

    freeswitch.answers |= {
        "version": lambda _: "FreeSWITCH Version 1.10.12-release~64bit ( 64bit)\n",
        "xml_locate": locate,
        "sendevent": send_event,
        "show": lambda _: rows({"reg_user": "alice", "token": "1"}),
        **{name: lambda _: "-ERR permission denied" for name in ("system", "bg_system", "reload", "fsctl")},
    }
    return freeswitch


async def check(freeswitch: ScriptedFreeswitch, *endpoints: Endpoint) -> Sequence[Finding]:
    return await FreeswitchPbx(replace(QUICK, port=freeswitch.port)).check([agent(*endpoints)])


def wrong(findings: Sequence[Finding]) -> dict[str, str]:
    return {found.subject: found.remedy for found in findings if not found.ok}


async def test_as_it_is_installed_all_is_well(freeswitch: ScriptedFreeswitch):
    findings = await check(
        as_installed(freeswitch), phone("alice"), phone("+4930123456", EndpointKind.NUMBER)
    )
    assert wrong(findings) == {}
    assert "originate" not in [c.rest for c in freeswitch.commands if c.name == "originate" and c.rest], (
        "nothing is rung"
    )


@pytest.mark.parametrize(
    ("name", "answer", "subject", "remedy"),
    [
        ("version", "FreeSWITCH Version 1.8.7~64bit", "FreeSWITCH version", "1.10 or later"),
        ("uuid_bridge", "-ERR permission denied", "ESL rights", "uuid_bridge"),
        ("uuid_bridge", "-ERR uuid_bridge Command not found!", "ESL rights", "uuid_bridge"),
        ("sendevent", "+OK", "ESL events", "esl-allowed-events"),
        ("xml_locate", SWITCH.format("true"), "switch.conf api-expansion", "api-expansion"),
        ("xml_locate", "can't find anything", "dialplan contract", "callcontrol.xml"),
        ("xml_locate", "-ERR permission denied", "dialplan callcontrol-leg", "answer, key"),
    ],
)
async def test_what_is_missing_is_named(
    freeswitch: ScriptedFreeswitch, name: str, answer: str, subject: str, remedy: str
):
    as_installed(freeswitch).answers[name] = lambda _: answer
    assert remedy in wrong(await check(freeswitch))[subject]


async def test_a_right_too_many_is_told_and_is_no_fault(freeswitch: ScriptedFreeswitch):
    as_installed(freeswitch).answers["system"] = lambda _: "+OK"
    findings = await check(freeswitch)
    assert wrong(findings) == {}
    assert "system" in next(found.detail for found in findings if found.subject == "ESL rights, surplus")


@pytest.mark.parametrize(
    ("endpoint", "remedy"),
    [
        (phone("carol"), "not registered"),
        (phone("nobody"), "no user of FreeSWITCH's directory"),
        (phone("a b"), "correct it in the directory"),
        (phone("sofia/gateway/other/1", EndpointKind.DIAL), "no gateway other"),
    ],
)
async def test_a_phone_that_can_not_be_rung_is_named(
    freeswitch: ScriptedFreeswitch, endpoint: Endpoint, remedy: str
):
    findings = await check(as_installed(freeswitch), endpoint)
    assert remedy in wrong(findings)[f"alice at {endpoint.address}"]


async def test_a_refused_login_and_a_closed_port_say_what_to_look_at(freeswitch: ScriptedFreeswitch):
    freeswitch.answers["auth"] = lambda _: "-ERR invalid"
    assert "callcontrol-user.xml" in wrong(await check(freeswitch))["ESL login"]
    closed = FreeswitchPbx(replace(QUICK, port=1))
    assert "event_socket.conf.xml" in wrong(await closed.check([]))["ESL login"]
