"""The story of a transfer, told from its journal alone."""

from callcontrol.cli import output
from callcontrol.cli.timeline import Kind, Line, Teller, timeline
from callcontrol.core import events as e
from callcontrol.core.availability import consider
from callcontrol.core.model import (
    Bot,
    BotId,
    Candidate,
    ChannelId,
    Lead,
    LeadId,
    LegRecord,
    LineState,
    RuleVerdict,
    TransferId,
)
from callcontrol.ports import Entry, TransferRow
from tests.core.stage import CALL, START, Stage, leg, mobile
from tests.shell.office import agent


def row() -> TransferRow:
    return TransferRow(
        id=TransferId("t"),
        key="k",
        bot=Bot(id=BotId("sami"), name="Sami"),
        lead=Lead(id=LeadId("lea"), name="Lea", phone="+15550100"),
        assigned=None,
        call=CALL,
        summary="",
        requested_at=START,
    )


def entries(stage: Stage) -> list[Entry]:
    return [Entry(seq=n, at=at, event=event) for n, (event, at) in enumerate(stage.journal, start=1)]


def records(stage: Stage) -> list[LegRecord]:
    return [live.record for live in stage.machine.legs.values()]


def told(stage: Stage) -> list[Line]:
    return timeline(row(), entries(stage), records(stage))


def said(lines: list[Line]) -> list[str]:
    return [f"{line.who} {line.what}" for line in lines]


def test_a_transfer_that_connects_is_told_from_the_request_to_the_talk():
    stage = Stage().rings(leg("alice")).answers("alice", after=3.0).joins("alice")
    stage.does(e.HandoffFinished(), after=2.0)
    lines = told(stage)
    assert said(lines) == [
        "bot Sami asks for an agent for Lea",
        "bot Sami is told: looking",
        "routing the assigned agent: Alice",
        "Alice is rung",
        "Alice rings",
        "bot Sami is told: ringing",
        "Alice picks up",
        "bot Sami is told: answered",
        "Alice is joined to the lead",
        "Alice is on the line with the lead",
        "bot Sami is told: joined",
        "bot Sami has introduced them",
        "bot Sami is taken off the call",
        "outcome connected: Alice",
        "bot Sami is told: connected",
    ]
    assert next(line for line in lines if line.what == "picks up").detail == "after 3.0 s of ringing"
    assert lines[-1].offset_s == (stage.now - START).total_seconds()


def test_every_term_is_told_for_who_rings_and_what_is_against_for_who_does_not():
    stage = Stage()
    on, off = agent("alice", 1), agent("bob", 2, available=False)
    considered = tuple(
        consider(Candidate(agent=one), now=START, lines=lambda _: LineState.UNKNOWN) for one in (on, off)
    )
    told_of = (
        RuleVerdict(rule="sellers", fits=False, why="intent is buy, not: is sell"),
        RuleVerdict(rule="portals", fits=True, why="fits"),
    )
    first = e.AttemptResolved(
        step=stage.machine.step,
        ask=1,
        legs=(leg("alice"),),
        considered=considered,
        because="a rule",
        rules=told_of,
        next_after_s=10,
    )
    stage.does(first)
    lines = [line for line in told(stage) if line.kind is Kind.ROUTING]
    assert [(line.who, line.what) for line in lines] == [
        ("routing", "the assigned agent: Alice"),
        ("routing", "rule sellers does not fit"),
        ("routing", "rule portals fits"),
        ("Alice", "may ring"),
        ("Bob", "does not ring"),
    ]
    assert lines[0].detail == "a rule; more after 10 s"
    assert lines[1].detail == "intent is buy, not: is sell"
    assert "schedule: open" in lines[3].detail
    assert lines[4].detail == "available: off"


def test_who_joins_the_ringing_of_a_step_is_told_without_what_was_told_before():
    stage = Stage()
    off, busy = Candidate(agent=agent("bob", 2, available=False)), Candidate(agent=agent("carol", 3))
    before = [consider(one, now=START, lines=lambda _: LineState.UNKNOWN) for one in (off, busy)]
    after = [before[0], consider(busy, now=START, lines=lambda _: LineState.IN_USE)]
    rules = (RuleVerdict(rule="all", fits=True, why="fits"),)
    for ask, (legs, considered) in enumerate((((leg("alice"),), before), ((leg("dave"),), after)), start=1):
        stage.does(
            e.AttemptResolved(
                step=stage.machine.step,
                ask=ask,
                legs=legs,
                considered=tuple(considered),
                rules=rules,
                next_after_s=10 if ask == 1 else None,
            )
        )
        stage.tick(10)
    lines = [(line.who, line.what) for line in told(stage) if line.kind is Kind.ROUTING]
    assert lines[-2:] == [("routing", "the assigned agent, joining: Dave"), ("Carol", "does not ring")]
    assert lines.count(("routing", "rule all fits")) == 1


def test_each_phones_end_is_told_with_its_cause_and_how_long_it_rang():
    stage = Stage().rings(leg("alice")).ends("alice", e.EndedBy.BUSY, after=2.0)
    line = next(line for line in told(stage) if line.what.startswith("is gone"))
    assert line.what == "is gone: busy"
    assert line.detail == "rang 2.0 s, cause cause"


def test_a_ring_timeout_says_why_the_phone_was_hung_up():
    stage = Stage().rings(leg("alice")).tick(35.0)
    assert "Alice is hung up: rang for long enough" in said(told(stage))


def test_a_lost_race_a_voicemail_and_a_missed_transfer_are_told():
    stage = Stage().rings(mobile("front")).answers("front").tick(60.0).ends("front")
    while stage.machine.outcome is None:
        stage.resolves()
    lines = told(stage)
    assert any(line.what.startswith("is hung up: nobody accepted") for line in lines)
    assert any(line.who == "outcome" and line.what.startswith("missed") for line in lines)
    assert lines[-1].what == "is told: missed"


def test_a_lost_link_and_a_lead_who_hangs_up_are_told():
    stage = Stage().rings(leg("alice"))
    stage.does(e.LinkLost(), after=1.0).does(
        e.LinkRestored(survey=e.Survey(pbx_started="tuesday")), after=1.0
    )
    assert "callcontrol has no link to the switch" in said(told(stage))
    other = Stage().rings(leg("alice")).does(e.LeadHungUp(channel=CALL.lead, cause="16"))
    assert "Lea hangs up" in said(told(other))


def test_told_in_parts_it_is_the_same_story():
    stage = Stage().rings(leg("alice")).answers("alice").joins("alice").does(e.HandoffFinished())
    whole = told(stage)
    teller = Teller(row(), {record.leg.id: record for record in records(stage)})
    parts = [line for entry in entries(stage) for line in teller.lines([entry])]
    assert parts == whole


def test_without_leg_records_the_names_are_those_of_the_orders():
    stage = Stage().rings(leg("alice")).answers("alice")
    assert "Alice picks up" in said(timeline(row(), entries(stage), []))


def test_markup_in_a_name_is_shown_as_it_is(capsys):
    stage = Stage().does(e.LeadHungUp(channel=ChannelId("lead"), cause="[bold]x[/nonsense]"))
    output.Console(width=200).print(output.story(told(stage)))
    assert "[bold]x[/nonsense]" in capsys.readouterr().out
