"""Agents' phones on the simulated switch."""

import pytest

from callcontrol.adapters.simulated import SimulatedPbx, VirtualClock
from callcontrol.core.model import AgentId, AgentState, EndpointKind, LineState
from callcontrol.ports import AgentAsked, AgentWish, ChannelUnknownError, PortError, Report
from tests.adapters.phones import phone


@pytest.fixture
def pbx() -> SimulatedPbx:
    return SimulatedPbx(VirtualClock())


def test_a_phone_is_free_unless_told_otherwise_and_a_number_unknown(pbx: SimulatedPbx):
    pbx.lines["bob"] = LineState.IN_USE
    assert pbx.line(phone("alice")) is LineState.NOT_IN_USE
    assert pbx.line(phone("bob")) is LineState.IN_USE
    assert pbx.line(phone("+4930123456", EndpointKind.NUMBER)) is LineState.UNKNOWN


async def test_a_code_is_asked_answered_and_the_phone_hangs_up(pbx: SimulatedPbx):
    reports: list[Report] = []
    pbx._report = reports.append
    channel = pbx.dials("alice", AgentWish.REST, 30)
    assert reports == [AgentAsked(channel=channel, address="alice", wish=AgentWish.REST, minutes=30)]
    await pbx.answer_agent(channel, AgentState.RESTING)
    assert pbx.told == {channel: AgentState.RESTING}
    with pytest.raises(ChannelUnknownError):
        await pbx.answer_agent(channel, AgentState.RESTING)


async def test_a_lamp_shows_the_last_state_while_there_is_a_link(pbx: SimulatedPbx):
    alice = AgentId("alice")
    await pbx.show(alice, AgentState.OFF_DUTY)
    await pbx.show(alice, AgentState.AVAILABLE)
    pbx.loses_link()
    with pytest.raises(PortError):
        await pbx.show(alice, AgentState.RESTING)
    assert pbx.lamps == {alice: AgentState.AVAILABLE}
