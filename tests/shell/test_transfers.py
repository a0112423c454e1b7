import asyncio
from dataclasses import replace

import pytest

from callcontrol.adapters.simulated import Behaviour
from callcontrol.adapters.simulated.pbx import Does
from callcontrol.core.events import Phase
from callcontrol.core.model import (
    All,
    Connected,
    ConnectedBy,
    HandoffStyle,
    LegFate,
    Missed,
    MissedBecause,
    Pattern,
    Pool,
    PoolId,
    Rule,
)
from callcontrol.ports import HandoffDone, UnknownError
from tests.adapters.store import people as p
from tests.shell.office import ANSWERS, FRONT_DESK, MOBILE, SilentSpeech, agent, directory, office

BUSY = Behaviour(does=Does.BUSY, after_s=0.2)
VOICEMAIL = Behaviour(does=Does.ANSWERS, after_s=2.0)
ACCEPTS = Behaviour(does=Does.ANSWERS, after_s=2.0, presses_after_s=1.5)


async def test_the_assigned_agent_answers_and_the_bot_hands_over(tmp_path):
    async with office(tmp_path, alice=ANSWERS) as at:
        assert not at.switchboard.deciding
        call, transfer = await at.asks()
        assert at.switchboard.deciding
        await at.passes(2)
        assert call.lead in at.pbx.talking(call.bot)
        at.pbx.hangs_up(call.bot)
        await at.passes(1)
        assert (at.switchboard.deciding, at.switchboard.live) == (False, 1)
        row = await at.row(transfer)
        assert isinstance(row.outcome, Connected)
        assert row.outcome.by is ConnectedBy.ASSIGNED_AGENT
        leg = (await at.legs(transfer))["alice"]
        assert leg.fate is LegFate.ANSWERED
        assert leg.answer_delay_s == pytest.approx(0.99)
        assert at.outcomes == 1
        assert {text.state for text in await p.texts(at.store, transfer)} == {"queued"}
        texts = await p.claim(at.store, 10, at.clock.now(), 30)
        assert {text.to for text in texts} == {"+15550111", "+15550199"}
        for text in texts:
            await at.store.message_sent(text, at.clock.now(), "")
        assert {text.state for text in await p.texts(at.store, transfer)} == {"sent"}


async def test_nobody_answers_then_the_group_then_a_fallback_accepts(tmp_path):
    phones = {"alice": BUSY, MOBILE: VOICEMAIL, FRONT_DESK: ACCEPTS}
    async with office(tmp_path, **phones) as at:
        call, transfer = await at.asks()
        await at.passes(1)
        assert at.verbs("ring") == ["ring alice", "ring bob", "ring carol"]
        await at.passes(35.2)
        assert at.verbs("ring")[-1] == f"ring {MOBILE}"
        await at.passes(23)
        assert at.verbs("ring")[-1] == f"ring {FRONT_DESK}"
        await at.passes(4)
        await at.switchboard.handoff_finished(transfer)
        await at.passes(1)
        assert (await at.row(transfer)).outcome.by is ConnectedBy.FALLBACK
        fates = {address: record.fate for address, record in (await at.legs(transfer)).items()}
        assert fates == {
            "alice": LegFate.BUSY,
            "bob": LegFate.NO_ANSWER,
            "carol": LegFate.NO_ANSWER,
            MOBILE: LegFate.NOT_ACCEPTED,
            FRONT_DESK: LegFate.ANSWERED,
        }
        assert at.pbx.talking(call.lead) == {(await at.legs(transfer))[FRONT_DESK].leg.id}


async def test_an_agent_off_duty_costs_no_time(tmp_path):
    async with office(tmp_path, bob=ANSWERS) as at:
        await at.store.set_available("alice", available=False)
        await at.asks()
        await at.passes(0.1)
        assert at.verbs("ring") == ["ring bob", "ring carol"]


async def test_availability_is_looked_up_when_the_attempt_starts(tmp_path):
    async with office(tmp_path, alice=BUSY) as at:
        await at.asks()
        await at.passes(0.1)
        await at.store.set_available("bob", available=False)
        await at.passes(1)
        assert at.verbs("ring") == ["ring alice", "ring carol"]


async def test_nobody_at_all_leaves_a_task_and_texts(tmp_path):
    async with office(tmp_path, people=directory(fallbacks=())) as at:
        for name in ("alice", "bob", "carol"):
            await at.store.set_available(name, available=False)
        _, transfer = await at.asks()
        await at.passes(0.1)
        assert (await at.row(transfer)).outcome == Missed(because=MissedBecause.NO_ONE_AVAILABLE)
        (task,) = await at.store.tasks(10)
        assert task.transfer_id == transfer
        texts = await p.claim(at.store, 10, at.clock.now(), 30)
        assert len(texts) == 2
        assert all("Please call them back ASAP" in text.body for text in texts)


async def test_a_missed_lead_without_a_bot_leg_is_given_back(tmp_path):
    async with office(tmp_path, people=directory(fallbacks=(), missed_goto="voicebot,s,1")) as at:
        for name in ("alice", "bob", "carol"):
            await at.store.set_available(name, available=False)
        await at.asks(at.pbx.call(bot_leg=False))
        await at.passes(0.1)
        assert at.verbs("return_lead") == ["return_lead voicebot,s,1"]


async def test_the_lead_hangs_up_and_every_phone_stops(tmp_path):
    async with office(tmp_path, alice=BUSY) as at:
        call, transfer = await at.asks()
        await at.passes(5)
        at.pbx.hangs_up(call.lead)
        await at.passes(0.1)
        assert at.verbs("hang_up") == ["hang_up lead_hung_up"] * 2
        assert (await at.row(transfer)).outcome == Missed(because=MissedBecause.LEAD_HUNG_UP)
        assert at.switchboard.live == 0


async def test_a_lead_that_hung_up_before_anyone_watched_is_noticed(tmp_path):
    async with office(tmp_path) as at:
        call = at.pbx.call()
        asking = asyncio.create_task(at.asks(call))
        while not at.pbx._watched:
            await asyncio.sleep(0)
        del at.pbx.channels[call.lead]
        _, transfer = await asking
        await at.passes(0.1)
        assert (await at.row(transfer)).outcome == Missed(because=MissedBecause.LEAD_HUNG_UP)


async def test_the_bot_is_told_every_phase_and_can_take_up_where_it_left(tmp_path):
    async with office(tmp_path, alice=ANSWERS) as at:
        call, transfer = await at.asks()
        following = asyncio.create_task(at.told(transfer))
        await at.passes(2)
        at.pbx.hangs_up(call.bot)
        await at.passes(1)
        at.pbx.hangs_up(call.lead)
        await at.passes(1)
        phases = [told.phase for told in await following]
        assert phases == [
            Phase.LOOKING,
            Phase.RINGING,
            Phase.ANSWERED,
            Phase.JOINED,
            Phase.CONNECTED,
            Phase.ENDED,
        ]
        assert [told.phase for told in await at.told(transfer, after=4)] == phases[4:]
        assert await at.told(transfer, after=6) == []


async def test_an_unknown_transfer_has_no_phases(tmp_path):
    async with office(tmp_path) as at:
        with pytest.raises(UnknownError):
            await at.told("nothing")
        with pytest.raises(UnknownError):
            await at.switchboard.cancel("nothing", follow_up=True)


async def test_a_cancel_ends_the_ringing_and_comes_too_late_afterwards(tmp_path):
    async with office(tmp_path) as at:
        _, transfer = await at.asks()
        await at.passes(1)
        assert not await at.switchboard.handoff_finished(transfer)
        assert await at.switchboard.cancel(transfer, follow_up=False)
        await at.passes(1)
        outcome = (await at.row(transfer)).outcome
        assert outcome == Missed(because=MissedBecause.CANCELLED, follow_up=False)
        assert len(await at.store.tasks(10)) == 0
        assert not await at.switchboard.cancel(transfer, follow_up=False)


# --- handing off


async def test_whisper_plays_the_overview_to_the_agent_alone(tmp_path):
    people = directory(handoff=HandoffStyle.WHISPER)
    speech = SilentSpeech()
    async with office(tmp_path, speech=speech, people=people, alice=ANSWERS) as at:
        call, transfer = await at.asks()
        await at.passes(3)
        assert speech.rendered == ["Lea wants to sell a house."]
        assert at.verbs("brief") == ["brief /sounds/1.wav"]
        assert at.pbx.talking(call.lead) == {call.bot}
        await at.passes(5)
        assert at.pbx.talking(call.lead) == {(await at.legs(transfer))["alice"].leg.id}


async def test_without_a_voice_whisper_joins_at_once(tmp_path):
    people = directory(handoff=HandoffStyle.WHISPER)
    async with office(tmp_path, speech=SilentSpeech(fails=True), people=people, alice=ANSWERS) as at:
        _, transfer = await at.asks()
        await at.passes(2)
        assert at.verbs("brief") == []
        assert isinstance((await at.row(transfer)).outcome, Connected)


async def test_an_application_bot_is_replaced_by_the_announcement(tmp_path):
    speech = SilentSpeech()
    async with office(tmp_path, speech=speech, alice=ANSWERS) as at:
        _call, transfer = await at.asks(at.pbx.call(bot_leg=False))
        await at.passes(3)
        assert at.verbs("announce") == ["announce /sounds/1.wav, /sounds/2.wav"]
        assert speech.rendered[1] == "I'll let you guys take it from here."
        await at.passes(5)
        assert isinstance((await at.row(transfer)).outcome, Connected)


async def test_an_announcement_without_a_voice_is_over_at_once(tmp_path):
    async with office(tmp_path, alice=ANSWERS) as at:
        _, transfer = await at.asks(at.pbx.call(bot_leg=False))
        await at.passes(3)
        assert isinstance((await at.row(transfer)).outcome, Connected)


async def test_the_dialplan_may_say_that_the_bot_has_spoken(tmp_path):
    async with office(tmp_path, alice=ANSWERS) as at:
        call, transfer = await at.asks()
        await at.passes(3)
        at.switchboard._report(HandoffDone(channel=call.bot))
        await at.passes(1)
        assert isinstance((await at.row(transfer)).outcome, Connected)


async def test_an_agent_who_leaves_during_the_handoff_is_followed_by_the_next(tmp_path):
    leaves = Behaviour(does=Does.ANSWERS, after_s=1, hangs_up_after_s=3)
    async with office(tmp_path, alice=leaves, bob=ANSWERS) as at:
        call, transfer = await at.asks()
        await at.passes(6)
        at.pbx.hangs_up(call.bot)
        await at.passes(1)
        row = await at.row(transfer)
        assert row.outcome.by is ConnectedBy.POOL_AGENT
        assert (await at.legs(transfer))["alice"].fate is LegFate.HUNG_UP


# --- many


async def test_two_hundred_transfers_at_once_each_have_their_own_outcome(tmp_path):
    names = [f"agent{n}" for n in range(200)]
    people, team = directory(pattern=Pattern.GROUP), tuple(agent(name, 1) for name in names)
    one_each = Pool(id=PoolId("all"), name="All", agent_ids=tuple(a.id for a in team), at_once=1)
    people = replace(
        people,
        agents=people.agents + team,
        pools=(one_each,),
        rules=(Rule(name="all", when=All(), pool_id=one_each.id),),
    )
    async with office(tmp_path, people=people, **dict.fromkeys(names, ANSWERS)) as at:
        transfers = [(await at.asks())[1] for _ in range(200)]
        await at.passes(2)
        for transfer in transfers:
            await at.switchboard.handoff_finished(transfer)
        await at.passes(1)
        rows = await at.store.transfers(300)
        assert sum(isinstance(row.outcome, Connected) for row in rows) == 200
