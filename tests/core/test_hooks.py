from datetime import UTC, datetime, timedelta

from callcontrol.core import hooks
from callcontrol.core.events import Finish, Phase, ReleaseBot, TellBot
from callcontrol.core.hooks import HookEvent
from callcontrol.core.model import (
    AcceptBy,
    AgentId,
    Bot,
    BotId,
    ChannelId,
    Connected,
    ConnectedBy,
    Endpoint,
    EndpointKind,
    Lead,
    LeadId,
    Leg,
    LegRecord,
    Missed,
    MissedBecause,
    StepKind,
    TransferId,
)

NOW = datetime(2026, 6, 1, 15, tzinfo=UTC)
LEAD = Lead(id=LeadId("l"), name="Lea Lead", phone="+15550100")
BOT = Bot(id=BotId("sami"), name="Sami")
DESK = Endpoint(kind=EndpointKind.EXTENSION, address="bob", accept_by=AcceptBy.ANSWER)


def leg(name, *, attempt=1, ringing=True, ended=False):
    return LegRecord(
        leg=Leg(id=ChannelId(name), agent_id=AgentId(name), label=name.title(), endpoint=DESK),
        attempt=attempt,
        step=StepKind.GROUP,
        dialled_at=NOW,
        ringing_at=NOW if ringing else None,
        ended_at=NOW + timedelta(seconds=1) if ended else None,
    )


def told(*commands, legs=(), outcome_too=True):
    return hooks.of_turn(
        TransferId("t"), BOT, LEAD, commands=commands, legs=legs, at=NOW, outcome_too=outcome_too
    )


def test_a_request_is_told_with_its_lead():
    hook = hooks.requested(TransferId("t"), BOT, LEAD, NOW)
    assert (hook.event, hook.key, hook.lead) == (HookEvent.TRANSFER_REQUESTED, "t", LEAD)
    assert hook.data == {"transfer": "t", "bot": "sami"}


def test_ringing_names_the_phones_of_this_attempt_that_ring_now():
    legs = (leg("ann", ended=True), leg("bob", attempt=2), leg("cyd", attempt=2, ringing=False))
    (hook,) = told(TellBot(phase=Phase.RINGING, detail="Bob"), legs=legs)
    assert hook.event is HookEvent.TRANSFER_RINGING
    assert (hook.data["attempt"], hook.data["ringing"]) == (2, [{"agent": "bob", "label": "Bob"}])


def test_a_connected_lead_is_told_with_who_has_it():
    outcome = Connected(by=ConnectedBy.POOL_AGENT, leg=leg("bob").leg)
    (hook,) = told(Finish(outcome=outcome))
    assert hook.event is HookEvent.TRANSFER_CONNECTED
    assert hook.data == {"transfer": "t", "bot": "sami", "by": "pool_agent", "agent": "bob", "label": "Bob"}


def test_a_missed_lead_is_told_with_the_reason():
    (hook,) = told(
        Finish(outcome=Missed(because=MissedBecause.NO_ANSWER)), ReleaseBot(channel=ChannelId("b"))
    )
    assert hook.event is HookEvent.TRANSFER_MISSED
    assert hook.data["because"] == "no_answer"
    assert hook.data["follow_up"] is True


def test_a_bot_may_keep_its_outcomes_to_itself():
    finish = Finish(outcome=Missed(because=MissedBecause.NO_ANSWER))
    assert told(finish, outcome_too=False) == ()
