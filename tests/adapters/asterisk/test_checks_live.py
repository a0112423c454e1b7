"""`check` against a real Asterisk, as it is and with something missing."""

from dataclasses import replace
from datetime import UTC

import pytest

from callcontrol.adapters.asterisk import AsteriskPbx
from callcontrol.core.model import AcceptBy, Agent, AgentId, Endpoint, EndpointKind
from callcontrol.ports import Finding
from tests.adapters.asterisk.conftest import settings_of
from tests.lab import Lab


def agent(name: str, kind: EndpointKind = EndpointKind.EXTENSION) -> Agent:
    endpoint = Endpoint(kind=kind, address=name, accept_by=AcceptBy.ANSWER)
    return Agent(
        id=AgentId(name),
        name=name,
        active=True,
        available=True,
        zone=UTC,
        schedule=(),
        endpoints=(endpoint,),
    )


async def findings(lab: Lab, *agents: Agent, **changes: object) -> dict[str, Finding]:
    found = await AsteriskPbx(replace(settings_of(lab), **changes)).check(agents)
    return {finding.subject: finding for finding in found}


async def test_a_switch_set_up_by_the_book_has_nothing_to_complain_of(lab: Lab):
    found = await findings(lab, agent("alice"), agent("Local/101@agents", EndpointKind.DIAL))
    assert [finding for finding in found.values() if not finding.ok] == []
    assert found["AMI rights, surplus"].detail == "no more than needed"
    assert found["alice at alice"].detail == "PJSIP/alice NOT_INUSE"
    assert {"phones' states", "agents' lamps", "dialplan callcontrol-codes"} <= found.keys()


async def test_a_filter_that_keeps_phones_states_from_us_is_named(lab: Lab):
    rights = lab.pbx.dir / "etc" / "manager.callcontrol.conf"
    as_it_was = rights.read_text()
    try:
        lines = as_it_was.splitlines(keepends=True)
        rights.write_text("".join(line for line in lines if "DeviceStateChange" not in line))
        await lab.pbx.cli("manager reload")
        found = (await findings(lab))["AMI events"]
        assert not found.ok
        assert found.remedy.startswith("DeviceStateChange (call) did not come")
    finally:
        rights.write_text(as_it_was)
        await lab.pbx.cli("manager reload")


async def module(lab: Lab, action: str) -> None:
    await lab.pbx.ami.action("ModuleLoad", Module="res_manager_devicestate.so", LoadType=action)


async def test_a_switch_that_can_not_list_its_phones_is_named(lab: Lab):
    try:
        await module(lab, "unload")
        found = await findings(lab)
        assert "res_manager_devicestate" in found["phones' states"].remedy
        assert found["AMI rights"].ok
    finally:
        await module(lab, "load")


async def test_an_older_dialplan_has_no_codes_and_no_lamps(lab: Lab):
    shipped = lab.pbx.dir / "etc" / "callcontrol.conf"
    as_it_was = shipped.read_text()
    try:
        shipped.write_text(as_it_was.partition("[callcontrol-codes]")[0])
        await lab.pbx.cli("dialplan reload")
        found = await findings(lab)
        assert "*50, *51, *52, *53 missing" in found["dialplan callcontrol-codes"].remedy
        assert not found["agents' lamps"].ok
    finally:
        shipped.write_text(as_it_was)
        await lab.pbx.cli("dialplan reload")


async def test_every_endpoint_that_could_not_ring_is_named(lab: Lab):
    found = await findings(
        lab, agent("eve"), agent("nobody"), agent("a b"), agent("Local/x@nowhere", EndpointKind.DIAL)
    )
    assert "not registered" in found["eve at eve"].remedy
    assert "not known" in found["nobody at nobody"].remedy
    assert not found["a b at a b"].ok
    assert "nowhere" in found["Local/x@nowhere at Local/x@nowhere"].remedy


@pytest.mark.parametrize(("change", "word"), [({"secret": "wrong"}, "secret"), ({"port": 1}, "AMI")])
async def test_a_switch_that_does_not_let_us_in_is_one_finding(
    lab: Lab, change: dict[str, object], word: str
):
    found = await findings(lab, **change)
    assert list(found) == ["AMI login"]
    assert word in found["AMI login"].remedy
    assert "wrong" not in str(found)


async def test_rights_that_are_missing_or_too_many_are_named(lab: Lab):
    settings = lab.pbx.dir / "etc" / "manager.callcontrol.conf"
    as_it_was = settings.read_text()
    try:
        settings.write_text(as_it_was.replace("write = call,originate,reporting", "write = call,command"))
        await lab.pbx.cli("manager reload")
        found = await findings(lab)
        assert "originate" in found["AMI rights"].remedy
        assert "command" in found["AMI rights, surplus"].detail
    finally:
        settings.write_text(as_it_was)
        await lab.pbx.cli("manager reload")


async def test_an_event_that_is_filtered_away_is_named(lab: Lab):
    settings = lab.pbx.dir / "etc" / "manager.callcontrol.conf"
    as_it_was = settings.read_text()
    try:
        settings.write_text(as_it_was.replace("eventfilter(action(include),name(DialBegin)) =\n", ""))
        await lab.pbx.cli("manager reload")
        assert "DialBegin (call)" in (await findings(lab))["AMI events"].remedy
    finally:
        settings.write_text(as_it_was)
        await lab.pbx.cli("manager reload")
