"""Whom the phones say was calling, who takes the lead, and what the others are left with."""

import asyncio
import time

import pytest

from callcontrol.core.model import Connected, ConnectedBy, LegFate, Missed, MissedBecause
from tests.lab import Answer, Busy, Dead, Forward, Lab, NotFound, Refuse, Ring, Unavailable, Voicemail
from tests.lab.site import OWNER, Site


async def test_an_agent_off_duty_does_not_ring_and_of_two_who_answer_one_wins(company: Site, lab: Lab):
    await company.available("alice", yes=False)
    for name in ("bob", "carol"):
        await lab.phone(name).will(Answer(after_s=0.7))
    call = await lab.call("lead")
    transfer = await company.asks(call)
    await company.phase(transfer, "joined")
    await call.bot.hang_up()
    row = await company.outcome(transfer)
    loser = lab.phone("carol" if row.outcome.leg.label == "Bob" else "bob")
    await loser.is_idle(20)
    legs = await company.ended_legs(transfer, loser.name)
    assert set(legs) == {"bob", "carol"}
    fates = sorted(record.fate for record in legs.values())
    assert fates == [LegFate.ANSWERED, LegFate.LOST_RACE]
    assert row.outcome.by is ConnectedBy.POOL_AGENT
    assert lab.calls_received("alice") == []


async def test_of_two_at_the_same_instant_exactly_one_wins_and_the_other_hears_so(company: Site, lab: Lab):
    """The winner may be with the lead before the other has picked up: then there is nothing to be heard."""
    races = [await race(company, lab) for _ in range(8)]
    assert any(races), "in none of the races had both picked up"


async def race(company: Site, lab: Lab) -> bool:
    """Bob and Carol, and whether the one who lost had picked up."""
    for name in ("bob", "carol"):
        await lab.phone(name).will(Ring())
    call = await lab.call("lead")
    transfer = await company.asks(call, bot="group")
    await lab.wait_until(
        lambda: lab.phone("bob").is_ringing and lab.phone("carol").is_ringing, what="ringing"
    )
    await lab.phone("bob").answer(lab.phone("carol"))
    await company.phase(transfer, "joined")
    winner = (await company.winner(transfer)).lower()
    loser = ({"bob", "carol"} - {winner}).pop()
    await lab.phone(loser).is_idle(20)
    legs = await company.ended_legs(transfer, loser)
    assert legs[loser].fate is LegFate.LOST_RACE
    assert legs[winner].ended_at is None
    leg = lab.phone(loser).legs[-1]
    if leg.talking_at is not None:
        heard = lab.heard_between(loser, leg.talking_at, leg.ended_at)
        assert "speech" in heard
        assert "lead" not in heard
    await call.lead.hang_up()
    await company.ended_legs(transfer, winner)
    return leg.talking_at is not None


async def test_the_others_show_no_missed_call(company: Site, lab: Lab):
    await lab.phone("bob").will(Ring())
    await lab.phone("carol").will(Answer(after_s=1))
    call = await lab.call("lead")
    transfer = await company.asks(call, bot="group")
    await company.phase(transfer, "joined")
    await lab.wait_until(lambda: not lab.phone("bob").is_ringing, what="bob's phone to stop")
    (received,) = lab.calls_received("bob")
    assert received.cancel_reason is not None
    assert not received.missed


async def test_a_ring_timeout_leaves_a_missed_call(company: Site, lab: Lab):
    await lab.phone("alice").will(Ring())
    call = await lab.call("lead")
    start = time.time()
    transfer = await company.asks(call, bot="solo")
    await company.outcome(transfer)
    assert time.time() - start == pytest.approx(6, abs=0.7)
    (received,) = lab.calls_received("alice")
    assert received.missed
    record = (await company.legs(transfer))["alice"]
    assert record.fate is LegFate.NO_ANSWER
    assert record.ring_s == pytest.approx(6, abs=0.5)


async def test_the_phone_shows_the_lead_and_rings_in_its_own_way(company: Site, lab: Lab):
    call = await lab.call("lead")
    transfer = await company.asks(call, bot="solo")
    await company.phase(transfer, "joined")
    (received,) = lab.calls_received("alice")
    assert received.caller_name == "Lena Lead"
    assert received.caller_number.lstrip("+") == "493023125001"
    assert "warm-transfer" in received.alert_info


@pytest.mark.parametrize(
    ("behaviour", "fate"),
    [
        (Busy(), LegFate.BUSY),
        (Refuse(after_s=0.3), LegFate.DECLINED),
        (Unavailable(), LegFate.NO_ANSWER),
        (NotFound(), LegFate.UNREACHABLE),
        (Forward("900190055"), LegFate.FORWARDED),
    ],
)
async def test_what_a_phone_did_is_known_by_its_cause(company: Site, lab: Lab, behaviour, fate):
    await lab.phone("alice").will(behaviour)
    call = await lab.call("lead")
    transfer = await company.asks(call, bot="solo")
    await company.outcome(transfer)
    record = (await company.legs(transfer))["alice"]
    assert record.fate is fate
    assert record.cause


async def test_a_phone_cut_off_its_network_is_given_up_before_the_ring_timeout(company: Site, lab: Lab):
    await lab.phone("alice").will(Dead())
    call = await lab.call("lead")
    transfer = await company.asks(call, bot="solo")
    await company.outcome(transfer)
    record = (await company.legs(transfer))["alice"]
    assert record.fate in (LegFate.UNREACHABLE, LegFate.NO_ANSWER)
    assert record.ringing_at is None


async def test_an_unregistered_phone_costs_no_time(company: Site, lab: Lab):
    await lab.phone("alice").unregister()
    call = await lab.call("lead")
    start = time.time()
    transfer = await company.asks(call, bot="solo")
    row = await company.outcome(transfer)
    assert time.time() - start < 1.5
    assert row.outcome == Missed(because=MissedBecause.NO_ONE_AVAILABLE)
    assert await company.legs(transfer) == {}


async def test_nobody_then_a_voicemail_then_somebody_presses_1(company: Site, lab: Lab):
    """The voicemail answers, and never takes the lead."""
    for name in ("alice", "bob", "carol"):
        await lab.phone(name).will(Busy())
    await lab.phone("mobile1").will(Voicemail(after_s=1))
    await lab.phone("frontdesk").will(Answer(after_s=1))
    call = await lab.call("lead")
    transfer = await company.asks(call, bot="outside")
    await lab.wait_until(lambda: lab.phone("frontdesk").is_talking, 30, what="the front desk to answer")
    assert not [e for e in await company.phases(transfer) if e == "answered"]
    await asyncio.sleep(1.0)
    await lab.phone("frontdesk").press("1")  # in the middle of the prompt
    await company.phase(transfer, "joined")
    await call.bot.hang_up()
    row = await company.outcome(transfer)
    assert row.outcome.by is ConnectedBy.FALLBACK
    legs = await company.legs(transfer)
    assert legs["mobile1"].fate is LegFate.NOT_ACCEPTED
    assert legs["frontdesk"].fate is LegFate.ANSWERED


async def test_a_wrong_key_is_asked_again_and_2_declines(company: Site, lab: Lab):
    await lab.phone("alice").will(Busy())
    await lab.phone("mobile1").will(Answer(after_s=0.5))
    await lab.phone("frontdesk").will(Answer(after_s=0.5))
    call = await lab.call("lead")
    transfer = await company.asks(call, bot="outside")
    await lab.wait_until(lambda: lab.phone("mobile1").is_talking, what="the mobile to answer")
    await asyncio.sleep(0.5)
    await lab.phone("mobile1").press("7")
    await asyncio.sleep(1.0)
    assert lab.phone("mobile1").is_talking
    await lab.phone("mobile1").press("2")
    await lab.wait_until(lambda: lab.phone("frontdesk").is_talking, what="the front desk to be rung")
    assert (await company.legs(transfer))["mobile1"].fate is LegFate.DECLINED
    await asyncio.sleep(0.5)
    await lab.phone("frontdesk").press("1")
    await company.phase(transfer, "joined")


HOSTILE = {
    "cr lf": "Bob\r\nAction: Originate\r\nApplication: System",
    "nul": "Bob\x00Eve",
    "comma": "Bob,CALLCONTROL_LEAD=evil",
    "expansion": "${SHELL(id)}$[1+1]",
    "quotes": '"Bob" <sip:evil@example.com>;',
    "emoji": "Bob \N{GRINNING FACE}\N{PILE OF POO}",
    "long": "B" * 10_000,
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_name_is_cleaned_and_the_call_goes_through(company: Site, lab: Lab, name):
    call = await lab.call("lead")
    lead = {"name": name, "phone": "+4930 231 25 777", "source": name[:200], "agent": "alice"}
    transfer = await company.asks(call, bot="solo", lead=lead)
    await company.phase(transfer, "joined")
    await call.bot.hang_up()
    assert isinstance((await company.outcome(transfer)).outcome, Connected)
    (received,) = lab.calls_received("alice")
    assert received.caller_number.lstrip("+") == "493023125777"
    assert all(c.isalnum() or c in " .'-" for c in received.caller_name)
    assert len(received.caller_name) <= 40


async def test_both_are_told_who_answered(company: Site, lab: Lab):
    call = await lab.call("lead")
    transfer = await company.asks(call, bot="solo")
    await company.phase(transfer, "joined")
    await call.bot.hang_up()
    await company.outcome(transfer)
    await lab.wait_until(lambda: len(company.texts_of(transfer)) == 2, what="the texts")
    assert {text["to"] for text in company.texts_of(transfer)} == {"+493023125700", OWNER}
    assert all("Alice is talking with Lena Lead" in text["body"] for text in company.texts_of(transfer))
