"""Texts to desk phones: which phone, and what is known of it. See also test_messages_live."""

import pytest

from callcontrol.adapters.simulated import SimulatedPbx, VirtualClock
from callcontrol.adapters.sms.sip_message import SipMessageGateway
from callcontrol.core.model import Agent, AgentId, LineState
from callcontrol.ports import DoubtError, LinkUp, Message, PortError, UnreachableError
from tests.adapters.asterisk.conftest import asterisk, daemon
from tests.adapters.asterisk.scripted import success
from tests.adapters.phones import phone
from tests.adapters.reports import Daemon
from tests.adapters.store import people as p

__all__ = ["asterisk", "daemon"]  # fixtures


def text(to: str, agent_id: AgentId | None = None) -> Message:
    return Message(id=1, dedupe_key="k", to=to, body="Call back.", recipient="agent", agent_id=agent_id)


@pytest.fixture
def pbx() -> SimulatedPbx:
    return SimulatedPbx(clock=VirtualClock())


@pytest.fixture
def gateway(pbx: SimulatedPbx) -> SipMessageGateway:
    async def agents() -> tuple[Agent, ...]:
        return (p.ANN, p.CYD)

    return SipMessageGateway(pbx, agents)


async def test_a_text_goes_to_the_phone_of_the_agent_it_is_for(pbx, gateway):
    await gateway.send(text("+15550199", p.ANN.id))
    await gateway.send(text("+15550199"))  # ann's too; by the number
    await gateway.send(text("2001"))
    assert pbx.messages == [("103", "Call back."), ("103", "Call back."), ("2001", "Call back.")]


async def test_who_has_no_desk_phone_gets_nothing(pbx, gateway):
    for to in ("+15550177", "owner@example.com"):
        with pytest.raises(PortError, match="no desk phone") as refused:
            await gateway.send(text(to))
        assert not refused.value.retryable
    assert pbx.messages == []


async def test_a_phone_that_is_not_registered_is_no_fault_of_the_gateway(pbx, gateway):
    pbx.lines["103"] = LineState.UNREGISTERED
    with pytest.raises(UnreachableError):
        await gateway.send(text("+15550199", p.ANN.id))
    assert pbx.messages == []


async def test_without_a_link_nothing_is_sent(pbx, gateway):
    pbx.loses_link()
    with pytest.raises(PortError, match="no link") as refused:
        await gateway.send(text("2001"))
    assert refused.value.retryable


async def test_a_switch_that_does_not_answer_may_have_sent_it(asterisk, daemon: Daemon):
    await daemon.saw(LinkUp)
    asterisk.answers["MessageSend"] = lambda _: None
    with pytest.raises(DoubtError, match="did not answer"):
        await daemon.pbx.message(phone("alice"), "hello")
    asterisk.answers["MessageSend"] = success
    await daemon.pbx.message(phone("alice"), "hello")
    assert asterisk.actions[-1]["Base64Body"] == "aGVsbG8="
    assert len([name for name in asterisk.names() if name == "MessageSend"]) == 2
