"""From measurements to sheets and verdicts."""

from collections.abc import Sequence

from tests.lab.bench.decisions import Decisions
from tests.lab.bench.load import Round
from tests.lab.bench.one_by_one import ANSWER_AFTER_S, Trial
from tests.lab.bench.report import Sheet, Verdict, ms, quantile, spread

HTTP, DIALPLAN, DIAL, QUEUE = "callcontrol, HTTP", "callcontrol, dialplan", "Dial()", "Queue()"
WAYS = (HTTP, DIALPLAN, DIAL, QUEUE)

RINGING_ABOUT = """\
From asking until the phone says that it rings (its 180 on the wire; the INVITE that made it ring came earlier, see its
column). "Asked": the bot's POST is handed to the kernel, or an AMI Redirect of the lead to the application is, which is
how a program outside the PBX asks for Dial() or Queue(). "At the application": the lead's channel has come to Dial(),
Queue() or the subroutine callcontrol-transfer, by the time stamp of an event right before it; that is the strictest
reading, with none of the Redirect in it. Every trial has a lead who is talking with a bot's leg, a phone of its own,
and a PBX without other calls. Nobody sets an Alert-Info, as is callcontrol's default: on Asterisk that is 0.4 ms more,
whoever sets it. callcontrol has written the transfer into its journal before a phone rings, safe from
kill -9, and the log is synchronised to disk right after; Dial() and Queue() have nothing to keep."""
TRIO_ABOUT = """\
The same for a group: three phones ring at once, and the first 180 counts."""
JOINING_ABOUT = f"""\
From the phone's 200 OK on the wire until lead and agent are in one bridge, by the PBX's BridgeEnter. The phone answers
{ANSWER_AFTER_S:g} s and up to 20 ms after it was rung. "HTTP" is a lead with a bot's leg: on Asterisk the agent's leg goes
into their bridge by itself, as callcontrol has let the first to be answered do, and what callcontrol then does about it
is journalled before it is done. "dialplan" is a lead without one, moved to the agent once callcontrol has journalled the
answer and said so; so is every join on FreeSWITCH."""
DECISIONS_ABOUT = """\
The switchboard, the state machine, SQLite on disk and the system's clock on the simulated switch, in one process, from
an event's report to the order that follows from it. Every order waits for its journal entry; "the group rings"
also asks the database whom. Half of the transfers are answered by the assigned agent, in the others that one refuses
and a group of three, found by a rule of the lead's own, rings, of whom one answers; the bot then hands off. Connected
transfers of all are in the heading: one that was not would show here."""


def _of(trials: Sequence[Trial], way: str, what: str) -> list[float]:
    return [value for trial in trials if trial.way == way and (value := getattr(trial, what)) is not None]


def ringing(trials: Sequence[Trial], title: str, about: str) -> Sheet:
    rows = []
    for way in WAYS:
        if asked := _of(trials, way, "ask_to_ringing"):
            invite = quantile(_of(trials, way, "ask_to_invite"), 0.5)
            rows.append((way, *spread(asked), ms(invite), *spread(_of(trials, way, "mark_to_ringing"))[1:]))
    return Sheet(
        title=title,
        about=about,
        headings=(
            "way",
            "n",
            "asked to 180, p50",
            "p95",
            "asked to INVITE, p50",
            "at the application to 180, p50",
            "p95",
        ),
        rows=tuple(rows),
    )


def joining(trials: Sequence[Trial]) -> Sheet:
    native = quantile(_of(trials, DIAL, "answer_to_joined"), 0.5)
    rows = [
        (way, *spread(joined), f"{quantile(joined, 0.5) / native:.2f}")
        for way in WAYS
        if (joined := _of(trials, way, "answer_to_joined"))
    ]
    return Sheet(
        title="Answer to joined",
        about=JOINING_ABOUT,
        headings=("way", "n", "p50", "p95", "p50 by Dial()'s"),
        rows=tuple(rows),
    )


def quiet_verdicts(trials: Sequence[Trial]) -> list[Verdict]:
    def p50(way: str, what: str) -> float:
        return quantile(_of(trials, way, what), 0.5)

    verdicts = []
    for way, what, words in (
        (HTTP, "ask_to_ringing", "POST to ringing, p50"),
        (DIALPLAN, "mark_to_ringing", "callcontrol-transfer to ringing, p50"),
    ):
        ours, queues = p50(way, what), p50(QUEUE, what)
        verdicts.append(
            Verdict(
                what=words,
                target="at most Queue()'s",
                figure=f"{ms(ours)} to {ms(queues)} ms",
                met=ours <= queues,
            )
        )
    ratio = p50(HTTP, "answer_to_joined") / p50(DIAL, "answer_to_joined")
    verdicts.append(
        Verdict(
            what="answer to joined, p50",
            target="at most 2 x Dial()'s",
            figure=f"{ratio:.2f} x",
            met=ratio <= 2,
        )
    )
    return verdicts


def freeswitch_verdicts(trials: Sequence[Trial]) -> list[Verdict]:
    """For the other switch the targets are others."""
    ours, native = (quantile(_of(trials, way, "ask_to_ringing"), 0.5) for way in (HTTP, DIAL))
    joined, natively = (quantile(_of(trials, way, "answer_to_joined"), 0.5) for way in (HTTP, DIAL))
    return [
        Verdict(
            what="POST to ringing, p50",
            target="at most Dial()'s",
            figure=f"{ms(ours)} to {ms(native)} ms",
            met=ours <= native,
        ),
        Verdict(
            what="answer to joined, p50",
            target="at most Dial()'s and 30 ms",
            figure=f"{ms(joined)} to {ms(natively)} ms",
            met=joined <= natively + 0.03,
        ),
    ]


def loaded(rounds: Sequence[Round], calls: int, per_s: float) -> Sheet:
    rows = []
    for way in WAYS:
        if mine := [one for one in rounds if one.way == way]:
            rings = [value for one in mine for value in one.ask_to_ringing]
            joins = [value for one in mine for value in one.answer_to_joined]
            lost = sum(one.lost for one in mine)
            rows.append((way, *spread(rings), *spread(joins)[1:], str(lost)))
    return Sheet(
        title=f"{per_s:g} transfers a second, with {calls} calls up",
        about=(
            f"{calls} leads talk with bots' legs, and every one of them is transferred, {per_s:g} a second for"
            f" {calls / per_s:g} s, to a phone of its own that answers after half a second; all calls stay up till the"
            " end. Asked and joined as above. With callcontrol each transfer runs to its end, handoff, outcome and"
            " texts, while the others begin. Rounds of the contenders take turns. Lost: lead and agent never came"
            f" together. The latest trigger was {ms(max(one.behind for one in rounds))} ms behind its time."
        ),
        headings=("way", "n", "asked to 180, p50", "p95", "answer to joined, p50", "p95", "lost"),
        rows=tuple(rows),
    )


def lost_verdict(rounds: Sequence[Round]) -> Verdict:
    lost = sum(one.lost for one in rounds if one.way == HTTP)
    asked = sum(one.asked for one in rounds if one.way == HTTP)
    return Verdict(what="transfers lost", target="0", figure=f"{lost} of {asked}", met=lost == 0)


def load_verdicts(rounds: Sequence[Round]) -> list[Verdict]:
    def p95(way: str, what: str) -> float:
        return quantile([v for one in rounds if one.way == way for v in getattr(one, what)], 0.95)

    verdicts = []
    for what, words in (("ask_to_ringing", "ringing"), ("answer_to_joined", "joined")):
        ratio = p95(HTTP, what) / p95(DIAL, what)
        verdicts.append(
            Verdict(
                what=f"under load, {words}, p95",
                target="at most 3 x Dial()'s",
                figure=f"{ratio:.2f} x",
                met=ratio <= 3,
            )
        )
    return [*verdicts, lost_verdict(rounds)]


def memory(samples: dict[int, int]) -> Sheet:
    return Sheet(
        title="The daemon's memory",
        about="Resident, in MB, with so many transfers live, during the first round of load; 0 is just after its start.",
        headings=("transfers live", "MB"),
        rows=tuple((str(live), f"{rss / 1e6:.0f}") for live, rss in samples.items()),
    )


def memory_verdict(samples: dict[int, int], live: int) -> Verdict:
    found = samples[live]
    return Verdict(
        what=f"resident memory, {live} transfers live",
        target="under 150 MB",
        figure=f"{found / 1e6:.0f} MB",
        met=found < 150e6,
    )


def decisions(found: Decisions, spread_s: float) -> Sheet:
    everything = [value for values in found.taken.values() for value in values]
    rows = [
        (name, *spread(values), ms(quantile(values, 0.99)))
        for name, values in (*found.taken.items(), ("all", everything))
    ]
    return Sheet(
        title=f"Decisions alone, {found.in_flight} transfers in flight, {found.connected} connected",
        about=f"{DECISIONS_ABOUT} The first events are spread over {spread_s:g} s.",
        headings=("decision", "n", "p50", "p95", "p99"),
        rows=tuple(rows),
    )


def decisions_verdict(found: Decisions) -> Verdict:
    p99 = quantile([value for values in found.taken.values() for value in values], 0.99)
    return Verdict(
        what=f"decision with {found.in_flight} in flight, p99",
        target="under 50 ms",
        figure=f"{ms(p99)} ms",
        met=p99 < 0.05,
    )
