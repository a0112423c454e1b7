"""The lab itself, before anything is built on what it says: two real Asterisks."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callcontrol.adapters.asterisk.ledger import EVENTS
from tests.lab import (
    Answer,
    AppBot,
    Behaviour,
    Busy,
    Dead,
    Forward,
    Lab,
    NotFound,
    Refuse,
    Ring,
    TrunkDown,
    Unavailable,
    Voicemail,
)
from tests.lab.ami import Ami, Message
from tests.lab.dialling import cause_of, join, ring
from tests.lab.rendering import SOUNDS

pytestmark = [pytest.mark.live, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    lab = await Lab.start(tmp_path_factory.mktemp("lab"))
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
    await call.bot.end()
    await lab.phone("lead").is_idle()  # the dialplan went on, and had nothing more for it
    assert {one.who for one in lab.heard("lead")} == {"bot"}


async def test_a_bot_behind_a_local_channel_is_a_leg_of_its_own(lab: Lab):
    call = await lab.call(bot="local")
    assert call.bot_channel
    assert lab.switch.bridged(call.lead_channel, call.bot_channel)
    start = time.time()
    await asyncio.sleep(0.4)
    assert lab.heard_between("bot", start, start + 0.3) == {"lead"}


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


@pytest.mark.parametrize(("context", "exten"), [("bench-dial", "p001"), ("bench-queue", "s001")])
async def test_the_switchs_own_ways_ring_a_load_phone(lab: Lab, context: str, exten: str):
    call = await lab.call()
    await lab.pbx.ami.action(
        "Redirect", Channel=call.lead_channel, Context=context, Exten=exten, Priority="1"
    )
    await call.bot.is_gone()
    await lab.switch.partner(call.lead_channel)
    assert any(one["Channel"].startswith("PJSIP/p001-") for one in await lab.pbx.channels())


@pytest.mark.parametrize(("context", "exten"), [("bench-dial", "g002"), ("bench-queue", "q002")])
async def test_the_switchs_own_ways_ring_three_at_once(lab: Lab, context: str, exten: str):
    await lab.bulk_phones_answer(None)
    call = await lab.call()
    await lab.pbx.ami.action(
        "Redirect", Channel=call.lead_channel, Context=context, Exten=exten, Priority="1"
    )

    async def ringing() -> bool:
        channels = await lab.pbx.channels()
        return {one["Channel"][:11] for one in channels if one["ChannelStateDesc"] == "Ringing"} == {
            "PJSIP/p004-",
            "PJSIP/p005-",
            "PJSIP/p006-",
        }

    await lab.wait_until(ringing)


async def test_a_third_party_added_to_the_bridge_is_heard_by_all_and_stays_with_the_lead(lab: Lab):
    call = await lab.call("bot")
    await join(lab, "alice", call)
    await lab.wait_until(
        lambda: lab.heard_between("lead", time.time() - 0.2, time.time()) >= {"bot", "alice"}
    )
    start = time.time()
    await asyncio.sleep(0.5)
    hears = lab.who_hears_whom(start, start + 0.4)
    assert hears == {"lead": {"bot", "alice"}, "bot": {"lead", "alice"}, "alice": {"lead", "bot"}}
    await call.bot.hang_up()
    left_at = time.time()
    await asyncio.sleep(0.5)
    assert lab.heard_between("lead", left_at + 0.1, left_at + 0.4) == {"alice"}
    assert lab.longest_silence("lead", start, left_at + 0.4) < 0.2


@pytest.mark.parametrize(
    ("who", "behaviour", "cause"),
    [
        ("alice", Refuse(), "21"),
        ("alice", Refuse(after_s=0.2), "21"),
        ("bob", Busy(), "17"),
        ("carol", Unavailable(), "19"),
        ("dave", NotFound(), "1"),
        ("alice", Ring(), "19"),
        ("bob", Dead(), "19"),
        # Asterisk 22.10.1 hangs the forwarding channel up before it has set its cause, once in about 40.
        ("bob", Forward("900190055"), "23 0"),
        ("mobile1", Refuse(), "21"),
        ("mobile1", TrunkDown(), "34"),
        ("mobile2", Busy(), "17"),
        ("mobile2", Dead(), "19"),
    ],
)
async def test_each_behaviour_comes_to_its_cause(lab: Lab, who: str, behaviour: Behaviour, cause: str):
    await lab.phone(who).will(behaviour)
    assert await cause_of(lab, lab.phone(who).dial, timeout_s=1.0) in cause.split()


async def test_a_phone_answers_when_it_was_told_to(lab: Lab):
    await lab.phone("alice").will(Answer(after_s=0.5))
    await ring(lab, "PJSIP/alice")
    leg = await lab.phone("alice").talks()
    [received] = lab.calls_received("alice")
    assert received.answered_at is not None
    assert received.ringing_at is not None
    assert received.answered_at - received.ringing_at == pytest.approx(0.5, abs=0.1)
    assert leg.talking_at == pytest.approx(received.answered_at, abs=0.05)


async def test_two_phones_answer_at_the_same_instant(lab: Lab):
    for name in ("alice", "bob"):
        await lab.phone(name).will(Answer(after_s=0.3))
    await asyncio.gather(ring(lab, "PJSIP/alice"), ring(lab, "PJSIP/bob"))
    alice, bob = await asyncio.gather(lab.phone("alice").talks(), lab.phone("bob").talks())
    assert alice.talking_at == pytest.approx(bob.talking_at, abs=0.05)


async def test_a_ringing_phone_is_picked_up_on_command(lab: Lab):
    await lab.phone("carol").will(Ring())
    await ring(lab, "PJSIP/carol")
    await lab.phone("carol").rings()
    await lab.phone("carol").answer()
    assert lab.phone("carol").is_talking


async def test_a_mailbox_answers_with_its_greeting_and_presses_nothing(lab: Lab):
    await lab.phone("mobile1").will(Voicemail(after_s=0.2))
    await ring(lab, lab.phone("mobile1").dial, to="Record", data=f"{lab.run_dir}/greeting.wav,0,1")
    await lab.phone("mobile1").talks()
    await lab.phone("mobile1").is_idle()


@pytest.mark.parametrize(("cause", "missed"), [("26", False), ("16", True)])
async def test_a_cancelled_phone_shows_a_missed_call_unless_answered_elsewhere(
    lab: Lab, cause: str, *, missed: bool
):
    await lab.phone("alice").will(Ring())
    channel = await ring(
        lab, "PJSIP/alice", Variable="PJSIP_HEADER(add,Alert-Info)=<urn:alert:source:external>"
    )
    await lab.phone("alice").rings()
    await lab.pbx.ami.action("Hangup", Channel=channel, Cause=cause)
    await lab.phone("alice").is_idle()
    [received] = lab.calls_received("alice")
    assert (received.caller_name, received.caller_number) == ("Lena Lead", "+493023125001")
    assert received.alert_info == "<urn:alert:source:external>"
    assert received.missed is missed


async def test_a_phone_signs_off_and_on_again(lab: Lab):
    await lab.phone("dave").unregister()
    assert await lab.pbx.variable_global("DEVICE_STATE(PJSIP/dave)") == "UNAVAILABLE"
    await lab.phone("dave").register()
    await lab.wait_until(lambda: _in_state(lab, "PJSIP/dave", "NOT_INUSE"))
    assert await lab.pbx.variable_global("DEVICE_STATE(PJSIP/eve)") == "UNAVAILABLE"


async def _in_state(lab: Lab, device: str, state: str) -> bool:
    return await lab.pbx.variable_global(f"DEVICE_STATE({device})") == state


async def test_keys_pressed_outside_arrive_at_the_pbx(lab: Lab):
    pressed: list[Message] = []
    lab.pbx.ami.listeners.append(pressed.append)
    await ring(lab, lab.phone("mobile1").dial)
    await lab.phone("mobile1").talks()
    await lab.phone("mobile1").press("1*")
    await lab.wait_until(
        lambda: [one["Digit"] for one in pressed if one["Event"] == "DTMFEnd"] == ["1", "*"], what="the keys"
    )
    lab.pbx.ami.listeners.remove(pressed.append)


async def test_music_on_hold_has_its_own_tone(lab: Lab):
    await ring(lab, "PJSIP/alice", to="MusicOnHold", data="")
    await lab.wait_until(lambda: {one.who for one in lab.heard("alice")} == {"moh"})


async def test_a_party_falls_silent_and_speaks_again(lab: Lab):
    call = await lab.call()
    await call.lead.hush()
    hushed_at = time.time()
    await asyncio.sleep(0.5)
    await call.lead.speak()
    await lab.wait_until(lambda: lab.heard_between("bot", time.time() - 0.2, time.time()) == {"lead"})
    assert lab.heard_between("bot", hushed_at + 0.1, hushed_at + 0.5) == set()


@pytest.mark.parametrize("way", ["speaking", "sending"])
async def test_a_pause_measures_as_long_as_it_was(lab: Lab, way: str):
    """300 ms of silence, or of no packets at all, are heard as 300 ms (within 40)."""
    call = await lab.call_app_bot("audiosocket")
    await asyncio.sleep(1.0)
    paused_at = time.time()
    setattr(call.bot, way, False)
    await asyncio.sleep(0.3)
    resumed_at = time.time()
    setattr(call.bot, way, True)
    await asyncio.sleep(1.0)
    first, second = lab.heard("lead")
    assert second.start_s - first.end_s == pytest.approx(resumed_at - paused_at, abs=0.04)
    assert first.end_s == pytest.approx(paused_at, abs=0.06)
    assert second.start_s == pytest.approx(resumed_at, abs=0.06)


async def test_the_pbx_restarts_and_is_found_again(lab: Lab):
    before = lab.pbx.pid
    await lab.pbx.restart()
    assert lab.pbx.pid != before
    await lab.call()


async def test_a_frozen_pbx_says_nothing_until_it_is_thawed(lab: Lab):
    lab.pbx.freeze()
    with pytest.raises(TimeoutError):
        await lab.pbx.ami.action("Ping", timeout_s=0.3)
    lab.pbx.thaw()
    await lab.pbx.ami.action("Ping")


async def test_many_calls_are_put_up_quickly(lab: Lab):
    channels = await lab.bulk_calls(20)
    assert len(set(channels)) == 20
    assert len(await lab.pbx.channels()) == 40


async def test_load_phones_ring_and_answer(lab: Lab):
    await lab.bulk_phones_answer(0.2)
    hangups: list[Message] = []
    lab.pbx.ami.listeners.append(hangups.append)
    await ring(lab, "PJSIP/p001")
    await lab.wait_until(lambda: any(one.get("ChannelStateDesc") == "Up" for one in hangups))
    lab.pbx.ami.listeners.remove(hangups.append)


async def test_a_desk_phone_calls_another(lab: Lab):
    call = await lab.phone("alice").dials("102")
    await lab.phone("bob").talks()
    await lab.wait_until(lambda: "bob" in lab.recordings.heard_just_now(call.leg))
    await call.hang_up()
    await lab.phone("bob").is_idle()


async def test_a_lamp_shows_what_it_was_told(lab: Lab):
    lamp = await lab.lamp("ann-e.2")
    for state, shows in (("INUSE", "on"), ("ONHOLD", "held"), ("RINGING", "blinking"), ("NOT_INUSE", "off")):
        await lab.pbx.set_global("DEVICE_STATE(Custom:callcontrol-ann-e.2)", state)
        await lamp.until(shows)


async def test_what_is_left_on_the_pbx_is_told_and_ended(running: Lab):
    await running.pbx.ami.action(
        "Originate", Channel="Local/wait@lab-hold/n", Application="Wait", Data="60", Async="true"
    )
    await running.wait_until(running.pbx.channels)
    assert await running.reset()
    assert await running.pbx.channels() == []


async def test_a_lead_taken_from_its_bot_hears_whom_it_was_given_to(lab: Lab):
    call = await lab.call_app_bot("agi")
    await lab.pbx.ami.action(
        "Redirect", Channel=call.lead_channel, Context="agents", Exten="101", Priority="1"
    )
    await lab.phone("alice").talks()
    await call.bot.is_gone()
    await lab.wait_until(lambda: lab.heard_between("lead", time.time() - 0.2, time.time()) == {"alice"})


async def test_the_products_user_can_log_in_and_sees_calls(lab: Lab):
    seen: list[str] = []
    user = Ami("callcontrol")
    user.listeners.append(lambda message: seen.append(message["Event"]))
    await user.connect(lab.pbx.ami_host, lab.pbx.ami_port, lab.pbx.ami_user, lab.pbx.ami_secret)
    await lab.call()
    await lab.wait_until(lambda: seen.count("BridgeEnter") == 2)
    assert set(seen) <= set(EVENTS)
    await user.close()


async def test_two_labs_run_side_by_side(lab: Lab):
    other = await Lab.start()
    try:
        await asyncio.gather(lab.call(), other.call())
        assert (len(await lab.pbx.channels()), len(await other.pbx.channels())) == (2, 2)
    finally:
        await other.stop()
        shutil.rmtree(other.run_dir)


async def test_callcontrols_dialplan_is_included_and_copes_alone(lab: Lab):
    call = await lab.call_app_bot("audiosocket_asks")
    await call.bot.hang_up()
    back = await lab.wait_until(lambda: lab.user_events("LabLeadBack"))
    assert [(one["Uniqueid"], one["Result"]) for one in back] == [(call.lead_channel, "NO_DAEMON")]
    assert list(dict.fromkeys(one.who for one in lab.heard("lead"))) == ["bot", "moh"]


async def test_a_prompt_is_told_from_other_prompts(lab: Lab):
    played, other = SOUNDS / "taken.ulaw", SOUNDS / "lead-gone.ulaw"
    await ring(lab, "PJSIP/alice", to="Playback", data="callcontrol/taken")
    leg = await lab.phone("alice").talks()
    await lab.phone("alice").is_idle()
    assert lab.heard_prompt("alice", played) == pytest.approx(leg.talking_at, abs=0.2)
    assert lab.heard_prompt("alice", other) is None


async def test_recordings_are_kept_as_files(lab: Lab):
    await lab.call()
    files = {file.name: file.stat().st_size for file in lab.save_recordings()}
    assert set(files) == {"lead-1.wav", "bot-1.wav"}
    assert min(files.values()) > 1000
