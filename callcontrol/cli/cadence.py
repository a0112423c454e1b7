"""`cadence`: what is planned for a lead, and the claims of who carries it out."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from callcontrol.adapters.sql import Enrolment, Planned
from callcontrol.api.cadence import CancelledAnswer, ClaimedAnswer, EnrolmentAnswer
from callcontrol.cli import output
from callcontrol.cli.common import ConfigOption, JsonOption, RefusedError, instant, load_config, with_store
from callcontrol.core import cleaning
from callcontrol.core.model import LeadId

app = typer.Typer(
    no_args_is_help=True, help="What is planned for a lead: enrol, list, cancel, claim, complete."
)

LeadArgument = Annotated[str, typer.Argument(metavar="LEAD", help="The lead's id.")]
ClaimArgument = Annotated[str, typer.Argument(metavar="CLAIM", help="As `claim` gave it.")]
LeaseOption = Annotated[float, typer.Option("--lease", min=1, max=3600, help="Seconds.")]


@app.command()
def enrol(  # noqa: PLR0917 - typer passes every option by its name
    lead: LeadArgument,
    name: Annotated[str, typer.Argument(metavar="CADENCE", help="What the cadence is called.")],
    config: ConfigOption,
    step: Annotated[
        list[str],
        typer.Option(
            "--step", metavar="[TIME=]NAME", help="In order; TIME such as 2026-12-24T10:00, or +3d."
        ),
    ],
    key: Annotated[str | None, typer.Option(help="Idempotency key: a repeat is the same enrolment.")] = None,
    json: JsonOption = False,
) -> None:
    """Plan steps for a lead; an outcome of a transfer cancels them."""
    now = datetime.now(UTC)
    steps = [_planned(one, now) for one in step]
    settings = load_config(config)
    made = with_store(settings, lambda store: store.enrol(LeadId(lead), cleaning.line(name), steps, key=key))
    output.as_json({"id": made}) if json else output.out.print(f"enrolment {made}")


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _planned(given: str, now: datetime) -> Planned:
    when, equals, name = given.partition("=")
    if not equals:
        return Planned(name=cleaning.line(given))
    unit, count = _UNITS.get(when[-1:]), when[1:-1]
    if when.startswith("+") and unit and count.isdecimal() and len(count) < 7:
        return Planned(name=cleaning.line(name), due_at=now + timedelta(**{unit: int(count)}))
    return Planned(name=cleaning.line(name), due_at=instant(when))


@app.command("list")
def show(lead: LeadArgument, config: ConfigOption, json: JsonOption = False) -> None:
    """What was planned for a lead, and what became of it."""
    found = with_store(load_config(config), lambda store: store.cadences(LeadId(lead)))
    if json:
        output.as_json([EnrolmentAnswer.of(one).model_dump(mode="json") for one in found])
        return
    _tell(found)


def _tell(enrolments: Sequence[Enrolment]) -> None:
    table = output.plain("Enrolment", "Cadence", "Step", "Due", "State", "By", "Why")
    for one in enrolments:
        for step in one.steps:
            by = step.cancelled_by or step.claimed_by
            late = " (carried out all the same)" if step.state == "cancelled" and step.done_at else ""
            due = output.local(step.due_at) if step.due_at else ""
            output.add(table, (one.id, one.name, step.name, due, step.state + late, by, step.why))
    output.out.print(table)


@app.command()
def cancel(
    lead: LeadArgument,
    config: ConfigOption,
    by: Annotated[str, typer.Option(help="Who wants it.")] = "by command",
    why: Annotated[str, typer.Option(help="Why.")] = "",
    json: JsonOption = False,
) -> None:
    """Cancel what is planned for a lead, also what a worker has in hand."""
    found = with_store(
        load_config(config),
        lambda store: store.cancel_cadence(LeadId(lead), by=cleaning.line(by), why=cleaning.line(why)),
    )
    if json:
        output.as_json(CancelledAnswer.of(found).model_dump(mode="json"))
        return
    told = f"cancelled {len(found.steps) + len(found.in_hand)} steps"
    in_hand = f"; a worker has in hand: {', '.join(found.in_hand)}" if found.in_hand else ""
    output.out.print(told + in_hand, markup=False)


@app.command()
def claim(
    config: ConfigOption,
    worker: Annotated[str, typer.Option(help="What the worker calls itself.")],
    limit: Annotated[int, typer.Option(min=1, max=100, help="At most this many.")] = 10,
    lease: LeaseOption = 60.0,
    json: JsonOption = False,
) -> None:
    """Take steps that are due."""
    now = datetime.now(UTC)
    steps = with_store(load_config(config), lambda store: store.claim_steps(worker, limit, now, lease))
    if json:
        output.as_json([ClaimedAnswer.of(step).model_dump(mode="json") for step in steps])
        return
    table = output.plain("Claim", "Lead", "Phone", "Cadence", "Step", "Until")
    for step in steps:
        lead = step.lead
        cells = (step.claim_id, lead.name or lead.id, lead.phone, step.cadence, step.name)
        output.add(table, (*cells, output.local(step.until)))
    output.out.print(table)


@app.command()
def renew(claim_id: ClaimArgument, config: ConfigOption, lease: LeaseOption = 60.0) -> None:
    """Ask whether it is still yours, and keep it longer; do so right before you carry it out."""
    now = datetime.now(UTC)
    until = with_store(load_config(config), lambda store: store.renew_step(claim_id, now, lease))
    output.out.print(f"yours until {output.local(until)}")


@app.command()
def complete(claim_id: ClaimArgument, config: ConfigOption) -> None:
    """Say that it has been carried out."""
    now = datetime.now(UTC)
    too_late = with_store(load_config(config), lambda store: store.complete_step(claim_id, now))
    if too_late:
        raise RefusedError(f"too late, and noted: the step was {too_late}")
    output.out.print("done")


@app.command()
def release(
    claim_id: ClaimArgument,
    config: ConfigOption,
    retry_in: Annotated[
        float, typer.Option("--retry-in", min=0, help="Seconds until it is due again.")
    ] = 0.0,
) -> None:
    """Give a step back."""
    due_at = datetime.now(UTC) + timedelta(seconds=retry_in)
    with_store(load_config(config), lambda store: store.release_step(claim_id, due_at))
    output.out.print("given back")
