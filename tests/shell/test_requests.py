import asyncio
import sqlite3
from contextlib import closing

import pytest

from callcontrol.adapters.sql import SqlStore
from callcontrol.core.model import BotId, LeadId
from callcontrol.ports import (
    ChannelBusyError,
    ChannelUnknownError,
    KeyReusedError,
    PortError,
    Request,
    TransferAsked,
    UnknownError,
)
from tests.shell.office import ANSWERS, directory, office


async def test_the_same_key_is_the_same_transfer(tmp_path):
    async with office(tmp_path) as at:
        call, first = await at.asks(key="k")
        answers = await asyncio.gather(*(at.asks(call, key="k") for _ in range(20)))
        assert {transfer for _, transfer in answers} == {first}
        await at.passes(1)
        assert at.verbs("ring") == ["ring alice"]


async def test_the_same_key_at_the_same_instant_is_one_transfer(tmp_path):
    async with office(tmp_path) as at:
        call = at.pbx.call()
        answers = await asyncio.gather(*(at.asks(call, key="k") for _ in range(50)))
        assert len({transfer for _, transfer in answers}) == 1


class Slow(SqlStore):
    async def record(self, transition):
        await asyncio.sleep(0.05)
        await super().record(transition)


async def test_whoever_has_been_answered_finds_the_transfer_in_the_database(tmp_path):
    async with office(tmp_path, store_class=Slow, alice=ANSWERS) as at:
        await at.store.ping()
        _, transfer = await at.asks()
        with closing(sqlite3.connect(tmp_path / "office.db")) as database:
            assert database.execute("SELECT id FROM transfer").fetchall() == [(transfer,)]
            assert database.execute("SELECT transfer_id FROM leg").fetchall() == [(transfer,)]


class Stuck(SqlStore):
    """A store that opens transfers, and then keeps nothing until it is freed."""

    freed: asyncio.Event

    async def record(self, transition):
        await self.freed.wait()
        await super().record(transition)


async def test_a_database_that_is_stuck_keeps_nobody_waiting_who_asked(tmp_path):
    async with office(tmp_path, store_class=Stuck, alice=ANSWERS) as at:
        at.store.freed = asyncio.Event()
        asking = asyncio.create_task(at.asks())
        while not at.verbs("ring"):
            await asyncio.sleep(0.001)
        _, transfer = await asyncio.wait_for(asking, 1.5)  # a dialplan waits for two seconds
        at.store.freed.set()
        await at.passes(2)
        assert (await at.legs(transfer))["alice"].joined_at is not None


async def test_a_key_used_for_something_else_is_refused(tmp_path):
    async with office(tmp_path) as at:
        await at.asks(key="k")
        with pytest.raises(KeyReusedError):
            await at.asks(key="k")


async def test_a_channel_already_in_a_transfer_is_refused(tmp_path):
    async with office(tmp_path) as at:
        call, transfer = await at.asks()
        with pytest.raises(ChannelBusyError) as refused:
            await at.asks(call)
        assert refused.value.transfer_id == transfer


async def test_a_lead_whose_transfer_was_missed_may_be_asked_for_again_at_once(tmp_path):
    async with office(tmp_path, people=directory(fallbacks=())) as at:
        for name in ("alice", "bob", "carol"):
            await at.store.set_available(name, available=False)
        call, missed = await at.asks()
        _, again = await at.asks(call)
        assert again != missed
        await at.store.set_available("alice", available=True)
        _, third = await at.asks(call)
        await at.passes(0.1)
        assert at.verbs("ring") == ["ring alice"]
        assert (await at.row(third)).outcome is None


async def test_what_is_unknown_is_named_and_nothing_rings(tmp_path):
    async with office(tmp_path) as at:
        call = at.pbx.call()
        with pytest.raises(UnknownError, match="bot 'hal'"):
            await at.asks(call, bot="hal")
        with pytest.raises(UnknownError, match="lead 'nobody'"):
            await at.asks(call, lead="nobody")
        unknown = Request(bot_id=BotId("sami"), lead=LeadId("lea"), channel="gone", summary="", key="k")
        with pytest.raises(ChannelUnknownError):
            await at.switchboard.request(unknown)
        await at.passes(1)
        assert at.verbs("ring") == []
        assert at.switchboard.live == 0
        await at.asks(call)  # the refusals left nothing behind


async def test_without_a_link_a_request_is_refused_for_now(tmp_path):
    async with office(tmp_path) as at:
        at.pbx.loses_link()
        with pytest.raises(PortError) as refused:
            await at.asks()
        assert refused.value.retryable


async def test_the_dialplan_asks_and_is_answered(tmp_path):
    async with office(tmp_path, alice=ANSWERS) as at:
        call = at.pbx.call(bot_leg=False)
        asked = TransferAsked(channel=call.lead, lead_id="lea", bot_id="sami", summary="Sells.", key="")
        at.switchboard._report(asked)
        await at.passes(0.2)
        (row,) = await at.store.transfers(10)
        assert at.verbs("acknowledge") == [f"acknowledge {row.id}"]


async def test_the_dialplan_may_bring_a_lead_nobody_knows(tmp_path):
    async with office(tmp_path) as at:
        call = at.pbx.call(bot_leg=False)
        lead = {"name": "Max\r\nAction: Originate", "phone": "+1 (555) 010-7777", "source": "Web"}
        at.switchboard._report(
            TransferAsked(channel=call.lead, lead_id="", bot_id="sami", summary="", key="", lead=lead)
        )
        await at.passes(0.2)
        (row,) = await at.store.transfers(10)
        assert (row.lead.name, row.lead.phone) == ("Max Action: Originate", "+15550107777")


async def test_a_refused_dialplan_hears_why(tmp_path):
    async with office(tmp_path) as at:
        call = at.pbx.call(bot_leg=False)
        at.switchboard._report(
            TransferAsked(channel=call.lead, lead_id="lea", bot_id="hal", summary="", key="")
        )
        await at.passes(0.2)
        assert at.verbs("acknowledge") == ["acknowledge no bot 'hal'"]
