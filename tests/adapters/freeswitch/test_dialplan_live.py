"""What the dialplan does by itself: asking for a transfer, holding a lead, ringing without a daemon."""

import time

import pytest

from callcontrol.core import events as e
from callcontrol.core.model import AcceptBy, BotId, Endpoint, EndpointKind, TransferId
from callcontrol.ports import TransferAsked
from tests.adapters.freeswitch.desk import FreeswitchDesk
from tests.lab import Answer, Call, Lab, Voicemail
from tests.lab.switch import Message

HOSTILE = 'Wants 3 rooms, (b: a) garden: yes; "quoted" ${system(touch /tmp/owned)} $[1+1] 50% \\ a) Grüße 🏡'
BOT = BotId("the-sales_bot")


async def asking(desk: FreeswitchDesk, lab: Lab, **variables: str) -> Call:
    """A lead whose bot has just ended, so that the dialplan asks for a transfer."""
    call = await lab.call_app_bot("audiosocket")
    for name, value in {
        "CALLCONTROL_BOT": BOT,
        "CALLCONTROL_AFTER": "s XML after-the-bot",
        **variables,
    }.items():
        await desk.esl.api(f"uuid_setvar {call.lead_channel} {name} {value}")
    await desk.esl.api(f"uuid_transfer {call.lead_channel} s XML callcontrol-transfer")
    return call


async def back(lab: Lab, call: Call, within_s: float = 5.0) -> Message:
    """The lead has come to where CALLCONTROL_AFTER sends it."""

    def look() -> Message | None:
        events = lab.user_events("LabLeadBack")
        return next((event for event in events if event["Uniqueid"] == call.lead_channel), None)

    return await lab.wait_until(look, within_s, what="the lead to come back")


def number(lab: Lab, who: str) -> Endpoint:
    return Endpoint(kind=EndpointKind.NUMBER, address=lab.phone(who).number, accept_by=AcceptBy.KEY)


# --- with a daemon


async def test_the_dialplan_asks_in_words_that_arrive_as_they_were(desk: FreeswitchDesk, lab: Lab):
    call = await asking(
        desk,
        lab,
        CALLCONTROL_SUMMARY=HOSTILE,
        CALLCONTROL_LEAD_NAME="O'Hara, Zoë",
        CALLCONTROL_LEAD_SOURCE="Web: Ads",
    )
    asked = await desk.saw(TransferAsked)
    assert asked.channel == call.lead_channel
    assert asked.bot_id == BOT
    assert asked.summary == HOSTILE
    assert asked.lead == {"name": "O'Hara, Zoë", "source": "Web: Ads", "phone": lab.phone("lead").number}
    assert asked.key.startswith(call.lead_channel)
    await desk.pbx.acknowledge(asked.channel, None, "no bot 'sales'")
    assert (await back(lab, call))["Result"] == "REFUSED"


async def test_an_acknowledged_lead_is_held_then_joined_and_goes_on_when_the_agent_hangs_up(
    desk: FreeswitchDesk, lab: Lab
):
    call = await asking(desk, lab)
    asked = await desk.saw(TransferAsked)
    transfer_id, located = await desk.transfer(asked.channel)
    await desk.pbx.acknowledge(asked.channel, transfer_id, "")
    await desk.is_at(call.lead_channel, "callcontrol-lead", "hold")
    await desk.hears("lead", {"moh"})
    assert await desk.variable(call.lead_channel, "CALLCONTROL_TRANSFER") == transfer_id
    leg = await desk.joined("alice", located, transfer_id)
    await desk.hears("lead", {"alice"})
    await lab.phone("alice").hang_up()
    await desk.saw(e.LegEnded, leg.id)
    desk.pbx.forget(transfer_id)
    assert (await back(lab, call))["Result"] == "CONNECTED"
    await lab.phone("lead").is_idle()


async def test_a_refused_lead_goes_on_at_once_and_knows_why(desk: FreeswitchDesk, lab: Lab):
    call = await asking(desk, lab)
    asked = await desk.saw(TransferAsked)
    await desk.pbx.acknowledge(asked.channel, None, 'no bot "sales",\r\nEvil: ${x}')
    shown = await back(lab, call)
    assert (shown["Result"], shown["Why"]) == ("REFUSED", "no bot sales Evil: x")


async def test_a_missed_lead_goes_on_in_the_dialplan_even_before_the_acknowledgement(
    desk: FreeswitchDesk, lab: Lab
):
    call = await asking(desk, lab)
    asked = await desk.saw(TransferAsked)
    await desk.pbx.return_lead(asked.channel, "")
    assert (await back(lab, call))["Result"] == "MISSED"


async def test_the_end_of_the_hold_rings_the_fallback_numbers(desk: FreeswitchDesk, lab: Lab):
    await desk.pbx.publish_fallbacks(BOT, [number(lab, "mobile1")])
    call = await asking(desk, lab, CALLCONTROL_HOLD_S="1")
    asked = await desk.saw(TransferAsked)
    await desk.pbx.acknowledge(asked.channel, TransferId("t1"), "")
    await lab.phone("mobile1").talks(8)
    await lab.phone("mobile1").press("1")
    await desk.hears("lead", {"mobile1"})
    await lab.phone("mobile1").hang_up()
    assert (await back(lab, call))["Result"] == "FALLBACK"
    await lab.phone("lead").is_idle()


@pytest.mark.parametrize("of_all", ["", "soon"])
async def test_a_hold_whose_length_is_no_number_is_as_long_as_usual(
    desk: FreeswitchDesk, lab: Lab, of_all: str
):
    await desk.switch.set_global("CALLCONTROL_HOLD_S", of_all)
    call = await asking(desk, lab)
    asked = await desk.saw(TransferAsked)
    await desk.pbx.acknowledge(asked.channel, TransferId("t1"), "")
    await desk.is_at(call.lead_channel, "callcontrol-lead", "hold")
    await desk.hears("lead", {"moh"})
    assert await desk.variable(call.lead_channel, "CALLCONTROL_HOLD_S") == "240"
    await desk.switch.set_global("CALLCONTROL_HOLD_S", "")


# --- without a daemon


async def test_without_a_daemon_a_voicemail_does_not_take_the_lead(desk: FreeswitchDesk, lab: Lab):
    await desk.pbx.publish_fallbacks(BOT, [number(lab, "mobile1"), number(lab, "mobile2")])
    await lab.phone("mobile1").will(Voicemail(after_s=0.1))
    await lab.phone("mobile2").will(Answer(after_s=1.0))
    await asking(desk, lab)
    await lab.phone("mobile2").talks(8)
    assert lab.phone("mobile1").is_talking, "its voicemail has answered first"
    await lab.phone("mobile2").press("1")
    await desk.hears("lead", {"mobile2"})
    await lab.phone("mobile1").is_idle(12)
    await lab.phone("lead").hang_up()
    await lab.phone("mobile2").is_idle()


async def test_without_a_daemon_and_without_numbers_the_lead_goes_on_after_three_seconds(
    desk: FreeswitchDesk, lab: Lab
):
    await desk.pbx.publish_fallbacks(BOT, [])
    before = time.monotonic()
    call = await asking(desk, lab)
    assert (await back(lab, call))["Result"] == "NO_DAEMON"
    assert 1.5 < time.monotonic() - before < 5.0


async def test_what_stands_in_the_variable_of_the_switch_is_looked_at_before_it_is_dialled(
    desk: FreeswitchDesk, lab: Lab
):
    evil = "^^|callcontrol_fallback_the-sales_bot|{execute_on_answer='system touch /tmp/x'}user/alice"
    await desk.esl.api(f"global_setvar {evil}")
    call = await asking(desk, lab)
    assert (await back(lab, call))["Result"] == "NO_DAEMON"
    assert lab.calls_received("alice") == []
    await desk.esl.api("global_setvar callcontrol_fallback_the-sales_bot=")


async def test_the_published_numbers_stand_in_the_variable(desk: FreeswitchDesk, lab: Lab):
    desktop = Endpoint(kind=EndpointKind.EXTENSION, address="alice", accept_by=AcceptBy.ANSWER)
    await desk.pbx.publish_fallbacks(BOT, [desktop, number(lab, "mobile1"), desktop])
    assert await desk.switch.fallbacks(BOT) == f"user/alice,sofia/gateway/trunk/{lab.phone('mobile1').number}"
    await desk.pbx.publish_fallbacks(BOT, [])
    assert await desk.switch.fallbacks(BOT) == ""
