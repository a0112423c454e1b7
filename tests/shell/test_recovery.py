"""The daemon dies, the link is cut, the switch restarts: one outcome each, and no call dropped."""

import pytest

from callcontrol.adapters.simulated import Behaviour
from callcontrol.adapters.simulated.pbx import Does
from callcontrol.adapters.sql import SqlStore
from callcontrol.core.model import Connected, LegFate, Missed, MissedBecause
from callcontrol.ports import KeyReusedError, StoreError, TransferRow
from tests.adapters.store import people as p
from tests.shell.office import Office, directory, office

RINGS_LONG = Behaviour(does=Does.ANSWERS, after_s=10.0)
STAYS = Behaviour(does=Does.ANSWERS, after_s=1.0)


async def restart(at: Office) -> None:
    at.open_switchboard()
    await at.until_ready()
    await at.passes(0.1)


async def test_a_daemon_that_comes_back_finds_the_phone_still_ringing(tmp_path):
    async with office(tmp_path, alice=RINGS_LONG) as at:
        call, transfer = await at.asks()
        await at.passes(3)
        await at.dies()
        await at.clock.advance(3)
        await restart(at)
        await at.passes(5)
        assert at.verbs("ring") == ["ring alice"]
        at.pbx.hangs_up(call.bot)
        await at.passes(1)
        assert isinstance((await at.row(transfer)).outcome, Connected)


async def test_a_phone_answered_while_the_daemon_was_dead_is_joined(tmp_path):
    async with office(tmp_path, alice=RINGS_LONG) as at:
        call, transfer = await at.asks(at.pbx.call(bot_leg=False))
        await at.passes(3)
        await at.dies()
        await at.clock.advance(10)
        assert not at.pbx.talking(call.lead)
        await restart(at)
        assert (await at.legs(transfer))["alice"].joined_at is not None


async def test_who_goes_straight_to_the_lead_does_so_with_the_daemon_dead_and_is_found_there(tmp_path):
    async with office(tmp_path, alice=RINGS_LONG) as at:
        call, transfer = await at.asks()
        await at.passes(3)
        await at.dies()
        await at.clock.advance(10)
        leg = (await at.legs(transfer))["alice"]
        assert leg.joined_at is None
        assert at.pbx.talking(call.lead) == {call.bot, leg.leg.id}
        await restart(at)
        assert (await at.legs(transfer))["alice"].joined_at is not None
        assert at.pbx.talking(call.lead) == {call.bot, leg.leg.id}


@pytest.mark.parametrize("after", [0.0, 0.005, 0.5, 1.0, 1.002, 1.2, 3.0])
async def test_whenever_the_daemon_dies_there_is_one_outcome_and_the_call_lives(tmp_path, after):
    people = directory(fallbacks=())
    async with office(tmp_path, people=people, alice=STAYS, bob=STAYS) as at:
        call, transfer = await at.asks()
        await at.passes(after)
        await at.dies()
        await at.clock.advance(2)
        assert call.lead in at.pbx.channels
        await restart(at)
        await at.passes(10)
        await at.switchboard.handoff_finished(transfer)
        await at.passes(10)
        assert isinstance((await at.row(transfer)).outcome, Connected)
        assert call.lead in at.pbx.channels
        texts = await p.claim(at.store, 10, at.clock.now(), 30)
        assert len(texts) == 2


async def test_a_link_cut_and_restored_changes_nothing_for_the_phones(tmp_path):
    async with office(tmp_path, alice=RINGS_LONG) as at:
        _, transfer = await at.asks()
        await at.passes(3)
        at.pbx.loses_link()
        await at.passes(9)
        at.pbx.regains_link()
        await at.passes(0.1)
        assert at.verbs("ring") == ["ring alice"]
        assert (await at.legs(transfer))["alice"].joined_at is not None


async def test_a_switch_that_restarted_means_missed_with_task_and_texts(tmp_path):
    async with office(tmp_path) as at:
        _, transfer = await at.asks()
        await at.passes(3)
        at.pbx.restarts()
        await at.passes(2)
        at.pbx.regains_link()
        await at.passes(0.1)
        assert (await at.row(transfer)).outcome == Missed(because=MissedBecause.PBX_RESTARTED)
        assert len(await at.store.tasks(10)) == 1
        assert (await at.legs(transfer))["alice"].fate is LegFate.LOST
        assert at.switchboard.live == 0


async def test_a_switch_that_restarted_while_the_daemon_was_dead_is_noticed(tmp_path):
    async with office(tmp_path) as at:
        _, transfer = await at.asks()
        await at.passes(3)
        await at.dies()
        at.pbx.restarts()
        at.pbx.up = True
        await restart(at)
        assert (await at.row(transfer)).outcome == Missed(because=MissedBecause.PBX_RESTARTED)


async def test_a_key_is_remembered_over_a_restart(tmp_path):
    async with office(tmp_path) as at:
        call, transfer = await at.asks(key="k")
        await at.dies()
        await restart(at)
        assert (await at.asks(call, key="k"))[1] == transfer
        with pytest.raises(KeyReusedError):
            await at.asks(key="k")


async def test_legs_left_over_from_a_finished_transfer_are_hung_up(tmp_path):
    async with office(tmp_path) as at:
        _, transfer = await at.asks()
        await at.passes(1)
        at.pbx.loses_link()
        await at.passes(31)
        assert (await at.row(transfer)).outcome == Missed(because=MissedBecause.PBX_LOST)
        at.pbx.regains_link()
        await at.passes(0.1)
        assert [c for c in at.pbx.channels.values() if c.leg is not None] == []
        assert at.switchboard.live == 0


class Late(SqlStore):
    """Stores the transfer, and the first answer comes too late."""

    answered = False

    async def open(self, *arguments, **more) -> TransferRow:
        row = await super().open(*arguments, **more)
        if not self.answered:
            self.answered = True
            raise StoreError("no answer for 5 s", retryable=True)
        return row


@pytest.mark.parametrize("asked_again", [False, True])
async def test_a_transfer_stored_after_all_is_not_left_alone(tmp_path, asked_again):
    async with office(tmp_path, store_class=Late, bob=STAYS) as at:
        call = at.pbx.call()
        with pytest.raises(StoreError):
            await at.asks(call, key="k")
        if asked_again:
            await at.asks(call, key="k")
        await at.passes(2.1)
        await at.until_live()
        await at.passes(4)
        (row,) = await at.store.transfers(10)
        assert at.verbs("ring") == ["ring bob", "ring carol"]
        await at.switchboard.handoff_finished(row.id)
        await at.passes(1)
        assert isinstance((await at.row(row.id)).outcome, Connected)


async def test_a_transfer_stored_after_all_whose_lead_is_gone_is_missed(tmp_path):
    async with office(tmp_path, store_class=Late) as at:
        call = at.pbx.call()
        with pytest.raises(StoreError):
            await at.asks(call)
        at.pbx.hangs_up(call.lead)
        await at.passes(2.1)
        row = await at.until_closed()
        assert row.outcome == Missed(because=MissedBecause.LEAD_HUNG_UP)
