"""A transfer on a bench: events by name, commands by type, a clock that is told the time."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from callcontrol.core import events as e
from callcontrol.core.model import (
    AcceptBy,
    AgentId,
    Call,
    ChannelId,
    Endpoint,
    EndpointKind,
    HandoffStyle,
    Leg,
    LegFate,
    Missed,
    MissedBecause,
    Step,
    StepKind,
)
from callcontrol.core.transfer import Transfer

START = datetime(2026, 6, 1, 15, 0, tzinfo=UTC)
LEAD, BOT = ChannelId("lead"), ChannelId("bot")
ASSIGNED = Step(kind=StepKind.ASSIGNED)
GROUP = Step(kind=StepKind.GROUP)
FALLBACK = Step(kind=StepKind.FALLBACK, fallbacks=(0,))
CALL = Call(lead=LEAD, bot=BOT, pbx_started="monday")
APP_CALL = Call(lead=LEAD, bot=None, pbx_started="monday")


def settings(
    plan: tuple[Step, ...] = (ASSIGNED, GROUP, FALLBACK),
    handoff: HandoffStyle = HandoffStyle.INTRODUCE,
    **limits: float,
) -> e.Settings:
    base = {"ring_timeout_s": 35.0, "accept_timeout_s": 20.0, "handoff_limit_s": 60.0}
    return e.Settings(plan=plan, handoff=handoff, **(base | limits))


def leg(name: str, accept_by: AcceptBy = AcceptBy.ANSWER) -> Leg:
    external = accept_by is AcceptBy.KEY
    return Leg(
        id=ChannelId(name),
        agent_id=None if external else AgentId(name),
        label=name.title(),
        endpoint=Endpoint(
            kind=EndpointKind.NUMBER if external else EndpointKind.EXTENSION,
            address="+15550100" if external else name,
            accept_by=accept_by,
        ),
    )


def mobile(name: str) -> Leg:
    return leg(name, AcceptBy.KEY)


ALICE, BOB = leg("alice"), leg("bob")
MOBILE = mobile("mobile")


def alive(*bridged: str, doing: e.Doing = e.Doing.ACCEPTED) -> e.Alive:
    return e.Alive(doing=doing, bridged_with=frozenset(ChannelId(b) for b in bridged))


def survey(pbx_started: str = "monday", **channels: e.Alive) -> e.LinkRestored:
    found = {ChannelId(name): state for name, state in channels.items()}
    return e.LinkRestored(survey=e.Survey(pbx_started=pbx_started, alive=found))


class Stage:
    """Feeds a machine and keeps what it ordered."""

    def __init__(self, call: Call = CALL, chosen: e.Settings | None = None) -> None:
        self.machine = Transfer()
        self.now = START
        self.journal: list[tuple[e.Event, datetime]] = []
        self.all: list[e.Command] = []
        self.last: tuple[e.Command, ...] = ()
        self.does(e.TransferRequested(call=call, settings=chosen or settings()))

    def does(self, *happened: e.Event, after: float = 0.0) -> "Stage":
        """Let events happen `after` seconds from now; `last` is what they brought about."""
        self.now += timedelta(seconds=after)
        commands: list[e.Command] = []
        for event in happened:
            commands += self.machine.receive(event, self.now)
            self.journal.append((event, self.now))
        self.last = tuple(commands)
        self.all += commands
        return self

    def resolves(self, *legs: Leg, next_after_s: float | None = None) -> "Stage":
        """Answer the machine's last question whom to ring."""
        (*_, asked) = self.ever(e.ResolveNextAttempt)
        return self.does(
            e.AttemptResolved(step=asked.step, ask=asked.ask, legs=legs, next_after_s=next_after_s)
        )

    def asked(self) -> list[Step]:
        """The steps asked about by the last events."""
        return [command.step for command in self.ordered(e.ResolveNextAttempt)]

    def rings(self, *legs: Leg) -> "Stage":
        """Answer the machine's question whom to ring, and let the phones ring."""
        self.resolves(*legs)
        resolved = self.last
        self.does(*(e.LegRinging(channel=ring.id) for ring in legs), after=0.1)
        self.last = resolved
        return self

    def tick(self, after: float) -> "Stage":
        return self.does(e.TimePassed(), after=after)

    # what happens, by name

    def answers(self, name: str, after: float = 1.0) -> "Stage":
        return self.does(e.LegAnswered(channel=ChannelId(name)), after=after)

    def accepts(self, name: str, after: float = 1.0) -> "Stage":
        return self.does(e.LegAccepted(channel=ChannelId(name)), after=after)

    def ends(self, name: str, by: e.EndedBy = e.EndedBy.NORMAL, after: float = 0.1) -> "Stage":
        return self.does(e.LegEnded(channel=ChannelId(name), by=by, cause="cause"), after=after)

    def joins(self, name: str) -> "Stage":
        return self.does(e.Joined(channel=ChannelId(name)), after=0.005)

    # what came of it

    def ordered(self, kind: type) -> list:
        return [command for command in self.last if isinstance(command, kind)]

    def ever(self, kind: type) -> list:
        return [command for command in self.all if isinstance(command, kind)]

    def told(self) -> list[e.Phase]:
        return [command.phase for command in self.ever(e.TellBot)]

    def hung_up(self) -> dict[str, e.Why]:
        return {command.channel: command.why for command in self.ordered(e.HangUp)}

    def fate(self, name: str) -> LegFate | None:
        return self.machine.legs[ChannelId(name)].record.fate

    def outcomes(self) -> list:
        return [command.outcome for command in self.ever(e.Finish)]


def ids(legs: Iterable[Leg]) -> list[str]:
    return [item.id for item in legs]


def ringing(*legs: Leg, call: Call = CALL, **chosen: object) -> Stage:
    return Stage(call, settings(**chosen)).rings(*(legs or (ALICE,)))


def handing_off(**chosen: object) -> Stage:
    return ringing(ALICE, **chosen).answers("alice").joins("alice")


def missed(because: MissedBecause) -> list[Missed]:
    return [Missed(because=because)]
