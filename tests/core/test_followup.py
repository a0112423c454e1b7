from dataclasses import replace
from datetime import UTC

from callcontrol.core.followup import follow_up
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
    Endpoint,
    EndpointKind,
    Lead,
    LeadId,
    Leg,
    Missed,
    MissedBecause,
    OutcomeActions,
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


def after(outcome, *, lead=LEAD, bot=BOT, assigned=ALICE):
    return follow_up(outcome, lead=lead, bot=bot, assigned=assigned)


def test_a_connected_lead_is_announced_to_assigned_agent_and_owner():
    result = after(CONNECTED)
    assert [(text.recipient, text.to) for text in result.texts] == [
        ("agent", "+15550111"),
        ("owner", "+15550199"),
    ]
    assert result.texts[0].body == "Live transfer answered: Bob is talking with Lea Lead."
    assert result.cancel_cadence
    assert result.task is None


def test_a_missed_lead_is_texted_with_everything_needed_to_call_back():
    body = after(MISSED).texts[0].body
    for fact in ("Lea Lead", "+15550100", "lea@example.com", "Zillow", "Please call them back ASAP"):
        assert fact in body


def test_a_missed_lead_becomes_a_task_of_the_assigned_agent():
    task = after(MISSED).task
    assert task.title == "Call back Lea Lead"
    assert task.owner_agent_id == "alice"
    assert task.reason == "Missed live transfer: nobody answered."


def test_every_reason_for_a_miss_has_its_words():
    assert len({after(Missed(because=reason)).task.reason for reason in MissedBecause}) == len(MissedBecause)


def test_a_lead_who_wants_no_call_back_only_leaves_the_cadence():
    result = after(Missed(because=MissedBecause.CANCELLED, follow_up=False))
    assert (result.texts, result.task, result.cancel_cadence) == ((), None, True)


def test_a_bots_own_settings_decide():
    quiet = OutcomeActions(cancel_cadence=False, notify_agent=False, notify_owner=False, create_task=False)
    result = after(MISSED, bot=replace(BOT, on_missed=quiet))
    assert (result.texts, result.task, result.cancel_cadence, result.warnings) == ((), None, False, ())
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
    assert "+15550100" in after(CONNECTED, lead=nameless).texts[0].body
