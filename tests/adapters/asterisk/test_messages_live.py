"""Texts to phones, by a real Asterisk: what the phone gets, and which right it takes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from callcontrol.adapters.asterisk import AsteriskPbx
from callcontrol.adapters.sms.sip_message import SipMessageGateway
from callcontrol.ports import Message, PortError, UnreachableError
from tests.adapters.asterisk.conftest import settings_of
from tests.adapters.asterisk.desk import Desk
from tests.adapters.asterisk.test_checks_live import agent, findings
from tests.adapters.asterisk.test_phones_live import phone
from tests.lab import Lab
from tests.lab.sip import ReceivedMessage

RIGHT = "write = call,originate,reporting,message"


@asynccontextmanager
async def with_the_right(lab: Lab) -> AsyncIterator[None]:
    """As the contract says: one line more below the manager user's secret."""
    manager = lab.pbx.dir / "etc" / "manager.conf"
    as_it_was = manager.read_text()
    head, user, rest = as_it_was.partition("(callcontrol-rights)\n")
    try:
        manager.write_text(f"{head}{user}{RIGHT}\n{rest}")
        await lab.pbx.cli("manager reload")
        yield
    finally:
        manager.write_text(as_it_was)
        await lab.pbx.cli("manager reload")


@asynccontextmanager
async def linked(lab: Lab) -> AsyncIterator[AsteriskPbx]:
    """In a session that began after the rights were changed."""
    desk = Desk(AsteriskPbx(replace(settings_of(lab), sends_messages=True)), lab)
    running = asyncio.create_task(desk.pbx.run(desk.take))
    try:
        await desk.linked()
        assert isinstance(desk.pbx, AsteriskPbx)
        yield desk.pbx
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def text(to: str, body: str) -> Message:
    return Message(id=1, dedupe_key="t1:missed:agent", to=to, body=body, recipient="agent")


async def test_a_text_reaches_the_agents_own_phone(lab: Lab):
    body = 'Missed live transfer: Lea "Zwo" Größe 😀\nPlease call them back ASAP.' + " x" * 280
    async with with_the_right(lab), linked(lab) as pbx:

        async def agents():
            return [
                replace(agent("bob"), phone="+13035550199"),
                replace(agent("alice"), phone="+13035550101"),
            ]

        gateway = SipMessageGateway(pbx, agents)
        await gateway.send(text("+13035550101", body))

        def taken() -> ReceivedMessage | None:
            return next((one for one in lab.messages_received("alice") if one.status), None)

        got = await lab.wait_until(taken, what="the phone to take the message")
        assert (got.body, got.status) == (body, 202)
        assert got.content_type.startswith("text/plain")
        assert "callcontrol" in got.sender
        assert lab.messages_received("bob") == []
        with pytest.raises(UnreachableError):
            await gateway.send(text("eve", "hello"))
        with pytest.raises(PortError, match="no desk phone"):
            await gateway.send(text("+13035550177", "hello"))
        with pytest.raises(PortError, match="740 bytes"):
            await pbx.message(phone("alice"), "ü" * 400)


async def test_without_the_right_nothing_is_sent_and_it_is_said(lab: Lab):
    async with linked(lab) as pbx:
        with pytest.raises(PortError, match="write = message") as refused:
            await pbx.message(phone("alice"), "hello")
        assert refused.value.retryable, "it goes out once the right is there"
    assert lab.messages_received("alice") == []


async def test_check_names_the_right_where_it_is_missing_and_where_it_is_not_needed(lab: Lab):
    missing = (await findings(lab, sends_messages=True))["AMI rights"]
    assert (missing.ok, missing.remedy) == (False, "add to `write` of the manager user: message")
    async with with_the_right(lab):
        found = await findings(lab, sends_messages=True)
        assert found["AMI rights"].ok
        assert found["AMI rights, surplus"].detail == "no more than needed"
        unused = await findings(lab)
        assert "message" in unused["AMI rights, surplus"].detail
