from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from callcontrol.core.followup import Occasion, Recipient, Worded, follow_up, word_rest
from callcontrol.core.model import (
    AcceptBy,
    Agent,
    AgentId,
    Bot,
    BotId,
    ChannelId,
    Connected,
    ConnectedBy,
    Contact,
    ContactList,
    Endpoint,
    EndpointKind,
    Lead,
    LeadId,
    Leg,
    Missed,
    MissedBecause,
    OutcomeActions,
    TransferId,
)

LEAD = Lead(
    id=LeadId("l"),
    name="Lea Lead",
    phone="+15550100",
    email="lea@example.com",
    source="Zillow",
    assigned_agent_id=AgentId("alice"),
)
ALICE = Agent(
    id=AgentId("alice"),
    name="Alice",
    active=True,
    available=True,
    zone=UTC,
    schedule=(),
    endpoints=(),
    phone="+15550111",
)
BOT = Bot(id=BotId("sami"), name="Sami", owner=Contact(name="Olive", phone="+15550199"))
MISSED = Missed(because=MissedBecause.NO_ANSWER)
DESK = Endpoint(kind=EndpointKind.EXTENSION, address="bob", accept_by=AcceptBy.ANSWER)
CONNECTED = Connected(
    by=ConnectedBy.POOL_AGENT,
    leg=Leg(id=ChannelId("x"), agent_id=AgentId("bob"), label="Bob", endpoint=DESK),
)


def plain(notice):
    """Words that say who was told what."""
    fact = notice.answered_by or notice.reason
    return Worded(body=f"{notice.occasion} {notice.recipient} {notice.name}: {notice.lead.name}, {fact}")


def after(outcome, *, lead=LEAD, bot=BOT, assigned=ALICE, word=plain):
    return follow_up(outcome, transfer_id=TransferId("t"), lead=lead, bot=bot, assigned=assigned, word=word)


def missed_by(**actions):
    return replace(BOT, on_missed=OutcomeActions(**actions))


def test_a_connected_lead_is_announced_to_assigned_agent_and_owner():
    result = after(CONNECTED)
    assert [(text.recipient, text.to, text.body) for text in result.texts] == [
        ("agent", "+15550111", "connected agent Alice: Lea Lead, Bob"),
        ("owner", "+15550199", "connected owner Olive: Lea Lead, Bob"),
    ]
    assert result.cancel_cadence
    assert result.webhook
    assert result.task is None


def test_whoever_words_a_missed_lead_has_everything_needed():
    asked = []

    def word(notice):
        asked.append(notice)
        return Worded(body="x")

    after(MISSED, word=word)
    (first, _) = asked
    assert (first.occasion, first.recipient, first.name) == (Occasion.MISSED, Recipient.AGENT, "Alice")
    assert (first.transfer_id, first.bot, first.lead, first.assigned) == ("t", BOT, LEAD, ALICE)
    assert first.reason == "nobody answered"


def test_words_that_are_not_those_wished_for_are_a_warning_told_once():
    result = after(MISSED, word=lambda _: Worded(body="x", warning="broken"))
    assert len(result.texts) == 2
    assert result.warnings == ("broken",)


def test_a_named_list_is_texted_after_the_others_and_nobody_twice():
    managers = ContactList(
        name="managers",
        contacts=(Contact(name="Mia", phone="+15550177"), Contact(name="Olive", phone="+15550199")),
    )
    result = after(MISSED, bot=replace(BOT, on_missed=OutcomeActions(notify_lists=(managers,))))
    assert [(text.recipient, text.to) for text in result.texts] == [
        ("agent", "+15550111"),
        ("owner", "+15550199"),
        ("list:managers:+15550177", "+15550177"),
    ]


def test_the_pool_gets_one_text_for_all_of_it():
    result = after(MISSED, bot=missed_by(notify_agent=False, notify_owner=False, notify_pool=True))
    assert (result.texts, result.to_pool) == ((), "missed pool : Lea Lead, nobody answered")
    assert result.warnings == ()


def test_a_warning_about_the_pools_words_is_told():
    result = after(
        MISSED, bot=missed_by(notify_pool=True), word=lambda n: Worded(body="x", warning=n.recipient)
    )
    assert result.warnings == ("agent", "owner", "pool")


def test_a_missed_lead_becomes_a_task_of_the_assigned_agent():
    task = after(MISSED).task
    assert task.title == "Call back Lea Lead"
    assert task.owner_agent_id == "alice"
    assert task.reason == "Missed live transfer: nobody answered."


def test_every_reason_for_a_miss_has_its_words():
    assert len({after(Missed(because=reason)).task.reason for reason in MissedBecause}) == len(MissedBecause)


def test_a_lead_who_wants_no_call_back_only_leaves_the_cadence():
    result = after(Missed(because=MissedBecause.CANCELLED, follow_up=False))
    assert (result.texts, result.task, result.cancel_cadence, result.webhook) == ((), None, True, True)


def test_a_bots_own_settings_decide():
    quiet = missed_by(cancel_cadence=False, notify_agent=False, notify_owner=False, webhook=False)
    result = after(MISSED, bot=quiet)
    assert (result.texts, result.task, result.cancel_cadence, result.webhook) == ((), None, False, False)
    assert result.warnings == ()
    task = after(CONNECTED, bot=replace(BOT, on_connected=OutcomeActions(create_task=True))).task
    assert task.reason == "Connected."


def test_an_agent_who_is_the_owner_gets_one_text():
    result = after(MISSED, bot=replace(BOT, owner=Contact(name="Alice", phone="+15550111")))
    assert [text.recipient for text in result.texts] == ["agent"]


def test_a_text_that_can_not_be_written_is_a_warning():
    result = after(MISSED, assigned=replace(ALICE, phone=None), bot=replace(BOT, owner=None))
    assert result.texts == ()
    assert len(result.warnings) == 2


def test_with_nobody_assigned_the_owner_is_texted():
    assert [text.recipient for text in after(MISSED, assigned=None).texts] == ["owner"]


def test_a_lead_without_a_name_goes_by_number():
    nameless = replace(LEAD, name="")
    assert after(MISSED, lead=nameless).task.title == "Call back +15550100"


def test_who_rests_is_told_until_when_on_their_own_clock_and_never_too_early():
    seen = []

    def note(notice):
        seen.append(notice)
        return Worded(body="rest")

    bob = replace(ALICE, id=AgentId("bob"), name="Bob", zone=ZoneInfo("America/Denver"))
    until = datetime(2026, 6, 1, 16, 30, 1, tzinfo=UTC)
    assert word_rest(TransferId("t"), LEAD, BOT, ALICE, note)(bob, 3, until).body == "rest"
    assert word_rest(TransferId("t"), LEAD, BOT, ALICE, note)(bob, 3, until - timedelta(seconds=1))
    [first, second] = seen
    assert (first.occasion, first.recipient, first.name, first.misses) == ("resting", "agent", "Bob", 3)
    assert (first.until, second.until) == ("10:31 (America/Denver)", "10:30 (America/Denver)")
