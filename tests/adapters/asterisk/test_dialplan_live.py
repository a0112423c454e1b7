"""What the dialplan does by itself: asking for a transfer, holding a lead, ringing without a daemon."""

import time
from collections.abc import AsyncIterator, Callable

import pytest_asyncio

from callcontrol.core import events as e
from callcontrol.core.model import AcceptBy, BotId, Endpoint, EndpointKind, TransferId
from callcontrol.ports import HandoffDone, TransferAsked
from tests.adapters.asterisk.desk import Desk
from tests.lab import Answer, Call, Lab, Refuse, Ring, Voicemail
from tests.lab.ami import Message
from tests.lab.parties import DID_BOT

HOSTILE = 'Wants 3 rooms, (b: a) garden: yes; "quoted" ${SHELL(id)} $[1+1] 50% \\ a) b: c Grüße 🏡'


class Results:
    """What callcontrol-transfer returned, channel by channel."""

    def __init__(self, lab: Lab) -> None:
        self.by_channel: dict[str, str] = {}
        self._lab = lab

    def listen(self, message: Message) -> None:
        if message["Event"] == "VarSet" and message["Variable"] == "CALLCONTROL_RESULT":
            self.by_channel[message["Uniqueid"]] = message["Value"]

    async def of(self, channel: str, within_s: float = 5.0) -> str:
        return await self._lab.wait_until(
            lambda: self.by_channel.get(channel), within_s, what="callcontrol-transfer to return"
        )


@pytest_asyncio.fixture(loop_scope="session")
async def results(lab: Lab) -> AsyncIterator[Results]:
    results = Results(lab)
    lab.pbx.ami.listeners.append(results.listen)
    yield results
    lab.pbx.ami.listeners.remove(results.listen)


async def extension(lab: Lab, name: str, *lines: str) -> None:
    """Put an extension of the test's own into the context the leads come in by."""
    for priority, line in enumerate(lines, start=1):
        app, _, arguments = line.removesuffix(")").partition("(")
        await lab.pbx.ami.action(
            "DialplanExtensionAdd",
            Context="from-trunk",
            Extension=name,
            Priority=str(priority),
            Application=app,
            ApplicationData=arguments,
            Replace="yes",
        )


async def asking(lab: Lab, **variables: str) -> Call:
    """A lead whose bot has just ended, so that the dialplan asks for a transfer."""
    await extension(lab, "asks", "Gosub(callcontrol-transfer,s,1(the-sales_bot))", "Wait(0.2)", "Hangup()")
    call = await lab.call_app_bot("audiosocket")
    for name, value in variables.items():
        await lab.pbx.ami.action("Setvar", Channel=call.lead_channel, Variable=name, Value=value)
    await lab.pbx.ami.action(
        "Redirect", Channel=call.lead_channel, Context="from-trunk", Exten="asks", Priority="1"
    )
    return call


def number(lab: Lab, who: str) -> Endpoint:
    return Endpoint(kind=EndpointKind.NUMBER, address=lab.phone(who).number, accept_by=AcceptBy.KEY)


# --- with a daemon


async def test_the_dialplan_asks_in_words_that_arrive_as_they_were(desk: Desk, lab: Lab):
    call = await asking(
        lab,
        CALLCONTROL_SUMMARY=HOSTILE,
        CALLCONTROL_LEAD_NAME="O'Hara, Zoë",
        CALLCONTROL_LEAD_SOURCE="Web: Ads",
    )
    asked = await desk.saw(TransferAsked)
    assert asked.channel == call.lead_channel
    assert asked.bot_id == "the-sales_bot"
    assert asked.summary == HOSTILE
    assert asked.lead == {"name": "O'Hara, Zoë", "source": "Web: Ads", "phone": lab.phone("lead").number}
    assert asked.key.startswith(call.lead_channel)
    await desk.pbx.acknowledge(asked.channel, None, "no bot 'sales'")


async def test_an_acknowledged_lead_is_held_then_joined_and_goes_on_when_the_agent_hangs_up(
    desk: Desk, lab: Lab, results: Results
):
    call = await asking(lab)
    asked = await desk.saw(TransferAsked)
    transfer_id, located = await desk.transfer(asked.channel)
    await desk.pbx.acknowledge(asked.channel, transfer_id, "")
    await desk.is_at(call.lead_channel, "callcontrol-lead", "hold")
    await desk.hears("lead", {"moh"})
    assert await lab.pbx.variable(call.lead_channel, "CALLCONTROL_TRANSFER") == transfer_id
    leg = await desk.joined("alice", located, transfer_id)
    await desk.hears("lead", {"alice"})
    await lab.phone("alice").hang_up()
    await desk.saw(e.LegEnded, leg.id)
    desk.pbx.forget(transfer_id)
    assert await results.of(call.lead_channel) == "CONNECTED"
    await lab.phone("lead").is_idle()


async def test_a_refused_lead_goes_on_at_once_and_knows_why(desk: Desk, lab: Lab, results: Results):
    call = await asking(lab)
    asked = await desk.saw(TransferAsked)
    why: Callable[[], object] = lambda: results.by_channel.get(call.lead_channel)  # noqa: E731
    await desk.pbx.acknowledge(asked.channel, None, 'no bot "sales",\r\nEvil: 1')
    assert await lab.wait_until(why) == "REFUSED"
    await lab.phone("lead").is_idle()


async def test_a_missed_lead_goes_on_in_the_dialplan(desk: Desk, lab: Lab, results: Results):
    call = await asking(lab)
    asked = await desk.saw(TransferAsked)
    await desk.pbx.acknowledge(asked.channel, TransferId("t1"), "")
    await desk.is_at(call.lead_channel, "callcontrol-lead", "hold")
    await desk.pbx.return_lead(asked.channel, "")
    assert await results.of(call.lead_channel) == "MISSED"
    await lab.phone("lead").is_idle()


async def test_a_miss_may_come_before_the_acknowledgement(desk: Desk, lab: Lab, results: Results):
    call = await asking(lab)
    asked = await desk.saw(TransferAsked)
    await desk.pbx.return_lead(asked.channel, "")
    assert await results.of(call.lead_channel) == "MISSED"


async def test_the_end_of_the_hold_rings_the_fallback_numbers(desk: Desk, lab: Lab, results: Results):
    await published(desk, number(lab, "mobile1"))
    call = await asking(lab, CALLCONTROL_HOLD_S="1")
    asked = await desk.saw(TransferAsked)
    await desk.pbx.acknowledge(asked.channel, TransferId("t1"), "")
    await lab.phone("mobile1").talks()
    await lab.phone("mobile1").press("1")
    await desk.hears("lead", {"mobile1"})
    await lab.phone("mobile1").hang_up()
    await lab.wait_until(lambda: results.by_channel[call.lead_channel] == "FALLBACK")
    await lab.phone("lead").is_idle()


async def test_the_bot_that_has_spoken_can_say_so_from_the_dialplan(desk: Desk, lab: Lab):
    await lab.pbx.ami.action(
        "Originate",
        Channel="Local/s@callcontrol-handoff-finished/n",
        ChannelId="our-bot",
        Application="Gosub",
        Data="callcontrol-handoff-finished,s,1",
        Async="true",
    )
    await desk.when(lambda: any(isinstance(r, HandoffDone) for r in desk.reports))


# --- the bot's leg dies while agents ring


async def call_with_a_dying_bot(desk: Desk, lab: Lab) -> Call:
    """The dialplan that dialplan/README.md gives for a bot that is a leg of its own."""
    await extension(
        lab,
        DID_BOT,
        "Dial(PJSIP/bot,30,g)",
        "Gosub(callcontrol-bot-gone,s,1)",
        "Hangup()",
    )
    return await lab.call()


async def test_a_lead_whose_bot_dies_is_held_for_the_transfer_in_flight(
    desk: Desk, lab: Lab, results: Results
):
    call = await call_with_a_dying_bot(desk, lab)
    transfer_id, located = await desk.transfer(call.lead_channel)
    await lab.phone("alice").will(Ring())
    leg = await desk.ring("alice", located, transfer_id)
    await desk.saw(e.LegRinging, leg.id)
    await desk.variable_is(call.lead_channel, "CALLCONTROL_TRANSFER", transfer_id)
    await call.bot.hang_up()
    await desk.saw(e.BotHungUp, located.bot)
    await desk.hears("lead", {"moh"})
    await lab.phone("alice").answer()
    await desk.saw(e.LegAccepted, leg.id)
    await desk.pbx.join(located.lead, leg.id)
    await desk.saw(e.Joined, leg.id)
    await desk.hears("lead", {"alice"})
    await lab.phone("alice").hang_up()
    desk.pbx.forget(transfer_id)
    assert await results.of(call.lead_channel) == "CONNECTED"


async def test_a_lead_with_no_transfer_in_flight_is_not_held(desk: Desk, lab: Lab):
    call = await call_with_a_dying_bot(desk, lab)
    transfer_id, _ = await desk.transfer(call.lead_channel)
    await desk.variable_is(call.lead_channel, "CALLCONTROL_TRANSFER", transfer_id)
    desk.pbx.forget(transfer_id)
    await desk.variable_is(call.lead_channel, "CALLCONTROL_TRANSFER", "")
    await call.bot.hang_up()
    await lab.phone("lead").is_idle(2.0)


async def test_a_connected_lead_is_not_held_when_the_agent_hangs_up(desk: Desk, lab: Lab, results: Results):
    call = await call_with_a_dying_bot(desk, lab)
    transfer_id, located = await desk.transfer(call.lead_channel)
    await desk.joined("alice", located, transfer_id)
    assert located.bot is not None
    await desk.pbx.release_bot(located.bot)
    await desk.saw(e.BotHungUp, located.bot)
    await desk.hears("lead", {"alice"})
    await lab.phone("alice").hang_up()
    assert await results.of(call.lead_channel) == "CONNECTED"
    await lab.phone("lead").is_idle()


# --- without a daemon


async def published(desk: Desk, *endpoints: Endpoint) -> str:
    """Publish, and return what then stands in the switch's database."""
    await desk.pbx.publish_fallbacks(BotId("the-sales_bot"), endpoints)
    expected = len(endpoints) > 0

    async def written() -> str:
        shown = await desk.lab.pbx.cli("database get callcontrol fallback-the-sales_bot")
        value = shown.partition("Value:")[2].strip()
        return f"={value}" if value.startswith("PJSIP/") is expected and "evil" not in value else ""

    return (await desk.lab.wait_until(written, what="the numbers to be written")).removeprefix("=")


async def test_without_a_daemon_a_voicemail_does_not_take_the_lead(desk: Desk, lab: Lab, results: Results):
    await published(desk, number(lab, "mobile1"), number(lab, "mobile2"))
    await lab.phone("mobile1").will(Voicemail(after_s=0.1))
    await lab.phone("mobile2").will(Answer(after_s=1.0))
    call = await asking(lab)
    await lab.phone("mobile2").talks(8)
    assert lab.phone("mobile1").is_talking, "its voicemail has answered first"
    await lab.phone("mobile2").press("1")
    await desk.hears("lead", {"mobile2"})
    await lab.phone("mobile1").is_idle(12)  # its prompt is said to the end
    await lab.phone("lead").hang_up()
    await lab.phone("mobile2").is_idle()
    assert await results.of(call.lead_channel) == "NO_DAEMON", "set before, and true until somebody took it"


async def test_without_a_daemon_one_who_declines_leaves_the_others_ringing(
    desk: Desk, lab: Lab, results: Results
):
    await published(desk, number(lab, "mobile1"), number(lab, "mobile2"), number(lab, "mobile3"))
    await lab.phone("mobile2").will(Ring())
    await lab.phone("mobile3").will(Refuse())
    call = await asking(lab)
    await lab.phone("mobile1").talks(8)
    await lab.phone("mobile1").press("2")
    await lab.phone("mobile1").is_idle()
    assert lab.phone("mobile2").is_ringing
    await lab.phone("mobile2").answer()
    await lab.phone("mobile2").press("1")
    await desk.hears("lead", {"mobile2"})
    await lab.phone("mobile2").hang_up()
    await lab.wait_until(lambda: results.by_channel[call.lead_channel] == "FALLBACK")


async def test_without_a_daemon_and_without_numbers_the_lead_goes_on_after_two_seconds(
    desk: Desk, lab: Lab, results: Results
):
    await published(desk)
    call = await asking(lab)
    before = time.monotonic()
    assert await results.of(call.lead_channel) == "NO_DAEMON"
    await lab.phone("lead").is_idle()
    assert 1.5 < time.monotonic() - before < 3.5


async def test_what_stands_in_the_database_of_the_switch_is_filtered_before_it_is_dialled(
    desk: Desk, lab: Lab, results: Results
):
    await lab.pbx.cli('database put callcontrol fallback-the-sales_bot "PJSIP/alice,1,G(evil^s^1)"')
    call = await asking(lab)
    assert await results.of(call.lead_channel) == "NO_DAEMON"
    await lab.phone("lead").is_idle(70)
    assert lab.calls_received("alice") == []


async def test_the_published_numbers_stand_in_the_database(desk: Desk, lab: Lab):
    desktop = Endpoint(kind=EndpointKind.EXTENSION, address="alice", accept_by=AcceptBy.ANSWER)
    written = await published(desk, desktop, number(lab, "mobile1"), desktop)
    assert written == f"PJSIP/alice&PJSIP/{lab.phone('mobile1').number}@trunk"
    assert await published(desk) == ""
