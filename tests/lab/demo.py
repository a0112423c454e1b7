"""`make demo`: real warm transfers on a real PBX, told as they happen; `PBX=freeswitch` for the other one.

Two switches are started on 127.0.0.1, a PBX and an outside world of phones, with a callcontrol
daemon beside the PBX. Nothing is simulated: calls are SIP, voices are RTP, the daemon is killed with -9.
"""

import argparse
import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from callcontrol.cli.timeline import Kind, Line, Teller
from callcontrol.core.model import Connected, TransferId
from tests.lab import Answer, Busy, Call, Lab, LabError, Refuse, Ring, Voicemail
from tests.lab.site import Site, directory, site

out = Console(highlight=False, soft_wrap=True)
_COLOURS = {
    Kind.ROUTING: "cyan",
    Kind.PHONE: "white",
    Kind.ORDER: "bright_black",
    Kind.TOLD: "magenta",
    Kind.CALL: "yellow",
    Kind.GOOD: "bold green",
    Kind.BAD: "bold red",
}
LISTEN_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What a scene plays on."""

    lab: Lab
    company: Site

    async def ask(self, caller: str = "lead", bot: str = "sami") -> tuple[Call, TransferId]:
        call = await self.lab.call("bot" if caller == "bot" else "lead")
        said = "the bot has called the lead" if caller == "bot" else "a lead has called in"
        out.print(f"  [yellow]{said}; the bot is talking with the lead, and asks for an agent[/]")
        return call, await self.company.asks(call, bot=bot)

    @contextlib.asynccontextmanager
    async def told(self, transfer: TransferId) -> AsyncIterator[None]:
        """Print the transfer's timeline as it is written."""
        task = asyncio.create_task(self._tell(transfer))
        try:
            yield
        finally:
            await asyncio.sleep(0.3)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _tell(self, transfer: TransferId) -> None:
        store = self.company.store
        teller, told = Teller(await store.transfer(transfer), {}), 0
        while True:
            entries = await store.journal(transfer)
            teller.legs = {record.leg.id: record for record in await store.legs(transfer)}
            for line in teller.lines(entries[told:]):
                print_line(line)
            told = len(entries)
            await asyncio.sleep(0.05)

    async def hand_over(self, call: Call, transfer: TransferId) -> None:
        """All three talk; the bot says its last word and hangs up; lead and agent go on."""
        await self.company.phase(transfer, "joined")
        await self.heard("during the handoff")
        await call.bot.hang_up()
        await self.company.outcome(transfer)
        await self.heard("afterwards")

    async def heard(self, when: str) -> None:
        """Listen to the line for a second, and say who hears whom."""
        await asyncio.sleep(0.4)
        start = time.time()
        await asyncio.sleep(LISTEN_S)
        hears = self.lab.who_hears_whom(start, start + LISTEN_S)
        talk = [f"{who} hears {' and '.join(sorted(whom))}" for who, whom in hears.items() if whom]
        out.print(f"            [blue]{when}, on the recordings: {'; '.join(talk)}[/]")


def print_line(line: Line) -> None:
    detail = f"  [bright_black]{line.detail}[/]" if line.detail and line.kind is not Kind.CALL else ""
    out.print(f"  {line.offset_s:8.3f}  [{_COLOURS[line.kind]}]{line.who} {line.what}[/]{detail}")


# --- the scenes


async def assigned_agent_answers(on: Stage) -> TransferId:
    """Inbound: the assigned agent answers, the bot introduces them and drops off"""
    await on.lab.phone("alice").will(Answer(after_s=2))
    call, transfer = await on.ask()
    async with on.told(transfer):
        await on.hand_over(call, transfer)
    return transfer


async def two_of_the_group_answer(on: Stage) -> TransferId:
    """Outbound: the assigned agent is off duty, the group rings, two answer at the same time"""
    await on.company.available("alice", yes=False)
    for name in ("bob", "carol"):
        await on.lab.phone(name).will(Answer(after_s=1.5))
    call, transfer = await on.ask("bot")
    async with on.told(transfer):
        await on.hand_over(call, transfer)
    await on.company.available("alice", yes=True)
    return transfer


async def a_voicemail_then_a_person(on: Stage) -> TransferId:
    """Nobody is free: the first fallback is a mobile's voicemail, the second is a person who presses 1"""
    await on.lab.phone("alice").will(Busy())
    await on.lab.phone("bob").will(Busy())
    await on.lab.phone("carol").will(Refuse(after_s=1))
    await on.lab.phone("mobile1").will(Voicemail(after_s=1))
    desk = on.lab.phone("frontdesk")
    await desk.will(Answer(after_s=1))
    call, transfer = await on.ask()
    async with on.told(transfer):
        await desk.talks(40)
        await asyncio.sleep(1.5)
        await desk.press("1")
        await on.hand_over(call, transfer)
    return transfer


async def nobody_at_all(on: Stage) -> TransferId:
    """Nobody at all: the bot keeps the lead and is told; texts and a task go out"""
    for name in ("alice", "bob", "carol", "mobile1", "frontdesk"):
        await on.lab.phone(name).will(Busy())
    _, transfer = await on.ask()
    async with on.told(transfer):
        await on.company.outcome(transfer)
        await on.heard("afterwards")
    return transfer


async def the_lead_hangs_up(on: Stage) -> TransferId:
    """The lead hangs up while a phone rings; Alice calls the lead back, and the task closes itself"""
    await on.lab.phone("alice").will(Ring())
    call, transfer = await on.ask()
    async with on.told(transfer):
        await on.lab.phone("alice").rings()
        await asyncio.sleep(2)
        await call.lead.hang_up()
        await on.company.outcome(transfer)
    await on.lab.phone("alice").is_idle()
    out.print("            Alice calls the lead's number from her desk phone")
    back = await on.lab.phone("alice").dials(f"900{on.lab.phone('lead').number.removeprefix('+')}")
    await asyncio.sleep(2)
    await back.hang_up()
    task = await on.company.task(transfer, lambda task: task.done)
    out.print(f"            [bold green]task {task.id} is done[/]: {task.done.words if task.done else ''}")
    return transfer


async def the_daemon_is_killed(on: Stage) -> TransferId:
    """The daemon is killed with -9 while a phone rings; the agent answers; the daemon comes back"""
    await on.lab.phone("alice").will(Ring())
    call, transfer = await on.ask()
    async with on.told(transfer):
        await on.lab.phone("alice").rings()
        await asyncio.sleep(1)
        await on.company.kill()
        out.print("            [bold red]kill -9[/]: the daemon is dead; the call and the ringing go on")
        await asyncio.sleep(1)
        await on.lab.phone("alice").answer()
        out.print("            Alice picks up, and callcontrol is not there to see it")
        await on.heard("with the daemon dead")
        started = time.monotonic()
        await on.company.start()
        await on.company.phase(transfer, "joined")
        took = time.monotonic() - started
        out.print(
            f"            [bold green]started again: {took:.1f} s later it goes on with Alice and the lead[/]"
        )
        await on.hand_over(call, transfer)
    return transfer


SCENES: tuple[Callable[[Stage], Awaitable[TransferId]], ...] = (
    assigned_agent_answers,
    two_of_the_group_answer,
    a_voicemail_then_a_person,
    nobody_at_all,
    the_lead_hangs_up,
    the_daemon_is_killed,
)


async def play(folder: Path) -> int:
    lab = await Lab.start(folder / "lab", say=lambda text: out.print(f"  {text}"))
    try:
        people = directory(sami={"ring_timeout_s": 8, "accept_timeout_s": 7})
        async with site(lab, folder / "company", people) as company:
            out.print(f"  callcontrol is ready beside the PBX, API on 127.0.0.1:{company.port}")
            stage = Stage(lab=lab, company=company)
            transfers = [await perform(number, scene, stage) for number, scene in enumerate(SCENES, 1)]
            await summary(stage, transfers)
    finally:
        await lab.stop()
    out.print(f"\nWho heard what, as WAV files: {folder / 'lab' / 'recordings'}")
    out.print(f"The daemon's log: {folder / 'company' / 'daemon.log'}")
    return 0


async def perform(number: int, scene: Callable[[Stage], Awaitable[TransferId]], stage: Stage) -> TransferId:
    out.print(f"\n[bold]{number}. {scene.__doc__}[/]")
    transfer = await scene(stage)
    await stage.lab.reset()
    async with asyncio.timeout(20):
        while not (await stage.company.row(transfer)).closed:
            await asyncio.sleep(0.05)
    return transfer


async def summary(stage: Stage, transfers: list[TransferId]) -> None:
    company = stage.company
    outcomes = Table(title="Outcomes", title_justify="left")
    for heading in ("", "outcome", "by or because", "who", "texts", "task"):
        outcomes.add_column(heading)
    tasks = {task.transfer_id: task for task in await company.store.tasks(100)}
    for number, transfer in enumerate(transfers, 1):
        outcome = (await company.row(transfer)).outcome
        told = ("connected", outcome.by, outcome.leg.label) if isinstance(outcome, Connected) else None
        told = told or ("missed", getattr(outcome, "because", "?"), "")
        task = tasks.get(transfer)
        follows = task.done.words if task and task.done else task.title if task else ""
        outcomes.add_row(str(number), *map(str, told), str(len(company.texts_of(transfer))), follows)
    texts = Table(title="Texts", title_justify="left")
    texts.add_column("to", no_wrap=True)
    texts.add_column("text")
    for text in company.texts():
        texts.add_row(text["to"], text["body"])
    out.print("", outcomes, texts, sep="\n")
    out.print("\n[bold]What the owner sees of it: callcontrol report[/]")
    out.print(await company.cli("report"), markup=False)
    page = company.folder / "report.html"
    await company.cli("report", "--html", str(page))
    out.print(f"The same as a page, with curves: {page}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--dir", type=Path, help="where recordings, logs and the database go")
    given = parser.parse_args()
    folder = given.dir or Path(tempfile.mkdtemp(prefix="callcontrol-demo-"))
    out.print("[bold]callcontrol: real warm transfers between two real switches on this machine[/]")
    try:
        return asyncio.run(play(folder))
    except LabError as error:
        out.print(f"  {error}")
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
