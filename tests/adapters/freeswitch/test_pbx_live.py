"""Every verb of the port against a real FreeSWITCH: ringing, accepting, and being sent away."""

from zoneinfo import ZoneInfo

import pytest

from callcontrol.core import events as e
from callcontrol.core.events import EndedBy
from callcontrol.core.model import AcceptBy, Agent, AgentId, Endpoint, EndpointKind
from callcontrol.ports import ChannelUnknownError
from tests.adapters.asterisk.test_pbx_live import (
    test_a_bot_behind_a_local_channel_is_a_leg_of_its_own,
    test_a_bot_on_the_leads_own_channel_is_no_leg,
    test_a_call_answered_elsewhere_leaves_no_missed_call,
    test_a_key_accepts_and_interrupts_the_prompt,
    test_a_leg_can_be_hung_up_before_it_has_a_channel,
    test_a_leg_stopped_while_ringing_leaves_a_missed_call,
    test_a_phone_that_forwards_its_calls_gets_no_further,
    test_a_phone_that_is_not_registered_is_unreachable_at_once,
    test_a_voicemail_never_accepts,
    test_an_unknown_channel_is_no_call,
    test_every_wait_of_ours_ends_by_itself,
    test_hanging_up_twice_or_what_is_gone_is_no_error,
    test_lead_and_bot_who_hang_up_are_reported_once,
    test_somebody_who_picked_up_is_told_why_it_is_over,
    test_somebody_who_picks_up_while_being_cancelled_still_hears_why,
    test_the_switch_ends_a_ringing_leg_when_nobody_else_does,
    test_two_declines,
    test_what_is_forgotten_is_reported_no_more,
)
from tests.adapters.freeswitch.desk import FreeswitchDesk
from tests.lab import Behaviour, Busy, Lab, NotFound, Refuse, Ring, TrunkDown, Unavailable

__all__ = [  # the same scenarios
    "test_a_bot_behind_a_local_channel_is_a_leg_of_its_own",
    "test_a_bot_on_the_leads_own_channel_is_no_leg",
    "test_a_call_answered_elsewhere_leaves_no_missed_call",
    "test_a_key_accepts_and_interrupts_the_prompt",
    "test_a_leg_can_be_hung_up_before_it_has_a_channel",
    "test_a_leg_stopped_while_ringing_leaves_a_missed_call",
    "test_a_phone_that_forwards_its_calls_gets_no_further",
    "test_a_phone_that_is_not_registered_is_unreachable_at_once",
    "test_a_voicemail_never_accepts",
    "test_an_unknown_channel_is_no_call",
    "test_every_wait_of_ours_ends_by_itself",
    "test_hanging_up_twice_or_what_is_gone_is_no_error",
    "test_lead_and_bot_who_hang_up_are_reported_once",
    "test_somebody_who_picked_up_is_told_why_it_is_over",
    "test_somebody_who_picks_up_while_being_cancelled_still_hears_why",
    "test_the_switch_ends_a_ringing_leg_when_nobody_else_does",
    "test_two_declines",
    "test_what_is_forgotten_is_reported_no_more",
]


async def test_a_phone_shows_who_is_transferred_and_rings_its_own_ring(desk: FreeswitchDesk, lab: Lab):
    await lab.phone("alice").will(Ring())
    leg = await desk.ring("alice", name="Lena Müller-O'Hara Jr.")
    await desk.saw(e.LegRinging, leg.id)
    [shown] = lab.calls_received("alice")
    assert shown.caller_name == "Lena Müller-O\u2019Hara Jr."  # an apostrophe would be a quote
    assert shown.caller_number == "+493023125001"
    assert shown.alert_info == "<http://127.0.0.1/warm>;info=warm-transfer"


async def test_a_desk_phone_accepts_by_answering(desk: FreeswitchDesk, lab: Lab):
    leg = await desk.ring("alice")
    await desk.saw(e.LegAnswered, leg.id)
    await desk.saw(e.LegAccepted, leg.id)
    await lab.phone("alice").talks()
    await lab.phone("alice").hang_up()
    ended = await desk.saw(e.LegEnded, leg.id)
    assert (ended.by, ended.cause) == (EndedBy.NORMAL, "NORMAL_CLEARING")


@pytest.mark.parametrize(
    ("who", "behaviour", "by", "cause"),
    [
        ("alice", Busy(), EndedBy.BUSY, "USER_BUSY"),
        ("alice", Refuse(), EndedBy.DECLINED, "CALL_REJECTED"),
        ("alice", Refuse(after_s=0.3), EndedBy.DECLINED, "CALL_REJECTED"),
        ("alice", Unavailable(), EndedBy.NO_ANSWER, "NO_USER_RESPONSE"),
        ("mobile1", NotFound(), EndedBy.UNREACHABLE, "UNALLOCATED_NUMBER"),
        ("mobile1", TrunkDown(), EndedBy.UNREACHABLE, "NORMAL_TEMPORARY_FAILURE"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Behaviour) else str(value),
)
async def test_a_leg_that_is_not_answered_says_why(
    desk: FreeswitchDesk, lab: Lab, who: str, behaviour: Behaviour, by: EndedBy, cause: str
):
    await lab.phone(who).will(behaviour)
    leg = await desk.ring(who)
    ended = await desk.saw(e.LegEnded, leg.id)
    assert (ended.by, ended.cause) == (by, cause)


@pytest.mark.parametrize("caller", ["lead", "bot"])
async def test_a_call_of_two_is_a_lead_and_its_bot_whoever_called(
    desk: FreeswitchDesk, lab: Lab, caller: str
):
    call = await lab.call(caller=caller)  # type: ignore[arg-type]
    located = await desk.pbx.locate(call.lead_channel)
    assert (located.lead, located.bot) == (call.lead_channel, call.bot_channel)
    name = await desk.variable(call.lead_channel, "channel_name")
    assert await desk.pbx.locate(name) == located
    with pytest.raises(ChannelUnknownError):
        await desk.pbx.locate(name + "x")


async def test_the_check_finds_what_there_is_and_misses_what_there_is_not(desk: FreeswitchDesk):
    kinds = {"alice": "extension", "+491713920001": "number", "sofia/gateway/other/1": "dial"}
    endpoints = tuple(
        Endpoint(kind=EndpointKind(kind), address=address, accept_by=AcceptBy.ANSWER)
        for address, kind in kinds.items()
    )
    agent = Agent(
        id=AgentId("alice"),
        name="Alice",
        active=True,
        available=True,
        zone=ZoneInfo("UTC"),
        schedule=(),
        endpoints=endpoints,
    )
    wrong = {found.subject: found.remedy for found in await desk.pbx.check([agent]) if not found.ok}
    assert list(wrong) == ["alice at sofia/gateway/other/1"]
    assert "no gateway other" in wrong["alice at sofia/gateway/other/1"]
