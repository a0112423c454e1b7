"""What outside systems are told of whole transfers, on the simulated switch and a real database."""

import json
from functools import partial

import pytest

from callcontrol.adapters.simulated import Behaviour
from callcontrol.adapters.simulated.pbx import Does
from callcontrol.adapters.sql import Planned, SqlStore
from callcontrol.core.hooks import HookEvent
from callcontrol.core.model import LeadId, OutcomeActions
from callcontrol.ports import MessageKind, Subscription, Which
from tests.shell.office import ANSWERS, MOBILE, directory, office

CRM = Subscription(endpoint="crm", events=frozenset(HookEvent))
RINGS = Behaviour(does=Does.RINGS)
ACCEPTS = Behaviour(does=Does.ANSWERS, after_s=2.0, presses_after_s=1.5)


@pytest.fixture
def listening():
    return partial(SqlStore, subscriptions=(CRM,))


async def told(at):
    """In the order in which they go out."""
    found = await at.store.messages(Which(kind=MessageKind.WEBHOOK), 100)
    return [json.loads(message.body) for message in sorted(found, key=lambda message: message.id)]


async def test_a_connected_lead_is_told_step_by_step(tmp_path, listening):
    async with office(tmp_path, store_class=listening, alice=ANSWERS) as at:
        await at.store.enrol(LeadId("lea"), "seven days", (Planned(name="text"),))
        call, transfer = await at.asks()
        await at.passes(2)
        at.pbx.hangs_up(call.bot)
        await at.passes(1)
        hooks = await told(at)
        assert [hook["type"] for hook in hooks] == [
            "transfer.requested",
            "transfer.ringing",
            "transfer.connected",
            "cadence.cancelled",
        ]
        assert {hook["data"]["lead"]["id"] for hook in hooks} == {"lea"}
        assert hooks[1]["data"]["ringing"] == [{"agent": "alice", "label": "Alice"}]
        connected = hooks[2]["data"]
        assert (connected["transfer"], connected["by"], connected["agent"]) == (
            transfer,
            "assigned_agent",
            "alice",
        )
        assert (hooks[3]["data"]["by"], hooks[3]["data"]["why"]) == (transfer, "connected: assigned_agent")


async def test_the_outbox_hears_of_what_is_to_be_told_when_it_has_been_written(tmp_path, listening):
    async with office(tmp_path, store_class=listening, alice=ANSWERS) as at:
        await at.asks()
        assert (at.phases, [hook["type"] for hook in await told(at)]) == (1, ["transfer.requested"])
        await at.passes(0.5)
        kinds = ["transfer.requested", "transfer.ringing"]
        assert (at.phases, [hook["type"] for hook in await told(at)]) == (2, kinds)
        await at.passes(2)
        assert at.phases == 2, "what only the bot is told wakes nobody"


async def test_each_attempt_that_rings_is_told_once(tmp_path, listening):
    phones = {"alice": RINGS, "bob": RINGS, "carol": RINGS, MOBILE: ACCEPTS}
    async with office(tmp_path, store_class=listening, **phones) as at:
        call, _ = await at.asks()
        await at.passes(80)
        at.pbx.hangs_up(call.bot)
        await at.passes(2)
        hooks = await told(at)
        attempts = [hook["data"]["attempt"] for hook in hooks if hook["type"] == "transfer.ringing"]
        assert attempts == sorted(set(attempts))
        assert len(attempts) >= 2
        assert hooks[-1]["type"] == "transfer.connected"
        assert (hooks[-1]["data"]["by"], hooks[-1]["data"]["agent"]) == ("fallback", None)


async def test_a_missed_lead_is_told_before_what_it_brings(tmp_path, listening):
    async with office(tmp_path, store_class=listening, alice=RINGS) as at:
        call, _ = await at.asks()
        await at.passes(1)
        at.pbx.hangs_up(call.lead)
        await at.passes(1)
        kinds = [hook["type"] for hook in await told(at)]
        assert kinds[:3] == ["transfer.requested", "transfer.ringing", "transfer.missed"]
        missed = next(hook for hook in await told(at) if hook["type"] == "transfer.missed")
        assert (missed["data"]["because"], missed["data"]["follow_up"]) == ("lead_hung_up", True)


async def test_a_bot_may_keep_its_outcomes_to_itself(tmp_path, listening):
    people = directory(on_missed=OutcomeActions(create_task=False, webhook=False))
    async with office(tmp_path, store_class=listening, people=people, alice=RINGS) as at:
        _, transfer = await at.asks()
        await at.passes(1)
        await at.switchboard.cancel(transfer, follow_up=True)
        await at.passes(1)
        assert [hook["type"] for hook in await told(at)] == ["transfer.requested", "transfer.ringing"]
        assert (await at.row(transfer)).outcome is not None
