"""What every switch behind the port must do: one suite for all of them."""

from pathlib import Path

import pytest

from callcontrol.adapters.simulated import Behaviour, Does
from callcontrol.core import events as e
from callcontrol.core.callback import CallAnswered, CallBegan, CallEnded, Party
from callcontrol.core.events import Doing, EndedBy, Why
from callcontrol.core.model import (
    AcceptBy,
    AgentId,
    AgentState,
    BotId,
    ChannelId,
    EndpointKind,
    Leg,
    LineState,
    TransferId,
)
from callcontrol.ports import ChannelUnknownError, HandoffDone, LinkDown, LinkUp, PortError
from tests.adapters.phones import phone
from tests.adapters.switches.conftest import running
from tests.adapters.switches.stage import PICKS_UP, RINGS, TRANSFER, Stage

SOUND = Path("/sounds/overview.wav")


# --- the link


async def test_the_first_report_is_the_link_with_every_channel_of_the_switch(unlinked: Stage):
    call = unlinked.line.call()
    async with running(unlinked):
        [first] = unlinked.reports
        assert isinstance(first, LinkUp)
        assert set(first.survey.alive) == {call.lead, call.bot}
        assert first.survey.alive[call.lead].bridged_with == {call.bot}
        assert first.survey.pbx_started
        assert unlinked.pbx.linked


async def test_without_a_link_a_verb_says_that_it_may_be_tried_again(stage: Stage):
    call = await stage.watched()
    stage.lose_link()
    await stage.saw(LinkDown)
    assert not stage.pbx.linked
    for verb in (
        stage.ring(RINGS, call),
        stage.pbx.locate(call.lead),
        stage.pbx.join(call.lead, ChannelId("leg")),
        stage.pbx.show(AgentId("alice"), AgentState.AVAILABLE),
        stage.pbx.publish_fallbacks(BotId("bot"), [phone("alice")]),
    ):
        with pytest.raises(PortError) as caught:
            await verb
        assert caught.value.retryable


async def test_what_happened_while_the_link_was_away_is_in_the_next_survey(stage: Stage):
    call = await stage.watched()
    leg = await stage.ring(PICKS_UP, call)
    await stage.saw(e.LegAnswered, leg)
    stage.lose_link()
    await stage.saw(LinkDown)
    stage.line.channels.pop(call.lead)
    stage.regain_link()
    up = await stage.saw(LinkUp, count=2)
    assert set(up.survey.alive) == {leg, call.bot}
    assert up.survey.alive[leg].doing is Doing.ACCEPTED


async def test_a_restarted_switch_has_another_start_and_none_of_the_channels(stage: Stage):
    first = await stage.saw(LinkUp)
    call = await stage.watched()
    assert call.pbx_started == first.survey.pbx_started
    stage.restart()
    up = await stage.saw(LinkUp, count=2)
    assert up.survey.pbx_started != first.survey.pbx_started
    assert not up.survey.alive


# --- calls


@pytest.mark.parametrize("bot_leg", [True, False])
async def test_a_call_is_a_lead_and_its_bot_if_that_is_a_leg(stage: Stage, bot_leg: bool):
    there = stage.line.call(bot_leg=bot_leg)
    found = await stage.pbx.locate(there.lead)
    assert (found.lead, found.bot) == (there.lead, there.bot)


@pytest.mark.parametrize(
    "channel", ["nobody", "", "/.*/", "x y", "1\r\nAction: Ping", "1\n\napi x", "x" * 2000]
)
async def test_an_unknown_channel_is_no_call(stage: Stage, channel: str):
    with pytest.raises(ChannelUnknownError):
        await stage.pbx.locate(channel)


async def test_lead_and_bot_who_hang_up_are_told_once(stage: Stage):
    call = await stage.watched()
    stage.pbx.watch(TRANSFER, call)
    stage.line.hangs_up(call.lead)
    assert call.bot is not None
    stage.line.hangs_up(call.bot)
    await stage.saw(e.LeadHungUp, call.lead)
    await stage.saw(e.BotHungUp, call.bot)
    await stage.quiet()
    assert stage.kinds() == [LinkUp, e.LeadHungUp, e.BotHungUp]


async def test_what_is_forgotten_is_told_no_more(stage: Stage):
    call = await stage.watched()
    stage.pbx.forget(TRANSFER)
    stage.line.hangs_up(call.lead)
    await stage.quiet()
    assert stage.kinds() == [LinkUp]


# --- legs


async def test_a_leg_rings_and_is_answered(stage: Stage):
    leg = await stage.ring(PICKS_UP, await stage.watched())
    await stage.saw(e.LegAnswered, leg)
    assert [kind for kind in stage.kinds() if kind in (e.LegRinging, e.LegAnswered)] == [
        e.LegRinging,
        e.LegAnswered,
    ]


async def test_where_a_key_is_asked_for_only_the_key_accepts(stage: Stage):
    presses = Behaviour(does=Does.ANSWERS, after_s=0.1, presses_after_s=1.0)
    leg = await stage.ring(presses, await stage.watched(), by=AcceptBy.KEY)
    await stage.saw(e.LegAnswered, leg)
    assert e.LegAccepted not in stage.kinds()
    await stage.saw(e.LegAccepted, leg)


async def test_somebody_who_declines_says_so_and_is_gone(stage: Stage):
    leg = await stage.ring(PICKS_UP, await stage.watched(), by=AcceptBy.KEY)
    await stage.saw(e.LegAnswered, leg)
    stage.line.declines(leg)
    await stage.saw(e.LegDeclined, leg)
    await stage.saw(e.LegEnded, leg)
    assert e.LegAccepted not in stage.kinds()


@pytest.mark.parametrize(
    ("does", "by"),
    [
        (Does.BUSY, EndedBy.BUSY),
        (Does.REFUSES, EndedBy.DECLINED),
        (Does.FORWARDS, EndedBy.FORWARDED),
        (Does.UNREGISTERED, EndedBy.UNREACHABLE),
        (Does.RINGS, EndedBy.NO_ANSWER),
    ],
)
async def test_a_leg_that_is_not_answered_says_why(stage: Stage, does: Does, by: EndedBy):
    leg = await stage.ring(Behaviour(does=does, after_s=0.1), await stage.watched())
    ended = await stage.saw(e.LegEnded, leg)
    assert ended.by is by


@pytest.mark.parametrize("why", [Why.ANSWERED_ELSEWHERE, Why.RING_TIMEOUT, Why.CANCELLED])
async def test_hanging_up_a_ringing_leg_ends_it_and_again_is_no_error(stage: Stage, why: Why):
    leg = await stage.ring(RINGS, await stage.watched())
    await stage.saw(e.LegRinging, leg)
    await stage.pbx.hang_up(leg, why, answered=False)
    await stage.saw(e.LegEnded, leg)
    await stage.pbx.hang_up(leg, why, answered=False)
    await stage.quiet()
    assert stage.kinds().count(e.LegEnded) == 1


@pytest.mark.parametrize("why", list(Why))
async def test_hanging_up_somebody_who_picked_up_ends_the_leg_whatever_is_said(stage: Stage, why: Why):
    leg = await stage.ring(PICKS_UP, await stage.watched())
    await stage.saw(e.LegAnswered, leg)
    await stage.pbx.hang_up(leg, why, answered=True)
    ended = await stage.saw(e.LegEnded, leg)
    assert ended.by is EndedBy.NORMAL
    await stage.pbx.hang_up(leg, why, answered=True)


async def test_a_leg_that_an_earlier_process_rang_is_taken_up(unlinked: Stage):
    call = unlinked.line.call()
    async with running(unlinked):
        unlinked.pbx.watch(TRANSFER, call)
        leg = await unlinked.ring(PICKS_UP, call)
        await unlinked.saw(e.LegAnswered, leg)
    unlinked.pbx, unlinked.reports = unlinked.another(), []
    record = Leg(id=leg, agent_id=None, label="Alice", endpoint=phone("alice"))
    unlinked.pbx.watch(TRANSFER, call)
    unlinked.pbx.watch_leg(TRANSFER, call, record)
    async with running(unlinked):
        first = await unlinked.saw(LinkUp)
        assert first.survey.alive[leg].doing is Doing.ACCEPTED
        await unlinked.pbx.join(call.lead, leg)
        await unlinked.saw(e.Joined, leg)
        unlinked.line.hangs_up(leg)
        ended = await unlinked.saw(e.LegEnded, leg)
        assert ended.by is EndedBy.NORMAL


# --- joining and handing off


@pytest.mark.parametrize("bot_leg", [True, False])
async def test_a_leg_is_joined_to_the_lead_and_again_is_no_error(stage: Stage, bot_leg: bool):
    call = await stage.watched(bot_leg=bot_leg)
    leg = await stage.ring(PICKS_UP, call)
    await stage.saw(e.LegAnswered, leg)
    await stage.pbx.join(call.lead, leg)
    await stage.saw(e.Joined, leg)
    assert call.lead in stage.line.talking(leg)
    await stage.pbx.join(call.lead, leg)
    await stage.saw(e.Joined, leg, count=2)
    assert e.JoinFailed not in stage.kinds()


async def test_a_leg_that_may_go_straight_to_the_lead_is_joined_by_itself_or_when_it_is_told(stage: Stage):
    call = await stage.watched()
    leg = await stage.ring(PICKS_UP, call, straight=True)
    if await stage.came_to(leg) is e.LegAnswered:
        await stage.pbx.join(call.lead, leg)
    joined = await stage.saw(e.Joined, leg)
    assert joined == e.Joined(channel=leg)
    await stage.quiet()
    assert stage.kinds().count(e.Joined) == 1
    assert stage.line.talking(leg) == {call.lead, call.bot}
    stage.line.hangs_up(leg)
    ended = await stage.saw(e.LegEnded, leg)
    assert ended.by is EndedBy.NORMAL


async def test_of_two_that_may_go_straight_to_the_lead_the_second_is_answered_and_waits(stage: Stage):
    call = await stage.watched()
    first = await stage.ring(PICKS_UP, call, straight=True)
    if await stage.came_to(first) is e.LegAnswered:
        await stage.pbx.join(call.lead, first)
    await stage.saw(e.Joined, first)
    second = await stage.ring(PICKS_UP, call, address="bob", straight=True)
    await stage.saw(e.LegAnswered, second)
    await stage.quiet()
    assert stage.kinds().count(e.Joined) == 1
    assert stage.line.talking(call.lead) == {first, call.bot}


async def test_who_may_go_straight_to_a_lead_whose_bridge_is_gone_is_answered_and_can_be_joined(stage: Stage):
    call = await stage.watched()
    leg = await stage.ring(PICKS_UP, call, straight=True)
    assert call.bot is not None
    stage.line.hangs_up(call.bot)
    stage.line.channels[call.lead].bridge = None
    await stage.saw(e.BotHungUp, call.bot)
    await stage.saw(e.LegAnswered, leg)
    assert e.Joined not in stage.kinds()


async def test_a_lead_who_is_gone_can_not_be_joined(stage: Stage):
    call = await stage.watched()
    leg = await stage.ring(PICKS_UP, call)
    await stage.saw(e.LegAnswered, leg)
    stage.line.hangs_up(call.lead)
    await stage.saw(e.LeadHungUp, call.lead)
    with pytest.raises(PortError) as caught:
        await stage.pbx.join(call.lead, leg)
    assert not caught.value.retryable
    assert e.Joined not in stage.kinds()


async def test_the_bot_is_released_and_again_is_no_error(stage: Stage):
    call = await stage.watched()
    leg = await stage.ring(PICKS_UP, call)
    await stage.saw(e.LegAnswered, leg)
    await stage.pbx.join(call.lead, leg)
    await stage.saw(e.Joined, leg)
    assert call.bot is not None
    await stage.pbx.release_bot(call.bot)
    await stage.saw(e.BotHungUp, call.bot)
    assert stage.line.talking(call.lead) == {leg}
    await stage.pbx.release_bot(call.bot)


async def test_an_agent_who_leaves_the_handoff_leaves_the_lead_for_the_next(stage: Stage):
    call = await stage.watched()
    for address in ("alice", "bob"):
        leg = await stage.ring(PICKS_UP, call, address=address)
        await stage.saw(e.LegAnswered, leg)
        await stage.pbx.join(call.lead, leg)
        await stage.saw(e.Joined, leg)
        stage.line.hangs_up(leg)
        await stage.saw(e.LegEnded, leg)
    assert stage.kinds().count(e.Joined) == 2
    assert stage.line.talking(call.lead) == {call.bot}


async def test_a_briefing_says_when_it_is_over(stage: Stage):
    leg = await stage.ring(PICKS_UP, await stage.watched())
    await stage.saw(e.LegAnswered, leg)
    await stage.pbx.brief(leg, SOUND)
    await stage.saw(e.LegBriefed, leg)


@pytest.mark.parametrize("bot_leg", [True, False])
async def test_an_announcement_ends_the_handoff(stage: Stage, bot_leg: bool):
    call = await stage.watched(bot_leg=bot_leg)
    leg = await stage.ring(PICKS_UP, call)
    await stage.saw(e.LegAnswered, leg)
    await stage.pbx.join(call.lead, leg)
    await stage.saw(e.Joined, leg)
    assert HandoffDone not in stage.kinds()
    await stage.pbx.announce(TRANSFER, call.lead, [SOUND, SOUND])
    await stage.saw(HandoffDone, call.lead)


# --- phones


async def test_a_phone_is_known_as_it_is(stage: Stage):
    assert stage.pbx.line(phone("bob")) is LineState.NOT_IN_USE
    assert stage.pbx.line(phone("carol")) is LineState.UNREGISTERED
    assert stage.pbx.line(phone("+4930123456", EndpointKind.NUMBER)) is LineState.UNKNOWN
    stage.register("carol", True)
    stage.register("bob", False)
    await stage.quiet()
    assert stage.pbx.line(phone("carol")) is LineState.NOT_IN_USE
    assert stage.pbx.line(phone("bob")) is LineState.UNREGISTERED


async def test_a_phone_that_is_gone_can_not_be_answered(stage: Stage):
    asking = stage.line.call(bot_leg=False).lead
    await stage.pbx.answer_agent(asking, AgentState.RESTING)
    with pytest.raises(ChannelUnknownError):
        await stage.pbx.answer_agent(asking, AgentState.RESTING)


async def test_two_transfers_do_not_meddle_with_each_other(stage: Stage):
    one, other = await stage.watched(), await stage.watched(transfer_id=TransferId("t-2"))
    mine = await stage.ring(PICKS_UP, one)
    theirs = await stage.ring(PICKS_UP, other, address="bob", transfer_id=TransferId("t-2"))
    for call, leg in ((one, mine), (other, theirs)):
        await stage.saw(e.LegAnswered, leg)
        await stage.pbx.join(call.lead, leg)
        await stage.saw(e.Joined, leg)
    stage.pbx.forget(TRANSFER)
    stage.line.hangs_up(other.lead)
    await stage.saw(e.LeadHungUp, other.lead)
    stage.line.hangs_up(theirs)
    await stage.saw(e.LegEnded, theirs)
    assert stage.kinds().count(e.Joined) == 2


# --- calls of others


async def test_of_the_calls_of_others_those_that_are_waited_for_are_told(stage: Stage):
    await stage.pbx.follow(lambda number: number == "+493023125001")
    caller = Party(address="alice", number="101")
    stage.line.calls_somebody(caller, Party(number="+493023125002"))
    busy = stage.line.calls_somebody(caller, Party(number="+493023125001"))
    stage.line.is_over(busy.call, "busy")
    talk = stage.line.calls_somebody(caller, Party(number="+493023125001"))
    stage.line.picks_up(talk.call)
    stage.line.is_over(talk.call)
    await stage.saw(CallEnded, count=2)
    told = [report for report in stage.reports if isinstance(report, CallBegan | CallAnswered | CallEnded)]
    assert [(type(report), report.call) for report in told] == [
        (CallBegan, busy.call),
        (CallEnded, busy.call),
        (CallBegan, talk.call),
        (CallAnswered, talk.call),
        (CallEnded, talk.call),
    ]
    assert [report.cause for report in told if isinstance(report, CallEnded)] == ["busy", ""]
    assert {(b.caller, b.called.number) for b in told if isinstance(b, CallBegan)} == {
        (caller, "+493023125001")
    }
