"""Every verb of the port against a real Asterisk: ringing, accepting, and being sent away."""

import asyncio
import time

import pytest

from callcontrol.core import events as e
from callcontrol.core.events import EndedBy, Why
from callcontrol.core.model import AcceptBy
from callcontrol.ports import ChannelUnknownError
from tests.adapters.asterisk.desk import Desk
from tests.lab import (
    Behaviour,
    Busy,
    Forward,
    Lab,
    NotFound,
    Refuse,
    Ring,
    TrunkDown,
    Unavailable,
    Voicemail,
)


async def test_a_phone_shows_who_is_transferred_and_rings_its_own_ring(desk: Desk, lab: Lab):
    await lab.phone("alice").will(Ring())
    leg = await desk.ring("alice", name="Lena Müller-O'Hara Jr.")
    await desk.saw(e.LegRinging, leg.id)
    [shown] = lab.calls_received("alice")
    assert shown.caller_name == "Lena Müller-O'Hara Jr."
    assert shown.caller_number == "+493023125001"
    assert shown.alert_info == "<http://127.0.0.1/warm>;info=warm-transfer"


async def test_a_desk_phone_accepts_by_answering(desk: Desk, lab: Lab):
    leg = await desk.ring("alice")
    await desk.saw(e.LegAnswered, leg.id)
    await desk.saw(e.LegAccepted, leg.id)
    await lab.phone("alice").talks()
    await lab.phone("alice").hang_up()
    ended = await desk.saw(e.LegEnded, leg.id)
    assert (ended.by, ended.cause) == (EndedBy.NORMAL, "16 Normal Clearing")


@pytest.mark.parametrize(
    ("who", "behaviour", "by", "cause"),
    [
        ("alice", Busy(), EndedBy.BUSY, "17"),
        ("alice", Refuse(), EndedBy.DECLINED, "21"),
        ("alice", Refuse(after_s=0.3), EndedBy.DECLINED, "21"),
        ("alice", Unavailable(), EndedBy.NO_ANSWER, "19"),
        ("mobile1", NotFound(), EndedBy.UNREACHABLE, "1"),
        ("mobile1", TrunkDown(), EndedBy.UNREACHABLE, "34"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Behaviour) else str(value),
)
async def test_a_leg_that_is_not_answered_says_why(
    desk: Desk, lab: Lab, who: str, behaviour: Behaviour, by: EndedBy, cause: str
):
    await lab.phone(who).will(behaviour)
    leg = await desk.ring(who)
    ended = await desk.saw(e.LegEnded, leg.id)
    assert ended.by is by
    assert ended.cause.split()[0] == cause


async def test_a_phone_that_forwards_its_calls_gets_no_further(desk: Desk, lab: Lab):
    await lab.phone("alice").will(Forward("+491713920001"))
    leg = await desk.ring("alice")
    ended = await desk.saw(e.LegEnded, leg.id)
    assert ended.by is EndedBy.FORWARDED  # the cause is 23, or now and then 0
    assert lab.calls_received("mobile1") == []
    assert not desk.has_seen(e.LegAnswered)


async def test_a_phone_that_is_not_registered_is_unreachable_at_once(desk: Desk):
    before = time.monotonic()
    leg = await desk.ring("eve")
    ended = await desk.saw(e.LegEnded, leg.id)
    assert ended.by is EndedBy.UNREACHABLE
    assert time.monotonic() - before < 0.5


async def test_the_switch_ends_a_ringing_leg_when_nobody_else_does(desk: Desk, lab: Lab):
    await lab.phone("alice").will(Ring())
    leg = await desk.ring("alice", ring_timeout_s=0.5)
    ended = await desk.saw(e.LegEnded, leg.id)
    assert ended.by is EndedBy.NO_ANSWER
    await lab.phone("alice").is_idle()
    await lab.wait_until(lambda: lab.calls_received("alice")[0].missed)  # the tap may be a moment behind


@pytest.mark.parametrize("why", [Why.RING_TIMEOUT, Why.LEAD_HUNG_UP, Why.CANCELLED])
async def test_a_leg_stopped_while_ringing_leaves_a_missed_call(desk: Desk, lab: Lab, why: Why):
    await lab.phone("alice").will(Ring())
    leg = await desk.ring("alice")
    await desk.saw(e.LegRinging, leg.id)
    await desk.pbx.hang_up(leg.id, why, answered=False)
    await desk.saw(e.LegEnded, leg.id)
    await lab.phone("alice").is_idle()
    assert lab.calls_received("alice")[0].missed


async def test_a_call_answered_elsewhere_leaves_no_missed_call(desk: Desk, lab: Lab):
    await lab.phone("alice").will(Ring())
    leg = await desk.ring("alice")
    await desk.saw(e.LegRinging, leg.id)
    await desk.pbx.hang_up(leg.id, Why.ANSWERED_ELSEWHERE, answered=False)
    await desk.saw(e.LegEnded, leg.id)
    await lab.phone("alice").is_idle()
    [received] = lab.calls_received("alice")
    assert received.answered_elsewhere
    assert not received.missed


async def test_a_leg_can_be_hung_up_before_it_has_a_channel(desk: Desk, lab: Lab):
    await lab.phone("alice").will(Ring())
    leg = await desk.ring("alice")
    await desk.pbx.hang_up(leg.id, Why.CANCELLED, answered=False)
    await desk.saw(e.LegEnded, leg.id, within_s=1)
    await lab.phone("alice").is_idle()


async def test_hanging_up_twice_or_what_is_gone_is_no_error(desk: Desk, lab: Lab):
    leg = await desk.ring("alice")
    await desk.saw(e.LegAccepted, leg.id)
    await desk.pbx.hang_up(leg.id, Why.CALL_OVER, answered=True)
    await desk.saw(e.LegEnded, leg.id)
    await desk.pbx.hang_up(leg.id, Why.CALL_OVER, answered=True)
    await desk.pbx.hang_up(leg.id, Why.CANCELLED, answered=True)
    await desk.pbx.hang_up(leg.id, Why.CANCELLED, answered=False)
    assert [type(report) for report in desk.reports].count(e.LegEnded) == 1


@pytest.mark.parametrize(
    ("why", "words"),
    [(Why.TAKEN, "taken"), (Why.LEAD_HUNG_UP, "lead-gone"), (Why.CANCELLED, "called-off")],
)
async def test_somebody_who_picked_up_is_told_why_it_is_over(desk: Desk, lab: Lab, why: Why, words: str):
    leg = await desk.ring("alice")
    await desk.saw(e.LegAccepted, leg.id)
    before = time.monotonic()
    await desk.pbx.hang_up(leg.id, why, answered=True)
    await desk.is_at(leg.id, "callcontrol-bye", words)
    ended = await desk.saw(e.LegEnded, leg.id, within_s=8)
    assert time.monotonic() - before > 1.0, "words take their time"
    assert ended.by is EndedBy.NORMAL


async def test_somebody_who_picks_up_while_being_cancelled_still_hears_why(desk: Desk, lab: Lab):
    """The machine does not know of the answer yet: it says answered=False."""
    await lab.phone("alice").will(Ring())
    leg = await desk.ring("alice")
    await desk.saw(e.LegRinging, leg.id)
    picked_up = asyncio.create_task(lab.phone("alice").answer())
    track = desk.pbx._ledger.legs[leg.id]
    while not track.up:
        await asyncio.sleep(0)
    await desk.pbx.hang_up(leg.id, Why.ANSWERED_ELSEWHERE, answered=False)
    await desk.is_at(leg.id, "callcontrol-bye", "taken")
    await picked_up
    await desk.saw(e.LegEnded, leg.id, within_s=8)


async def test_a_key_accepts_and_interrupts_the_prompt(desk: Desk, lab: Lab):
    leg = await desk.ring("mobile1", by=AcceptBy.KEY)
    await desk.saw(e.LegAnswered, leg.id)
    await lab.phone("mobile1").talks()
    assert not desk.has_seen(e.LegAccepted)
    before = time.monotonic()
    await lab.phone("mobile1").press("1")
    await desk.saw(e.LegAccepted, leg.id)
    assert time.monotonic() - before < 1.0
    await desk.is_at(leg.id, "callcontrol-leg", "accepted")


async def test_a_wrong_key_is_asked_again(desk: Desk, lab: Lab):
    leg = await desk.ring("mobile1", by=AcceptBy.KEY)
    await desk.saw(e.LegAnswered, leg.id)
    await lab.phone("mobile1").talks()
    await lab.phone("mobile1").press("7")
    await asyncio.sleep(0.5)
    assert not desk.has_seen(e.LegAccepted)
    assert (await desk.position(leg.id))[0] == "callcontrol-ask"
    await lab.phone("mobile1").press("1")
    await desk.saw(e.LegAccepted, leg.id)


async def test_two_declines(desk: Desk, lab: Lab):
    leg = await desk.ring("mobile1", by=AcceptBy.KEY)
    await desk.saw(e.LegAnswered, leg.id)
    await lab.phone("mobile1").talks()
    await lab.phone("mobile1").press("2")
    await desk.saw(e.LegDeclined, leg.id)
    await desk.saw(e.LegEnded, leg.id)
    assert not desk.has_seen(e.LegAccepted)


async def test_a_voicemail_never_accepts(desk: Desk, lab: Lab):
    await lab.phone("mobile1").will(Voicemail(after_s=0.2))
    leg = await desk.ring("mobile1", by=AcceptBy.KEY, accept_timeout_s=2)
    await desk.saw(e.LegAnswered, leg.id)
    ended = await desk.saw(e.LegEnded, leg.id, within_s=10)
    assert ended.by is EndedBy.NORMAL
    assert not desk.has_seen(e.LegAccepted)


async def test_every_wait_of_ours_ends_by_itself(desk: Desk, lab: Lab):
    """Nobody gives another order: one has accepted and is not joined, one is silent when asked."""
    before = time.monotonic()
    accepted = await desk.ring("alice")
    silent = await desk.ring("mobile1", by=AcceptBy.KEY, accept_timeout_s=60)
    await desk.saw(e.LegAnswered, silent.id)
    await desk.saw(e.LegEnded, silent.id, within_s=40)
    assert 15 < time.monotonic() - before < 35, "asked three times"
    assert not desk.has_seen(e.LegAccepted, silent.id), "silence is no consent"
    await desk.is_at(accepted.id, "callcontrol-bye", "failed", within_s=20)
    await desk.saw(e.LegEnded, accepted.id, within_s=8)


async def test_an_unknown_channel_is_no_call(desk: Desk):
    for channel in ("nobody", "PJSIP/nobody-00000001", "", "/.*/", "1\r\nAction: Ping", "x" * 2000):
        with pytest.raises(ChannelUnknownError):
            await desk.pbx.locate(channel)


async def test_a_call_of_two_is_a_lead_and_its_bot_whoever_called(desk: Desk, lab: Lab):
    for caller in ("lead", "bot"):
        call = await lab.call(caller=caller)
        located = await desk.pbx.locate(call.lead_channel)
        assert (located.lead, located.bot) == (call.lead_channel, call.bot_channel)
        name = await lab.pbx.variable(call.lead_channel, "CHANNEL(name)")
        assert await desk.pbx.locate(name) == located
        await call.lead.hang_up()


async def test_a_bot_on_the_leads_own_channel_is_no_leg(desk: Desk, lab: Lab):
    call = await lab.call_app_bot("audiosocket")
    located = await desk.pbx.locate(call.lead_channel)
    assert (located.lead, located.bot) == (call.lead_channel, None)


async def test_a_bot_behind_a_local_channel_is_a_leg_of_its_own(desk: Desk, lab: Lab):
    call = await lab.call(bot="local")
    located = await desk.pbx.locate(call.lead_channel)
    assert (located.lead, located.bot) == (call.lead_channel, call.bot_channel)


@pytest.mark.parametrize("caller", ["lead", "bot"])
async def test_lead_and_bot_who_hang_up_are_reported_once(desk: Desk, lab: Lab, caller: str):
    call = await lab.call(caller=caller)
    transfer_id, located = await desk.transfer(call.lead_channel)
    desk.pbx.watch(transfer_id, located)
    await desk.variable_is(call.lead_channel, "CALLCONTROL_TRANSFER", transfer_id)
    await call.lead.hang_up()
    await desk.saw(e.LeadHungUp, located.lead)
    await desk.saw(e.BotHungUp, located.bot)
    kinds = [type(report) for report in desk.reports]
    assert (kinds.count(e.LeadHungUp), kinds.count(e.BotHungUp)) == (1, 1)


async def test_what_is_forgotten_is_reported_no_more(desk: Desk, lab: Lab):
    call = await lab.call()
    transfer_id, _ = await desk.transfer(call.lead_channel)
    desk.pbx.forget(transfer_id)
    await call.lead.hang_up()

    async def gone() -> bool:
        try:
            await desk.pbx.locate(call.lead_channel)
        except ChannelUnknownError:
            return True
        return False

    await lab.wait_until(gone, what="the hang-up to be seen")
    assert not desk.has_seen(e.LeadHungUp)
