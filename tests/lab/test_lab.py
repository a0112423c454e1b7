"""The lab itself, before anything is built on what it says, on each PBX that it can start."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.lab import (
    Answer,
    AppBot,
    Behaviour,
    Busy,
    Dead,
    Forward,
    Lab,
    Leftovers,
    NotFound,
    Refuse,
    Ring,
    TrunkDown,
    Unavailable,
    Voicemail,
)
from tests.lab.dialling import cause_of, join, ring
from tests.lab.parties import BULK_PHONES
from tests.lab.pbxes import PBXES
from tests.lab.rendering import SOUNDS

pytestmark = [pytest.mark.live, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=PBXES)
async def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Lab]:
    lab = await Lab.start(tmp_path_factory.mktemp("lab"), pbx=request.param)
    yield lab
    await lab.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def lab(running: Lab) -> AsyncIterator[Lab]:
    yield running
    assert not await running.reset()


@pytest.mark.parametrize("caller", ["lead", "bot"])
async def test_lead_and_bot_hear_each_other_and_nobody_else(lab: Lab, caller: str):
    await lab.call(caller)  # type: ignore[arg-type]
    start = time.time()
    await asyncio.sleep(0.6)
    assert lab.who_hears_whom(start, start + 0.5) == {"lead": {"bot"}, "bot": {"lead"}}
    assert lab.longest_silence("lead", start, start + 0.5) <= 0.02


@pytest.mark.parametrize("kind", ["audiosocket", "agi"])
async def test_a_bot_on_the_leads_own_channel_is_heard_until_it_ends(lab: Lab, kind: str):
    call = await lab.call_app_bot(kind)  # type: ignore[arg-type]
    assert call.bot_channel is None
    assert isinstance(call.bot, AppBot)
    await asyncio.sleep(0.3)
    await call.bot.end()
    await lab.phone("lead").is_idle()  # the dialplan went on, and had nothing more for it
    assert {one.who for one in lab.heard("lead")} == {"bot"}


async def test_a_bot_behind_a_local_channel_is_a_leg_of_its_own(lab: Lab):
    call = await lab.call(bot="local")
    assert call.bot_channel
    assert lab.switch.bridged(call.lead_channel, call.bot_channel)
    await call.bot.end()
    await call.lead.is_gone()
    [back] = await lab.wait_until(lambda: lab.user_events("LabLeadBack"))
    assert back["Uniqueid"] == call.lead_channel


async def test_two_leads_are_kept_apart(lab: Lab):
    first, second = await asyncio.gather(lab.call(lead="lead"), lab.call("bot", lead="lead2"))
    assert not lab.switch.bridged(first.lead_channel, second.lead_channel)
    await first.lead.hang_up()
    await first.bot.is_gone()
    assert second.lead.alive
    assert second.bot.alive


async def test_hanging_up_ends_the_call_from_either_side(lab: Lab):
    call = await lab.call()
    await call.bot.hang_up()
    await call.lead.is_gone()
    [back] = await lab.wait_until(lambda: lab.user_events("LabLeadBack"))
    assert back["Uniqueid"] == call.lead_channel
    other = await lab.call("bot")
    await other.lead.hang_up()
    await other.bot.is_gone()


async def test_a_third_party_added_to_the_bridge_is_heard_by_all_and_stays_with_the_lead(lab: Lab):
    call = await lab.call("bot")
    agent = await join(lab, "alice", call)
    assert call.bot_channel
    await lab.wait_until(
        lambda: lab.heard_between("lead", time.time() - 0.2, time.time()) >= {"bot", "alice"}
    )
    start = time.time()
    await asyncio.sleep(0.5)
    hears = lab.who_hears_whom(start, start + 0.4)
    assert hears == {"lead": {"bot", "alice"}, "bot": {"lead", "alice"}, "alice": {"lead", "bot"}}
    await lab.switch.release_bot(call.bot_channel, call.lead_channel, agent)
    await call.bot.is_gone()
    left_at = time.time()
    await asyncio.sleep(0.5)
    assert lab.heard_between("lead", left_at + 0.1, left_at + 0.4) == {"alice"}
    assert lab.longest_silence("lead", start, left_at + 0.4) < 0.2


@pytest.mark.parametrize(
    ("who", "behaviour", "causes"),  # Asterisk's first; FreeSWITCH has its own for some
    [
        ("alice", Refuse(), {21}),
        ("alice", Refuse(after_s=0.2), {21}),
        ("bob", Busy(), {17}),
        ("carol", Unavailable(), {19, 18}),
        ("dave", NotFound(), {1}),
        ("alice", Ring(), {19}),
        ("bob", Dead(), {19}),
        # Asterisk 22.10.1 hangs the forwarding channel up before it has set its cause, once in about 40.
        ("bob", Forward("900190055"), {23, 0, 44}),
        ("mobile1", Refuse(), {21}),
        ("mobile1", TrunkDown(), {34, 41}),
        ("mobile2", Busy(), {17}),
        ("mobile2", Dead(), {19}),
    ],
)
async def test_each_behaviour_comes_to_its_cause(lab: Lab, who: str, behaviour: Behaviour, causes: set[int]):
    await lab.phone(who).will(behaviour)
    assert await cause_of(lab, who, timeout_s=1.0) in causes


async def test_a_phone_answers_when_it_was_told_to(lab: Lab):
    await lab.phone("alice").will(Answer(after_s=0.5))
    await ring(lab, "alice")
    leg = await lab.phone("alice").talks()
    [received] = lab.calls_received("alice")
    assert received.answered_at is not None
    assert received.ringing_at is not None
    assert received.answered_at - received.ringing_at == pytest.approx(0.5, abs=0.1)
    assert leg.talking_at == pytest.approx(received.answered_at, abs=0.05)


async def test_two_phones_answer_at_the_same_instant(lab: Lab):
    for name in ("alice", "bob"):
        await lab.phone(name).will(Answer(after_s=0.3))
    await asyncio.gather(ring(lab, "alice"), ring(lab, "bob"))
    alice, bob = await asyncio.gather(lab.phone("alice").talks(), lab.phone("bob").talks())
    assert alice.talking_at == pytest.approx(bob.talking_at, abs=0.05)


async def test_a_ringing_phone_is_picked_up_on_command(lab: Lab):
    await lab.phone("carol").will(Ring())
    await ring(lab, "carol")
    await lab.phone("carol").rings()
    await lab.phone("carol").answer()
    assert lab.phone("carol").is_talking


@pytest.mark.parametrize("elsewhere", [True, False])
async def test_a_cancelled_phone_shows_a_missed_call_unless_answered_elsewhere(lab: Lab, *, elsewhere: bool):
    await lab.phone("alice").will(Ring())
    channel = await ring(lab, "alice", alert_info="<urn:alert:source:external>")
    await lab.phone("alice").rings()
    await lab.switch.hang_up(channel, elsewhere=elsewhere)
    await lab.phone("alice").is_idle()
    [received] = lab.calls_received("alice")
    assert (received.caller_name, received.caller_number) == ("Lena Lead", "+493023125001")
    assert received.alert_info == "<urn:alert:source:external>"
    assert received.missed is not elsewhere


async def test_a_party_falls_silent_and_speaks_again(lab: Lab):
    call = await lab.call()
    await call.lead.hush()
    hushed_at = time.time()
    await asyncio.sleep(0.5)
    await call.lead.speak()
    await lab.wait_until(lambda: lab.heard_between("bot", time.time() - 0.2, time.time()) == {"lead"})
    assert lab.heard_between("bot", hushed_at + 0.1, hushed_at + 0.5) == set()


async def test_the_pbx_restarts_and_is_found_again(lab: Lab):
    before = lab.switch.pid
    await lab.restart()
    assert lab.switch.pid != before
    await lab.call()


async def test_many_calls_are_put_up_quickly(lab: Lab):
    channels = await lab.bulk_calls(20)
    assert len(set(channels)) == 20
    assert len(await lab.switch.channels()) == 40


async def test_a_desk_phone_calls_another(lab: Lab):
    call = await lab.phone("alice").dials("102")
    await lab.phone("bob").talks()
    await lab.wait_until(lambda: "bob" in lab.recordings.heard_just_now(call.leg))
    await call.hang_up()
    await lab.phone("bob").is_idle()


async def test_two_labs_run_side_by_side(lab: Lab):
    other = await Lab.start(pbx=lab.switch.kind)
    try:
        await asyncio.gather(lab.call(), other.call())
        assert (len(await lab.switch.channels()), len(await other.switch.channels())) == (2, 2)
    finally:
        await other.stop()
        shutil.rmtree(other.run_dir)


async def test_recordings_are_kept_as_files(lab: Lab):
    await lab.call()
    files = {file.name: file.stat().st_size for file in lab.save_recordings()}
    assert set(files) == {"lead-1.wav", "bot-1.wav"}
    assert min(files.values()) > 1000


@pytest.mark.parametrize(("context", "exten"), [("bench-dial", "p001"), ("bench-queue", "s001")])
async def test_the_switchs_own_ways_ring_a_load_phone(lab: Lab, context: str, exten: str):
    await lab.switch.prepare_bench()
    call = await lab.call()
    await lab.switch.redirect(call.lead_channel, context, exten)
    await call.bot.is_gone()
    await lab.wait_until(lambda: any(one.answered_at for one in lab.calls_received("p001")))
    await lab.switch.partner(call.lead_channel)


@pytest.mark.parametrize(("context", "exten"), [("bench-dial", "g002"), ("bench-queue", "q002")])
async def test_the_switchs_own_ways_ring_three_at_once(lab: Lab, context: str, exten: str):
    await lab.switch.prepare_bench()
    await lab.bulk_phones_answer(None)
    call = await lab.call()
    await lab.switch.redirect(call.lead_channel, context, exten)
    await lab.wait_until(
        lambda: all(any(one.ringing_at for one in lab.calls_received(name)) for name in BULK_PHONES[3:6])
    )


async def test_keys_pressed_outside_arrive_at_the_pbx(lab: Lab):
    await ring(lab, "mobile1")
    await lab.phone("mobile1").talks()
    await lab.phone("mobile1").press("1*")
    await lab.wait_until(lambda: lab.switch.keys == ["1", "*"], what="the keys")


async def test_music_on_hold_has_its_own_tone(lab: Lab):
    channel = await ring(lab, "alice")
    await lab.phone("alice").talks()
    await lab.switch.redirect(channel, "lab-hold", "music")
    await lab.wait_until(lambda: {one.who for one in lab.heard("alice")} == {"moh"})


async def test_a_mailbox_answers_with_its_greeting_and_presses_nothing(lab: Lab):
    await lab.phone("mobile1").will(Voicemail(after_s=0.2))
    await ring(lab, "mobile1")
    await lab.phone("mobile1").talks()
    await asyncio.sleep(0.5)
    assert lab.switch.keys == []


async def test_a_frozen_pbx_says_nothing_until_it_is_thawed(lab: Lab):
    lab.switch.freeze()
    with pytest.raises(TimeoutError):
        await lab.switch.ping(timeout_s=0.3)
    lab.switch.thaw()
    await lab.switch.ping(timeout_s=5)


async def test_what_is_left_on_the_pbx_is_told_and_ended(running: Lab):
    await running.switch.leave_something()
    await running.wait_until(running.switch.channels)
    assert await running.reset()
    assert await running.switch.channels() == []


async def test_a_phone_that_is_not_registered_any_more_is_told_and_brought_back(running: Lab):
    await running.world.instance.ami.action("PJSIPUnregister", Registration="dave")

    async def is_off() -> bool:
        return "dave" not in await running.world.registered()

    await running.wait_until(is_off)
    assert await running.reset() == Leftovers(phones=("dave",))
    assert "dave" in await running.switch.registrations()
    assert not await running.reset()


async def test_a_lead_taken_from_its_bot_hears_whom_it_was_given_to(lab: Lab):
    call = await lab.call_app_bot("agi")
    await lab.switch.redirect(call.lead_channel, "agents", "101")
    await lab.phone("alice").talks()
    await call.bot.is_gone()
    await lab.wait_until(lambda: lab.heard_between("lead", time.time() - 0.2, time.time()) == {"alice"})


async def test_a_phone_signs_off_and_on_again(lab: Lab):
    assert "eve" not in await lab.switch.registrations()
    await lab.phone("dave").unregister()
    assert "dave" not in await lab.switch.registrations()
    await lab.phone("dave").register()
    await lab.switch.registered(["dave"])


async def test_callcontrols_dialplan_is_included_and_copes_alone(lab: Lab):
    call = await lab.call_app_bot("audiosocket_asks")
    await call.bot.hang_up()
    back = await lab.wait_until(lambda: lab.user_events("LabLeadBack"))
    assert [(one["Uniqueid"], one["Result"]) for one in back] == [(call.lead_channel, "NO_DAEMON")]
    assert list(dict.fromkeys(one.who for one in lab.heard("lead"))) == ["bot", "moh"]


async def test_a_prompt_is_told_from_other_prompts(lab: Lab):
    played, other = SOUNDS / "taken.ulaw", SOUNDS / "lead-gone.ulaw"
    channel = await ring(lab, "alice")
    await lab.phone("alice").talks()
    started_at = time.time()
    await lab.switch.redirect(channel, "lab-hold", "prompt")
    await lab.phone("alice").is_idle()
    assert lab.heard_prompt("alice", played) == pytest.approx(started_at, abs=0.2)
    assert lab.heard_prompt("alice", other) is None
