"""From the bot's request to lead and agent talking: who heard whom, and when."""

import asyncio
import time

import pytest

from callcontrol.core.model import Connected, ConnectedBy, LegFate, Missed, MissedBecause
from tests.lab import Answer, Lab, Refuse
from tests.lab.site import Site

SETTLE_S = 0.4  # speech on the line before it is listened to


async def listen(seconds: float = 0.6) -> tuple[float, float]:
    """Let the parties talk; the interval to look at, without its edges."""
    start = time.time() + SETTLE_S
    await asyncio.sleep(SETTLE_S + seconds)
    return start, start + seconds


@pytest.mark.parametrize("caller", ["lead", "bot"])
async def test_introduce_lead_and_bot_then_all_three_then_lead_and_agent(company: Site, lab: Lab, caller):
    await lab.phone("alice").will(Answer(after_s=1))
    call = await lab.call(caller)
    alone = time.time()
    transfer = await company.asks(call)
    await company.phase(transfer, "joined")
    joined = time.time()
    during = lab.who_hears_whom(*await listen())
    await call.bot.hang_up()
    left = time.time()
    row = await company.outcome(transfer)
    after = lab.who_hears_whom(*await listen())

    assert lab.heard_between("lead", alone, joined - 0.3) == {"bot"}
    assert during["lead"] == {"bot", "alice"}
    assert during["alice"] == {"bot", "lead"}
    assert during["bot"] == {"lead", "alice"}
    assert after["lead"] == {"alice"}
    assert after["alice"] == {"lead"}
    assert lab.longest_silence("lead", alone, left + 1) < 0.2
    assert row.outcome == Connected(by=ConnectedBy.ASSIGNED_AGENT, leg=row.outcome.leg)
    assert row.outcome.leg.label == "Alice"
    assert lab.switch.with_channel(call.lead_channel) == {call.lead_channel, row.outcome.leg.id}
    assert not await lab.switch.mixes(call.lead_channel)


async def test_neither_the_leads_nor_the_bots_leg_is_moved(company: Site, lab: Lab):
    await lab.phone("alice").will(Answer(after_s=0.5))
    call = await lab.call("lead")
    before = await lab.switch.places(call.lead_channel, call.bot_channel)
    transfer = await company.asks(call)
    await company.phase(transfer, "joined")
    assert await lab.switch.places(call.lead_channel, call.bot_channel) == before


async def test_a_bot_behind_a_local_channel_is_a_leg_like_any_other(company: Site, lab: Lab):
    await lab.phone("alice").will(Answer(after_s=0.5))
    call = await lab.call("lead", bot="local")
    transfer = await company.asks(call)
    await company.phase(transfer, "joined")
    assert lab.who_hears_whom(*await listen())["lead"] == {"bot", "alice"}
    await call.bot.end()
    assert isinstance((await company.outcome(transfer)).outcome, Connected)
    assert lab.who_hears_whom(*await listen())["lead"] == {"alice"}


async def test_the_bot_may_say_that_it_has_spoken(company: Site, lab: Lab):
    call = await lab.call("lead")
    transfer = await company.asks(call)
    await company.phase(transfer, "joined")
    answer = await company.http.post(f"/v1/transfers/{transfer}/handoff-finished")
    assert answer.status_code == 202
    await company.outcome(transfer)
    heard = lab.who_hears_whom(*await listen())
    assert heard["lead"] == {"alice"}
    assert not lab.phone("bot").is_talking


async def test_a_bot_that_never_stops_is_released_at_the_limit(company: Site, lab: Lab):
    call = await lab.call("bot")
    transfer = await company.asks(call, bot="hurried")
    await company.outcome(transfer)
    assert lab.who_hears_whom(*await listen())["lead"] == {"alice"}


async def test_whisper_the_agent_alone_hears_the_overview(company: Site, lab: Lab):
    call = await lab.call("lead")
    transfer = await company.asks(call, bot="whisper")
    await company.phase(transfer, "answered")
    start = time.time() + 0.5
    await company.phase(transfer, "joined", limit_s=40)
    end = time.time() - 0.3
    assert lab.heard_between("lead", start, end) == {"bot"}
    assert "speech" in lab.heard_between("alice", start, end)
    assert "lead" not in lab.heard_between("alice", start, end)
    await company.outcome(transfer)
    after = lab.who_hears_whom(*await listen())
    assert after["lead"] == {"alice"}
    assert after["alice"] == {"lead"}


async def test_whisper_a_star_plays_the_overview_again(company: Site, lab: Lab):
    async def briefed_in(star_after: float | None) -> float:
        call = await lab.call("lead")
        transfer = await company.asks(call, bot="whisper")
        await company.phase(transfer, "answered")
        start = time.time()
        if star_after is not None:
            await asyncio.sleep(star_after)
            await lab.phone("alice").press("*")
        await company.phase(transfer, "joined", limit_s=60)
        took = time.time() - start
        await call.lead.hang_up()
        await company.until(lambda row: row.closed, transfer)
        return took

    once = await briefed_in(None)
    again = await briefed_in(once * 0.6)
    assert again > once * 1.3


@pytest.mark.parametrize("bot_leg", [True, False])
async def test_announce_both_hear_the_overview_from_a_file(company: Site, lab: Lab, bot_leg):
    call = await (lab.call("lead") if bot_leg else lab.call_app_bot("audiosocket"))
    transfer = await company.asks(call, bot="announce")
    await company.phase(transfer, "joined")
    start = time.time() + 0.5
    await company.outcome(transfer, limit_s=40)
    end = time.time() - 0.3
    assert end - start > 3
    assert {"speech", "alice"} <= lab.heard_between("lead", start, end)
    assert {"speech", "lead"} <= lab.heard_between("alice", start, end)
    after = lab.who_hears_whom(*await listen())
    assert (after["lead"], after["alice"]) == ({"alice"}, {"lead"})


@pytest.mark.parametrize("kind", ["audiosocket", "agi"])
async def test_a_bot_on_the_leads_own_channel_talks_until_the_agent_accepts(company: Site, lab: Lab, kind):
    await lab.phone("alice").will(Answer(after_s=1.5))
    call = await lab.call_app_bot(kind)
    asked = time.time()
    transfer = await company.asks(call, bot="solo")
    await company.phase(transfer, "answered")
    answered = time.time()
    await company.outcome(transfer, limit_s=40)
    assert lab.heard_between("lead", asked, answered - 0.2) == {"bot"}
    assert lab.who_hears_whom(*await listen())["lead"] == {"alice"}


async def test_an_agent_who_leaves_during_the_handoff_is_followed_by_the_group(company: Site, lab: Lab):
    await lab.phone("bob").will(Answer(after_s=1))
    call = await lab.call("lead")
    transfer = await company.asks(call)
    await company.phase(transfer, "joined")
    await lab.phone("alice").hang_up()
    await company.phase(transfer, "agent_left")
    heard = lab.who_hears_whom(*await listen(0.3))
    assert heard["lead"] >= {"bot"}
    await company.until_joined(transfer, "bob", "carol")
    await call.bot.hang_up()
    row = await company.outcome(transfer)
    assert row.outcome.by is ConnectedBy.POOL_AGENT
    assert (await company.legs(transfer))["alice"].fate is LegFate.HUNG_UP


async def test_an_agent_who_leaves_an_announcement_leaves_the_lead_on_hold_for_the_next(
    company: Site, lab: Lab
):
    await lab.phone("bob").will(Answer(after_s=2))
    await lab.phone("carol").will(Refuse())
    call = await lab.call_app_bot("audiosocket")
    transfer = await company.asks(call)
    await company.phase(transfer, "joined")
    await asyncio.sleep(0.5)
    await lab.phone("alice").hang_up()
    await company.phase(transfer, "agent_left")
    held = lab.who_hears_whom(*await listen(0.4))
    assert held["lead"] == {"moh"}
    row = await company.outcome(transfer, limit_s=40)
    assert row.outcome.leg.label == "Bob"
    assert lab.who_hears_whom(*await listen())["lead"] == {"bob"}


async def test_when_the_agent_ends_the_talk_the_lead_goes_on_in_its_own_dialplan(company: Site, lab: Lab):
    call = await lab.call("lead")
    transfer = await company.asks(call)
    await company.phase(transfer, "joined")
    await call.bot.hang_up()
    await company.outcome(transfer)
    await lab.phone("alice").hang_up()
    row = await company.until(lambda row: row.closed, transfer)
    assert (await company.legs(transfer))["alice"].ended_at is not None
    assert isinstance(row.outcome, Connected)


async def test_when_the_lead_ends_the_talk_the_agent_is_released(company: Site, lab: Lab):
    call = await lab.call("lead")
    transfer = await company.asks(call)
    await company.phase(transfer, "joined")
    await call.bot.hang_up()
    await company.outcome(transfer)
    await call.lead.hang_up()
    await company.until(lambda row: row.closed, transfer)
    await lab.phone("alice").is_idle()


async def test_the_lead_hanging_up_during_the_handoff_is_a_miss(company: Site, lab: Lab):
    call = await lab.call("lead")
    transfer = await company.asks(call)
    await company.phase(transfer, "joined")
    await call.lead.hang_up()
    row = await company.outcome(transfer)
    assert row.outcome == Missed(because=MissedBecause.LEAD_HUNG_UP)
