"""When it does not come to a talk: the lead leaves, the bot calls off, nobody is there."""

import asyncio
import time

import httpx

from callcontrol.core.model import Connected, LegFate, Missed, MissedBecause
from tests.lab import Answer, Busy, Lab, Ring
from tests.lab.site import OWNER, SUMMARY, Site


async def everyone_is(lab: Lab, behaviour, *names: str) -> None:
    for name in names or ("alice", "bob", "carol", "dave"):
        await lab.phone(name).will(behaviour)


async def test_the_lead_hangs_up_and_every_phone_stops_at_once(company: Site, lab: Lab):
    await everyone_is(lab, Ring())
    call = await lab.call("lead")
    transfer = await company.asks(call, bot="group")
    await lab.phone("bob").rings()
    await lab.phone("carol").rings()
    await call.lead.hang_up()
    gone = time.time()
    row = await company.outcome(transfer)
    await lab.phone("bob").is_idle()
    await lab.phone("carol").is_idle()
    for name in ("bob", "carol"):
        (received,) = lab.calls_received(name)
        assert received.ended_at - gone < 0.5
        assert received.missed  # they may call the lead back
    assert row.outcome == Missed(because=MissedBecause.LEAD_HUNG_UP)
    legs = await company.ended_legs(transfer, "bob", "carol")
    assert {record.fate for record in legs.values()} == {LegFate.CANCELLED}


async def test_an_agent_who_had_answered_hears_that_the_lead_is_gone(company: Site, lab: Lab):
    call = await lab.call("lead")
    transfer = await company.asks(call, bot="whisper")
    await company.phase(transfer, "answered")
    await asyncio.sleep(0.5)
    await call.lead.hang_up()
    gone = time.time()
    await company.outcome(transfer)
    await lab.phone("alice").is_idle(20)
    (leg,) = lab.phone("alice").legs
    assert leg.ended_at - gone > 1
    assert "speech" in lab.heard_between("alice", gone + 0.3, leg.ended_at)


async def test_the_bot_calls_it_off(company: Site, lab: Lab):
    await everyone_is(lab, Ring())
    call = await lab.call("bot")
    transfer = await company.asks(call, bot="solo")
    await lab.phone("alice").rings()
    answer = await company.http.post(f"/v1/transfers/{transfer}/cancel", json={"follow_up": False})
    assert answer.status_code == httpx.codes.ACCEPTED
    row = await company.outcome(transfer)
    assert row.outcome == Missed(because=MissedBecause.CANCELLED, follow_up=False)
    await lab.phone("alice").is_idle()
    assert lab.switch.bridged(call.lead_channel, call.bot_channel)
    again = await company.http.post(f"/v1/transfers/{transfer}/cancel", json={})
    assert again.status_code == httpx.codes.CONFLICT


async def test_nobody_at_all_the_bot_keeps_the_lead_and_is_told(company: Site, lab: Lab):
    await everyone_is(lab, Busy())
    call = await lab.call("lead")
    transfer = await company.asks(call, bot="solo")
    await company.phase(transfer, "missed")
    row = await company.outcome(transfer)
    assert row.outcome == Missed(because=MissedBecause.NO_ANSWER)
    assert lab.switch.bridged(call.lead_channel, call.bot_channel)
    (task,) = [task for task in await company.store.tasks(100) if task.transfer_id == transfer]
    assert task.title == "Call back Lena Lead"
    await lab.wait_until(lambda: len(company.texts_of(transfer)) == 2, what="the texts")
    texts = company.texts_of(transfer)
    assert {text["to"] for text in texts} == {"+493023125700", OWNER}
    for fact in ("Lena Lead", "+493023125001", "lena@example.com", "Portal", "Please call them back ASAP"):
        assert fact in texts[0]["body"]


async def test_a_missed_lead_of_an_application_bot_stays_with_it(company: Site, lab: Lab):
    await everyone_is(lab, Busy())
    call = await lab.call_app_bot("audiosocket")
    transfer = await company.asks(call, bot="solo")
    await company.outcome(transfer)
    start = time.time()
    await asyncio.sleep(0.6)
    assert lab.heard_between("lead", start, start + 0.6) == {"bot"}


async def test_a_missed_lead_of_an_application_bot_may_go_where_the_engineer_says(company: Site, lab: Lab):
    await everyone_is(lab, Busy())
    call = await lab.call_app_bot("audiosocket")
    transfer = await company.asks(call, bot="elsewhere")
    await company.outcome(transfer)
    await lab.phone("lead").is_idle()


async def test_a_bot_that_dies_leaves_the_lead_to_the_agent(company: Site, lab: Lab):
    await lab.phone("alice").will(Ring())
    call = await lab.call("lead")
    transfer = await company.asks(call, bot="solo")
    await lab.phone("alice").rings()
    await call.bot.hang_up()
    start = time.time()
    await asyncio.sleep(1.0)
    assert lab.heard_between("lead", start + 0.5, start + 1.0) == {"moh"}
    await lab.phone("alice").answer()
    row = await company.outcome(transfer, limit_s=40)
    assert isinstance(row.outcome, Connected)
    start = time.time()
    await asyncio.sleep(1.0)
    assert lab.heard_between("lead", start + 0.4, start + 1.0) == {"alice"}


async def test_a_bot_may_die_with_the_answer_to_its_request_in_hand(company: Site, lab: Lab):
    call = await lab.call("lead")
    transfer = await company.asks(call, bot="solo")
    await call.bot.hang_up()
    row = await company.outcome(transfer, limit_s=40)
    assert isinstance(row.outcome, Connected)
    await lab.wait_until(lambda: lab.heard_between("lead", time.time() - 0.4, time.time()) == {"alice"})


async def test_the_dialplan_asks_waits_with_music_and_is_connected(company: Site, lab: Lab):
    await lab.phone("alice").will(Answer(after_s=1.5))
    call = await lab.call_app_bot("audiosocket_asks")
    await call.bot.end()
    asked = time.time()
    await lab.phone("alice").talks()
    (row,) = await company.store.transfers(1)
    await company.outcome(row.id, limit_s=40)
    assert "moh" in lab.heard_between("lead", asked, asked + 1.4)
    start = time.time()
    await asyncio.sleep(1.0)
    assert lab.heard_between("lead", start + 0.4, start + 1.0) == {"alice"}


async def test_an_unknown_channel_and_a_busy_one_are_refused(company: Site, lab: Lab):
    await everyone_is(lab, Ring())
    call = await lab.call("lead")
    body = {"bot": "solo", "lead_id": "lena", "channel": "1700000000.1", "summary": SUMMARY}
    unknown = await company.http.post("/v1/transfers", json=body)
    assert unknown.status_code == httpx.codes.NOT_FOUND
    transfer = await company.asks(call, bot="solo")
    busy = await company.http.post("/v1/transfers", json=body | {"channel": call.lead_channel})
    assert busy.status_code == httpx.codes.CONFLICT
    assert transfer in busy.text
    await call.lead.hang_up()
    await company.outcome(transfer)
    assert len(lab.calls_received("alice")) == 1
