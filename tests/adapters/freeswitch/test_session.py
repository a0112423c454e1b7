"""The link over time: surveys, losses, and coming back; and the bytes of every order. The peer is scripted."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from callcontrol.adapters.freeswitch import FreeswitchPbx
from callcontrol.core import events as e
from callcontrol.core.callback import CallAnswered, CallBegan, CallEnded, Party
from callcontrol.core.events import Doing, Why
from callcontrol.core.model import (
    AcceptBy,
    AgentId,
    AgentState,
    BotId,
    Call,
    ChannelId,
    Endpoint,
    EndpointKind,
    Leg,
    TransferId,
)
from callcontrol.ports import (
    CallerId,
    ChannelUnknownError,
    HandoffDone,
    LinkDown,
    LinkUp,
    PortError,
    Report,
    RingOrder,
    TransferAsked,
)
from tests.adapters.freeswitch.scripted import (
    Answer,
    ScriptedFreeswitch,
    custom,
    event,
    framed,
    rows,
    scripted,
    state,
)
from tests.adapters.freeswitch.test_link import QUICK, until

LEAD, BOT, LEG = ChannelId("lead-1"), ChannelId("bot-1"), ChannelId("a" * 36)
CALL = Call(lead=LEAD, bot=BOT, pbx_started="first-start")
TRANSFER = TransferId("t-1")
GONE = "-ERR No such channel!\n"


@dataclass
class Daemon:
    pbx: FreeswitchPbx
    reports: list[Report] = field(default_factory=list)

    def kinds(self) -> list[type[Report]]:
        return [type(report) for report in self.reports]

    async def saw(self, kind: type[Report], count: int = 1) -> None:
        await until(lambda: self.kinds().count(kind) >= count)


@pytest.fixture
async def freeswitch() -> AsyncIterator[ScriptedFreeswitch]:
    async with scripted() as freeswitch:
        yield freeswitch


@pytest.fixture
async def daemon(freeswitch: ScriptedFreeswitch) -> AsyncIterator[Daemon]:
    daemon = Daemon(FreeswitchPbx(replace(QUICK, port=freeswitch.port)))
    running = asyncio.create_task(daemon.pbx.run(daemon.reports.append))
    yield daemon
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def order(name: str = "Lena", address: str = "alice", by: AcceptBy = AcceptBy.ANSWER) -> RingOrder:
    endpoint = Endpoint(kind=EndpointKind.EXTENSION, address=address, accept_by=by)
    return RingOrder(
        transfer_id=TRANSFER,
        leg=Leg(id=LEG, agent_id=None, label="Alice", endpoint=endpoint),
        lead=LEAD,
        caller=CallerId(name=name, number="+4930123456"),
        ring_timeout_s=35.0,
        accept_timeout_s=20.0,
    )


def row(channel: str, place: str = "public,1", callstate: str = "ACTIVE", **more: str) -> dict[str, str]:
    context, _, dest = place.partition(",")
    return {"uuid": channel, "callstate": callstate, "context": context, "dest": dest, **more}


def lists(*channels: dict[str, str], pairs: tuple[tuple[str, str], ...] = ()) -> Answer:
    def answer(command: object) -> str:
        match command.rest.split()[0]:  # type: ignore[attr-defined]
            case "channels":
                return rows(*channels)
            case "bridged_calls":
                return rows(*({"uuid": one, "b_uuid": other} for one, other in pairs))
            case _:
                return rows()

    return answer


# --- up and down


async def test_the_survey_tells_what_every_channel_is_doing(freeswitch: ScriptedFreeswitch, daemon: Daemon):
    three = {"application": "three_way", "application_data": LEAD}
    freeswitch.channels |= {LEAD, BOT, *(f"leg{n}" for n in range(1, 6))}
    freeswitch.answers["show"] = lists(
        row(LEAD),
        row(BOT),
        row("leg1", "default,alice", "RINGING"),
        row("leg2", "callcontrol-leg,key"),
        row("leg3", "callcontrol-leg,accepted"),
        row("leg4", "callcontrol-leg,briefed"),
        row("leg5", "callcontrol-leg,join", **three),
        pairs=((LEAD, BOT),),
    )
    await daemon.saw(LinkUp)
    survey = daemon.reports[0].survey  # type: ignore[union-attr]
    assert survey.pbx_started == "first-start"
    assert {key: alive.doing for key, alive in survey.alive.items() if key.startswith("leg")} == {
        "leg1": Doing.RINGING,
        "leg2": Doing.ANSWERED,
        "leg3": Doing.ACCEPTED,
        "leg4": Doing.BRIEFED,
        "leg5": Doing.ACCEPTED,
    }
    assert survey.alive[LEAD].bridged_with == {BOT, "leg5"}
    assert survey.alive[ChannelId("leg5")].bridged_with == {LEAD}
    assert survey.alive[ChannelId("leg3")].bridged_with == frozenset()


async def test_a_channel_that_the_lists_do_not_have_yet_is_asked_for_before_it_is_taken_for_gone(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    variables = {"context": "callcontrol-leg", "destination_number": "accepted", "answer_epoch": "1795694400"}
    freeswitch.answers["uuid_exists"] = lambda command: "true" if command.rest == LEG else "false"
    freeswitch.answers["uuid_getvar"] = lambda command: variables[command.rest.split()[1]]
    daemon.pbx.watch(TRANSFER, CALL)
    daemon.pbx.watch_leg(TRANSFER, CALL, order().leg)
    await daemon.saw(LinkUp)
    alive = daemon.reports[0].survey.alive  # type: ignore[union-attr]
    assert {key: found.doing for key, found in alive.items()} == {LEG: Doing.ACCEPTED}


async def test_a_channel_that_the_lists_still_have_is_not_taken_for_alive(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    freeswitch.channels |= {LEAD}
    freeswitch.answers["show"] = lists(row(LEAD), row(BOT), pairs=((LEAD, BOT),))
    await daemon.saw(LinkUp)
    alive = daemon.reports[0].survey.alive  # type: ignore[union-attr]
    assert {key: found.bridged_with for key, found in alive.items()} == {LEAD: frozenset()}


async def test_events_that_come_before_the_survey_are_told_after_it(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    daemon.pbx.watch(TRANSFER, CALL)

    def slowly(command: object) -> str:
        freeswitch.tell(state(BOT, "HANGUP", Hangup_Cause="NORMAL_CLEARING"))
        return lists(row(LEAD), row(BOT))(command)  # type: ignore[arg-type, return-value]

    freeswitch.answers["show"] = slowly
    await daemon.saw(e.BotHungUp)
    assert daemon.kinds() == [LinkUp, e.BotHungUp]


async def test_a_lost_link_is_reported_once_and_made_again(freeswitch: ScriptedFreeswitch, daemon: Daemon):
    await daemon.saw(LinkUp)
    assert daemon.pbx.linked
    freeswitch.cut()
    await daemon.saw(LinkUp, 2)
    assert daemon.kinds() == [LinkUp, LinkDown, LinkUp]


async def test_lost_events_lead_to_another_survey(freeswitch: ScriptedFreeswitch, daemon: Daemon):
    await daemon.saw(LinkUp)
    await freeswitch.say(framed(b"[CRIT] Lost [3] events! Event Queue size: [1/100000]\n", "log/data"))
    await daemon.saw(LinkUp, 2)
    assert daemon.reports[1] == LinkDown(why="the switch lost events")


async def test_a_refused_login_is_not_tried_again_at_once(freeswitch: ScriptedFreeswitch, daemon: Daemon):
    freeswitch.answers["auth"] = lambda _: "-ERR invalid"
    await freeswitch.saw("auth")
    await asyncio.sleep(0.15)
    assert freeswitch.sessions == 1
    assert daemon.reports == []
    del freeswitch.answers["auth"]
    await daemon.saw(LinkUp)


async def test_nothing_is_sent_twice_when_the_link_is_cut_under_way(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await daemon.saw(LinkUp)
    freeswitch.answers["originate"] = lambda _: None
    ringing = asyncio.create_task(daemon.pbx.ring(order()))
    await freeswitch.saw("originate")
    freeswitch.cut()
    with pytest.raises(PortError) as caught:
        await ringing
    assert caught.value.retryable, "the next survey tells whether the order arrived"
    await daemon.saw(LinkUp, 2)
    with pytest.raises(ChannelUnknownError):  # a round trip
        await daemon.pbx.locate("nobody")
    assert freeswitch.names().count("originate") == 1


async def test_a_ring_order_that_is_not_answered_rings_nobody_in_the_end(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await daemon.saw(LinkUp)
    freeswitch.answers["originate"] = lambda _: None
    with pytest.raises(PortError, match="did not answer"):
        await daemon.pbx.ring(order())
    assert (await freeswitch.saw("uuid_kill")).rest == f"{LEG} ORIGINATOR_CANCEL"


async def test_a_switch_that_shuts_down_has_not_lost_everybody_at_once(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await daemon.saw(LinkUp)
    daemon.pbx.watch(TRANSFER, CALL)
    for channel in (LEAD, BOT):
        await freeswitch.say(state(channel, "HANGUP", Hangup_Cause="SYSTEM_SHUTDOWN"))
    await freeswitch.say(framed(b"Disconnected, goodbye.\n", "text/disconnect-notice"))
    await daemon.saw(LinkUp, 2)
    assert daemon.kinds() == [LinkUp, LinkDown, LinkUp]


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


# --- joining


async def watched(freeswitch: ScriptedFreeswitch, daemon: Daemon) -> None:
    await daemon.saw(LinkUp)
    await freeswitch.say(event("CHANNEL_BRIDGE", {"Bridge-A-Unique-ID": LEAD, "Bridge-B-Unique-ID": BOT}))
    await until(lambda: daemon.pbx._ledger.partners)
    daemon.pbx.watch(TRANSFER, CALL)
    await freeswitch.saw("uuid_setvar_multi")


async def test_a_lead_with_its_bot_is_located_without_a_question(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await watched(freeswitch, daemon)
    asked = len(freeswitch.commands)
    assert await daemon.pbx.locate(LEAD) == CALL
    assert len(freeswitch.commands) == asked
    freeswitch.answers["auth"] = lambda _: None
    freeswitch.cut()
    await daemon.saw(LinkDown)
    with pytest.raises(PortError, match="no link"):
        await daemon.pbx.locate(LEAD)


async def test_a_lead_whose_bot_may_die_is_told_where_to_go_then(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await watched(freeswitch, daemon)
    assert (await freeswitch.saw("uuid_setvar_multi")).rest == (
        f"{LEAD} CALLCONTROL_CONNECTED=;CALLCONTROL_AGENT=;CALLCONTROL_TRANSFER=t-1;"
        "transfer_after_bridge=s:XML:callcontrol-bot-gone"
    )
    daemon.pbx.forget(TRANSFER)
    assert (await freeswitch.saw("uuid_setvar_multi", 2)).rest == (
        f"{LEAD} CALLCONTROL_TRANSFER=;transfer_after_bridge=;CALLCONTROL_AGENT="
    )


async def test_somebody_elses_ear_on_the_lead_is_no_join(freeswitch: ScriptedFreeswitch, daemon: Daemon):
    """A supervisor may listen in while an agent's phone rings."""
    await watched(freeswitch, daemon)
    await daemon.pbx.ring(order())
    await freeswitch.say(EAR + state(LEG, "RINGING"))
    await daemon.saw(e.LegRinging)
    assert daemon.kinds() == [LinkUp, e.LegRinging]


EAR = event(
    "MEDIA_BUG_START", {"Unique-ID": LEAD, "Media-Bug-Function": "eavesdrop", "Media-Bug-Target": LEAD}
)


async def picked_up(freeswitch: ScriptedFreeswitch, daemon: Daemon) -> asyncio.Task[None]:
    """And chosen, before its leg comes to our dialplan."""
    await watched(freeswitch, daemon)
    await daemon.pbx.ring(order())
    await freeswitch.say(state(LEG, "ACTIVE"))
    await daemon.saw(e.LegAccepted)
    joining = asyncio.create_task(daemon.pbx.join(LEAD, LEG))
    assert (await freeswitch.saw("uuid_setvar_multi", 3)).rest == f"{LEG} CALLCONTROL_LEAD={LEAD}"
    return joining


async def test_a_leg_that_is_chosen_in_time_goes_to_the_lead_by_itself(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    joining = await picked_up(freeswitch, daemon)
    await freeswitch.say(EAR)
    await daemon.saw(e.Joined)
    await joining
    assert "uuid_transfer" not in freeswitch.names()


async def test_a_leg_that_came_to_the_dialplan_before_it_was_chosen_is_sent_to_the_lead(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    joining = await picked_up(freeswitch, daemon)
    await freeswitch.say(custom("callcontrol::leg_answered", LEG, {"Accepted": "1"}))
    await joining
    assert (await freeswitch.saw("uuid_transfer")).rest == f"{LEG} join XML callcontrol-leg"
    assert e.Joined not in daemon.kinds()


async def test_a_leg_that_found_nobody_to_join_is_not_sent_there_again(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    joining = await picked_up(freeswitch, daemon)
    await freeswitch.say(custom("callcontrol::join_failed", LEG, {"Leg": LEG, "Why": "three_way"}))
    await daemon.saw(e.JoinFailed)
    await joining
    assert "uuid_transfer" not in freeswitch.names()


async def test_the_late_news_that_an_agent_has_left_does_not_hide_that_the_next_has_joined(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    joining = await picked_up(freeswitch, daemon)
    stop = {"Unique-ID": LEAD, "Media-Bug-Function": "eavesdrop", "Media-Bug-Target": LEAD}
    await freeswitch.say(event("MEDIA_BUG_STOP", stop) + EAR)
    await daemon.saw(e.Joined)
    await joining
    assert "uuid_transfer" not in freeswitch.names()


async def test_the_switch_is_hurried_until_a_leg_is_joined_and_no_longer(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await watched(freeswitch, daemon)
    assert freeswitch.newlines == 0
    await daemon.pbx.ring(order())
    await until(lambda: freeswitch.newlines > 3)
    await freeswitch.say(state(LEG, "ACTIVE") + custom("callcontrol::leg_answered", LEG, {"Accepted": "1"}))
    await daemon.saw(e.LegAccepted)
    await daemon.pbx.join(LEAD, LEG)
    await freeswitch.say(EAR)
    await daemon.saw(e.Joined)
    assert not daemon.pbx._ledger.in_haste()


async def test_a_join_that_fails_says_so(freeswitch: ScriptedFreeswitch, daemon: Daemon):
    await watched(freeswitch, daemon)
    await daemon.pbx.ring(order())
    await freeswitch.say(state(LEG, "ACTIVE") + custom("callcontrol::leg_answered", LEG, {"Accepted": "1"}))
    await daemon.saw(e.LegAccepted)
    await daemon.pbx.join(LEAD, LEG)
    failed = {"Leg": LEG, "Why": "three_way"}
    await freeswitch.say(custom("callcontrol::join_failed", LEG, failed))
    await daemon.saw(e.JoinFailed)
    assert daemon.reports[-1] == e.JoinFailed(channel=LEG, why="three_way")


async def test_releasing_the_bot_brings_lead_and_agent_together_first(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await watched(freeswitch, daemon)
    await daemon.pbx.ring(order())
    await freeswitch.say(state(LEG, "ACTIVE") + custom("callcontrol::leg_answered", LEG, {"Accepted": "1"}))
    await daemon.saw(e.LegAccepted)
    await daemon.pbx.join(LEAD, LEG)
    await freeswitch.say(EAR)
    await daemon.saw(e.Joined)
    await daemon.pbx.release_bot(BOT)
    ended = [(c.name, c.rest) for c in freeswitch.commands if c.name in ("uuid_bridge", "uuid_kill")]
    assert ended == [("uuid_bridge", f"{LEAD} {LEG}"), ("uuid_kill", f"{BOT} NORMAL_CLEARING")]


async def test_a_bot_that_dies_after_an_agent_has_left_the_handoff_does_not_make_it_an_agents_call(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await watched(freeswitch, daemon)
    await daemon.pbx.ring(order())
    await freeswitch.say(state(LEG, "ACTIVE") + custom("callcontrol::leg_answered", LEG, {"Accepted": "1"}))
    await daemon.saw(e.LegAccepted)
    await daemon.pbx.join(LEAD, LEG)
    await freeswitch.say(EAR)
    await daemon.saw(e.Joined)
    await freeswitch.say(state(LEG, "HANGUP", Hangup_Cause="NORMAL_CLEARING") + state(BOT, "HANGUP"))
    await daemon.saw(e.BotHungUp)
    with pytest.raises(ChannelUnknownError):  # a round trip
        await daemon.pbx.locate("nobody")
    assert not any("CALLCONTROL_CONNECTED=1" in command.rest for command in freeswitch.commands)


async def test_an_agent_who_leaves_silences_the_announcement_which_is_not_told_as_said(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await watched(freeswitch, daemon)
    await daemon.pbx.ring(order())
    await freeswitch.say(state(LEG, "ACTIVE") + custom("callcontrol::leg_answered", LEG, {"Accepted": "1"}))
    await daemon.saw(e.LegAccepted)
    await daemon.pbx.join(LEAD, LEG)
    await freeswitch.say(event("CHANNEL_BRIDGE", {"Bridge-A-Unique-ID": LEAD, "Bridge-B-Unique-ID": LEG}))
    await daemon.saw(e.Joined)
    await daemon.pbx.announce(TRANSFER, LEAD, [Path("/s/a.wav"), Path("/s/b.wav")])
    played = [c.rest for c in freeswitch.commands if c.name == "uuid_displace"]
    assert played == [f"{who} start file_string:///s/a.wav!/s/b.wav 0 mux" for who in (LEAD, LEG)]
    await freeswitch.say(state(LEG, "HANGUP", Hangup_Cause="NORMAL_CLEARING"))
    stopped = await freeswitch.saw("uuid_displace", 3)
    assert stopped.rest == f"{LEAD} stop file_string:///s/a.wav!/s/b.wav"
    bug = {"Media-Bug-Function": "displace", "Media-Bug-Target": "file_string:///s/a.wav!/s/b.wav"}
    await freeswitch.say(event("MEDIA_BUG_STOP", {"Unique-ID": LEAD, **bug}) + state(BOT, "HANGUP"))
    await daemon.saw(e.BotHungUp)
    assert HandoffDone not in daemon.kinds()


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


# --- calls of others

NUMBER = "+493023125001"
DIALS = {
    "Unique-ID": "leg-1",
    "Other-Leg-Unique-ID": "desk-1",
    "Caller-Caller-ID-Number": "101",
    "Caller-Destination-Number": NUMBER,
}
BEGAN = CallBegan(
    call=ChannelId("desk-1"),
    leg=ChannelId("leg-1"),
    caller=Party(address="alice", number="101"),
    called=Party(number=NUMBER),
)


async def wants_the_number(daemon: Daemon) -> None:
    await daemon.pbx.follow(lambda number: number == NUMBER)


async def test_a_call_to_a_number_that_is_waited_for_is_told_with_the_phone_that_dials(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await daemon.saw(LinkUp)
    await wants_the_number(daemon)
    await freeswitch.say(state("desk-1", "RINGING", Channel_Presence_ID="alice@x", Call_Direction="inbound"))
    await freeswitch.say(event("CHANNEL_ORIGINATE", DIALS))
    await freeswitch.say(state("leg-1", "ACTIVE"))
    ends = {"Bridge-A-Unique-ID": "desk-1", "Bridge-B-Unique-ID": "leg-1"}
    await freeswitch.say(event("CHANNEL_BRIDGE", ends))
    await freeswitch.say(state("leg-1", "HANGUP", Hangup_Cause="NORMAL_CLEARING"))
    await daemon.saw(CallEnded)
    assert BEGAN in daemon.reports
    assert CallAnswered(call=BEGAN.call, leg=BEGAN.leg) in daemon.reports


def a_call_that_is_up(freeswitch: ScriptedFreeswitch) -> None:
    desk = row("desk-1", direction="inbound", presence_id="alice@x", application="bridge", cid_num="101")
    leg = row("leg-1", direction="outbound", call_uuid="desk-1", dest=NUMBER, cid_num="101")
    freeswitch.answers["show"] = lists(desk, leg)
    freeswitch.channels |= {"desk-1", "leg-1"}


async def test_a_call_that_is_up_is_told_at_once_and_with_each_link(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await daemon.saw(LinkUp)
    a_call_that_is_up(freeswitch)
    await wants_the_number(daemon)
    assert daemon.kinds() == [LinkUp, CallBegan, CallAnswered]
    freeswitch.cut()
    await daemon.saw(CallAnswered, 2)
    assert daemon.kinds()[3:] == [LinkDown, LinkUp, CallBegan, CallAnswered]


async def test_a_list_that_is_refused_keeps_nothing_that_happens_from_being_told(
    freeswitch: ScriptedFreeswitch, daemon: Daemon
):
    await daemon.saw(LinkUp)
    freeswitch.answers["show"] = lambda _: "-ERR"
    with pytest.raises(PortError):
        await wants_the_number(daemon)
    await freeswitch.say(event("CHANNEL_ORIGINATE", DIALS))
    await daemon.saw(CallBegan)
