"""The orders for a leg: their bytes, and what their answers mean."""

import asyncio
from pathlib import Path

import pytest

from callcontrol.core import events as e
from callcontrol.core.events import Why
from callcontrol.core.model import AcceptBy, AgentId, AgentState, BotId
from callcontrol.ports import ChannelUnknownError, LinkUp, PortError, TransferAsked
from tests.adapters.freeswitch.scene import GONE, LEAD, LEG, TRANSFER, order
from tests.adapters.freeswitch.scripted import ScriptedFreeswitch, custom, event, state
from tests.adapters.reports import Daemon

# --- the bytes of the orders


HOSTILE = [
    "Lena\n\napi system id",
    "Lena\r",
    "Lena\0",
    "Lena',origination_uuid=x",
    "Lena}user/evil",
    "Lena,execute_on_answer=system id",
    "${system(id)}",
    "$${domain}",
    "Lena]",
    "Lena\\",
    "Lena & Co",
    "Robert'); DROP TABLE leads;--",
    "🏡",
    "x" * 10_000,
    "\ud800",
]


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_name_that_was_not_cleaned_is_not_put_on_the_wire(
    freeswitch: ScriptedFreeswitch, daemon: Daemon, name: str
):
    await daemon.saw(LinkUp)
    before = bytes(freeswitch.wire)
    with pytest.raises(PortError, match="not cleaned"):
        await daemon.pbx.ring(order(name))
    assert freeswitch.wire == before


async def test_a_ring_order_says_this_and_nothing_else(freeswitch: ScriptedFreeswitch, daemon: Daemon):
    await daemon.saw(LinkUp)
    before = len(freeswitch.wire)
    await daemon.pbx.ring(order("Lena Müller-O'Hara Jr.", by=AcceptBy.KEY))
    assert bytes(freeswitch.wire[before:]).decode() == (
        f"bgapi originate {{origination_uuid={LEG},originate_timeout=38,ignore_early_media=true,"
        "outbound_redirect_fatal=true,origination_caller_id_name='Lena Müller-O\u2019Hara Jr.',"
        "origination_caller_id_number=+4930123456,CALLCONTROL_TRANSFER=t-1,CALLCONTROL_ACCEPT_S=23}"
        f"user/alice key XML callcontrol-leg\nJob-UUID: {LEG}\n\n"
    )


async def test_nothing_of_a_lead_but_name_and_number_is_ever_on_the_wire(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    """The summary comes in with the request and goes no further; the reason of a refusal is made plain."""
    freeswitch.answers["uuid_getvar"] = lambda _: "asked"
    freeswitch.answers["uuid_exists"] = lambda _: "true"
    await daemon.saw(LinkUp)
    evil = "Wants ${system(touch /tmp/x)}\n\napi system id; 'x' =1"
    told = {"variable_CALLCONTROL_SUMMARY": evil, "variable_CALLCONTROL_LEAD_NAME": evil}
    await freeswitch.say(custom("callcontrol::transfer", LEAD, told))
    await daemon.saw(TransferAsked)
    await daemon.pbx.acknowledge(LEAD, None, evil)
    await daemon.pbx.ring(order())
    await daemon.pbx.brief(LEG, Path("/sounds/0123abc.wav"))
    await daemon.pbx.publish_fallbacks(BotId("bot"), [order().leg.endpoint])
    await daemon.pbx.show(AgentId("alice"), AgentState.RESTING)
    for evil_id in (evil, "${x}", "a b"):
        with pytest.raises(ChannelUnknownError):
            await daemon.pbx.locate(evil_id)
    wire = bytes(freeswitch.wire)
    assert b"$" not in wire
    assert b"(" not in wire
    assert {command.name for command in freeswitch.commands} <= {
        *("auth", "log", "event", "global_getvar", "show", "uuid_getvar", "uuid_exists", "uuid_setvar_multi"),
        *("uuid_transfer", "originate", "global_setvar", "sendevent", "xml_locate"),
    }
    said = next(c.rest for c in freeswitch.commands if "CALLCONTROL_WHY" in c.rest)
    assert said == f"{LEAD} CALLCONTROL_WHY=Wants system touch tmp x api system id x 1;CALLCONTROL_ACK="


@pytest.mark.parametrize(
    "sound", ["/tmp/a b.wav", "/tmp/a;b.wav", "/tmp/../etc/x", "x.wav", "/tmp/${x}.wav", "/a!b"]
)
async def test_a_sound_that_could_be_more_than_a_file_is_refused(
    freeswitch: ScriptedFreeswitch, daemon: Daemon, sound: str
):
    await daemon.saw(LinkUp)
    for verb in (daemon.pbx.brief(LEG, Path(sound)), daemon.pbx.announce(TRANSFER, LEAD, [Path(sound)])):
        with pytest.raises(PortError, match="can't be played"):
            await verb


# --- verbs whose answer is bad news


async def test_hanging_up_what_is_gone_is_no_error_and_is_told(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await daemon.saw(LinkUp)
    await daemon.pbx.ring(order())
    freeswitch.answers["uuid_kill"] = lambda _: GONE
    hanging_up = asyncio.create_task(daemon.pbx.hang_up(LEG, Why.ANSWERED_ELSEWHERE, answered=False))
    await freeswitch.saw("uuid_kill", 3)  # its channel may be on its way
    freeswitch.answers["uuid_kill"] = lambda _: "+OK\n"
    await hanging_up
    assert freeswitch.commands[-1].rest == f"{LEG} LOSE_RACE"


async def test_a_failed_job_without_a_channel_ends_the_leg(freeswitch: ScriptedFreeswitch, daemon: Daemon):
    await daemon.saw(LinkUp)
    await daemon.pbx.ring(order())
    await freeswitch.say(event("BACKGROUND_JOB", {"Job-UUID": LEG, "_body": "-ERR USER_NOT_REGISTERED\n"}))
    await daemon.saw(e.LegEnded)
    assert daemon.reports[-1] == e.LegEnded(
        channel=LEG, by=e.EndedBy.UNREACHABLE, cause="USER_NOT_REGISTERED"
    )


@pytest.mark.parametrize("job_first", [True, False])
async def test_of_the_job_and_the_hangup_of_a_leg_one_is_told(
    freeswitch: ScriptedFreeswitch, daemon: Daemon, job_first: bool
):
    await daemon.saw(LinkUp)
    await daemon.pbx.ring(order())
    told = [
        event("BACKGROUND_JOB", {"Job-UUID": LEG, "_body": "-ERR USER_BUSY\n"}),
        state(LEG, "HANGUP", Hangup_Cause="USER_BUSY"),
    ]
    await freeswitch.say(b"".join(told if job_first else reversed(told)))
    await daemon.saw(e.LegEnded)
    with pytest.raises(ChannelUnknownError):  # a round trip
        await daemon.pbx.locate("nobody")
    ends = [report for report in daemon.reports if isinstance(report, e.LegEnded)]
    assert ends == [e.LegEnded(channel=LEG, by=e.EndedBy.BUSY, cause="USER_BUSY")]


async def test_a_request_that_comes_too_late_for_its_dialplan_takes_nobody_from_the_fallback(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await daemon.saw(LinkUp)
    freeswitch.answers["uuid_getvar"] = lambda _: "late"
    await daemon.pbx.acknowledge(LEAD, TRANSFER, "")
    assert "uuid_transfer" not in freeswitch.names()


async def test_events_about_channels_of_others_are_nobodys_business(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await daemon.saw(LinkUp)
    for callstate in ("RINGING", "ACTIVE", "HANGUP"):
        await freeswitch.say(state("9.9", callstate, Hangup_Cause="USER_BUSY"))
    for name in ("leg_accepted", "leg_answered", "leg_briefed", "join_failed", "somebody_elses"):
        await freeswitch.say(custom(f"callcontrol::{name}", "9.9", {"Leg": "9.9"}))
    await freeswitch.say(event("BACKGROUND_JOB", {"Job-UUID": "9.9", "_body": "-ERR USER_BUSY"}))
    await freeswitch.say(event("MEDIA_BUG_STOP", {"Unique-ID": "9.9", "Media-Bug-Function": "displace"}))
    with pytest.raises(ChannelUnknownError):  # a round trip
        await daemon.pbx.locate("nobody")
    assert daemon.kinds() == [LinkUp]
    assert daemon.pbx._ledger.partners == {}


async def test_an_address_that_is_no_goto_is_refused(freeswitch: ScriptedFreeswitch, daemon: Daemon):
    await daemon.saw(LinkUp)
    await daemon.pbx.return_lead(LEAD, "after-hours,voicemail,1")
    assert (await freeswitch.saw("uuid_transfer")).rest == f"{LEAD} voicemail XML after-hours"
    for goto in ("x", "a,b", "a,b,1 extra", "a,${system(id)},1", "a,b,1\n\nx"):
        with pytest.raises(PortError, match="no context,extension,priority"):
            await daemon.pbx.return_lead(LEAD, goto)
