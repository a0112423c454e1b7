"""Whatever a switch, phones and people do, in whatever order, these hold."""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from callcontrol.core import events as e
from callcontrol.core.model import ChannelId, Connected, HandoffStyle, LegFate, TransferId
from callcontrol.core.transfer import LegState, State, Transfer
from tests.core.stage import APP_CALL, BOT, CALL, LEAD, Stage, alive, ids, leg, mobile, survey
from tests.core.stage import settings as chosen

NAMES = ("alice", "bob", "mobile", "front")
CHANNELS = st.sampled_from([ChannelId(name) for name in NAMES])
STEP_LEGS = ((leg("alice"),), (leg("bob"), mobile("mobile")), (mobile("front"),))


def _survey(draw: Callable) -> e.LinkRestored:
    found = {}
    for name in (*NAMES, "lead", "bot"):
        if draw(st.booleans()):
            doing = draw(st.sampled_from(list(e.Doing)))
            found[name] = alive(*(["lead"] if draw(st.booleans()) else []), doing=doing)
    return survey(draw(st.sampled_from(["monday", "monday", "monday", "tuesday"])), **found)


@st.composite
def happenings(draw: Callable) -> list[tuple[str, object, float]]:
    """A tale: what happens, to which channel, and how many seconds later."""
    tale = []
    for _ in range(draw(st.integers(1, 30))):
        kind = draw(
            st.sampled_from(
                [
                    "resolve",
                    "resolve",
                    "ringing",
                    "answered",
                    "accepted",
                    "joined",
                    "ended",
                    "briefed",
                    "declined",
                    "join_failed",
                    "lead",
                    "bot",
                    "cancel",
                    "handoff",
                    "lost",
                    "restored",
                    "tick",
                ]
            )
        )
        what: object = draw(CHANNELS)
        if kind == "restored":
            what = _survey(draw)
        elif kind == "ended":
            what = (what, draw(st.sampled_from(list(e.EndedBy))))
        tale.append((kind, what, draw(st.sampled_from([0.0, 0.1, 1.0, 6.0, 36.0]))))
    return tale


_ABOUT_A_LEG = {
    "ringing": e.LegRinging,
    "answered": e.LegAnswered,
    "accepted": e.LegAccepted,
    "joined": e.Joined,
    "briefed": e.LegBriefed,
    "declined": e.LegDeclined,
    "join_failed": e.JoinFailed,
}


def _resolved(stage: Stage, channel: ChannelId) -> e.AttemptResolved:
    """An honest answer to the last question: nobody who was rung before, the rest a little later."""
    (*_, asked) = stage.ever(e.ResolveNextAttempt)
    left = [leg for leg in STEP_LEGS[chosen().plan.index(asked.step)] if leg.id not in stage.machine.legs]
    one_by_one = channel in ("alice", "mobile")
    legs = left[:1] if one_by_one else left
    later = 5.0 if len(legs) < len(left) else None
    return e.AttemptResolved(step=asked.step, ask=asked.ask, legs=tuple(legs), next_after_s=later)


def _event(stage: Stage, kind: str, what: object) -> e.Event | None:
    if kind in _ABOUT_A_LEG:
        return _ABOUT_A_LEG[kind](channel=what)
    match kind:
        case "resolve" if stage.ever(e.ResolveNextAttempt):
            return _resolved(stage, what)
        case "ended":
            return e.LegEnded(channel=what[0], by=what[1])
        case "restored":
            return what
    return {
        "lead": e.LeadHungUp(channel=LEAD),
        "bot": e.BotHungUp(channel=BOT),
        "cancel": e.CancelRequested(),
        "handoff": e.HandoffFinished(),
        "lost": e.LinkLost(),
        "tick": e.TimePassed(),
    }.get(kind)


def play(tale, handoff: HandoffStyle, *, bot_leg: bool) -> Stage:
    stage = Stage(CALL if bot_leg else APP_CALL, chosen(handoff=handoff))
    for kind, what, after in tale:
        event = _event(stage, kind, what)
        if event is not None:
            stage.does(event, after=after)
            check(stage)
    return stage


def check(stage: Stage) -> None:
    machine = stage.machine
    assert len(stage.ever(e.Finish)) <= 1
    assert (machine.outcome is not None) == (machine.state in (State.CONNECTED, State.ENDED, State.RETURNED))
    if machine.state in (State.JOINING, State.HANDING_OFF):
        assert machine.winner is not None
        assert not machine.winner.gone
    rung = [ring.leg.endpoint for ring in stage.ever(e.Ring)]
    assert len(stage.ever(e.Ring)) == len(machine.legs) == len(set(ids(r.leg for r in stage.ever(e.Ring))))
    assert machine.so_far(TransferId("t")).rung == frozenset(rung)
    for live in machine.legs.values():
        assert live.gone == (live.record.ended_at is not None)
        assert not live.gone or live.record.fate is not None
    if machine.closed:
        assert machine.next_deadline() is None
        assert all(live.gone for live in machine.legs.values())


TALES = given(happenings(), st.sampled_from(list(HandoffStyle)), st.booleans())


@settings(max_examples=600, deadline=None)
@TALES
def test_one_outcome_one_winner_and_no_leg_forgotten(tale, handoff, bot_leg):
    play(tale, handoff, bot_leg=bot_leg)


@settings(max_examples=300, deadline=None)
@TALES
def test_a_replay_of_the_journal_is_the_same_transfer(tale, handoff, bot_leg):
    stage = play(tale, handoff, bot_leg=bot_leg)
    again = Transfer()
    commands = [command for event, now in stage.journal for command in again.receive(event, now)]
    assert commands == stage.all
    assert (again.state, again.legs, again.next_deadline()) == (
        stage.machine.state,
        stage.machine.legs,
        stage.machine.next_deadline(),
    )


@settings(max_examples=300, deadline=None)
@TALES
def test_left_alone_every_transfer_comes_to_its_outcome(tale, handoff, bot_leg):
    """Nothing waits for ever: with a silent switch, an empty pool and time, it ends."""
    stage = play(tale, handoff, bot_leg=bot_leg)
    for _ in range(60):
        machine = stage.machine
        deadline = machine.next_deadline()
        if machine.outcome is not None:
            break
        if machine.state is State.RESOLVING and deadline is None:
            stage.resolves()
        else:
            assert deadline is not None
            stage.tick(max(0.0, (deadline - stage.now).total_seconds()))
    assert stage.machine.outcome is not None


@settings(max_examples=300, deadline=None)
@TALES
def test_only_a_leg_that_was_joined_ever_connects(tale, handoff, bot_leg):
    stage = play(tale, handoff, bot_leg=bot_leg)
    if isinstance(stage.machine.outcome, Connected):
        record = stage.machine.legs[stage.machine.outcome.leg.id].record
        assert record.joined_at is not None
        assert record.accepted_at is not None
        assert record.fate is LegFate.ANSWERED
        winners = [live for live in stage.machine.legs.values() if live.record.fate is LegFate.ANSWERED]
        assert len(winners) == 1


@settings(max_examples=300, deadline=None)
@TALES
def test_a_mobile_is_never_joined_without_a_key(tale, handoff, bot_leg):
    tale = [(kind, what, after) for kind, what, after in tale if kind not in ("accepted", "restored")]
    stage = play(tale, handoff, bot_leg=bot_leg)
    assert not [join for join in stage.ever(e.Join) if join.channel in ("mobile", "front")]
    for live in stage.machine.legs.values():
        if live.state is not LegState.GONE:
            assert replace(live.record, ended_at=None) == live.record
