"""`transfer`, `transfers` and `show`."""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import typer

from callcontrol.adapters.sql import SqlStore
from callcontrol.api.answers import LegAnswer, TransferAnswer, TransferWithLegs
from callcontrol.api.task_answers import TaskAnswer
from callcontrol.cli import output
from callcontrol.cli.common import ConfigOption, Exit, JsonOption, LimitOption, load_config, with_store
from callcontrol.cli.daemons import daemon_of
from callcontrol.cli.tasks import task_table
from callcontrol.cli.timeline import Line, timeline
from callcontrol.core.model import LegRecord, TransferId
from callcontrol.ports import (
    Entry,
    MessageKind,
    MessageStatus,
    Store,
    Task,
    TaskFilter,
    TransferRow,
    UnknownError,
    Which,
)

_MOST_TASKS = 10
_MOST_TEXTS = 100


class _Afterwards(NamedTuple):
    tasks: tuple[Task, ...]
    texts: tuple[MessageStatus, ...]


def transfer(  # noqa: PLR0917 - typer passes every option by its name
    channel: Annotated[str, typer.Argument(help="The lead's live channel: unique id or name.")],
    config: ConfigOption,
    bot: Annotated[str, typer.Option(help="The bot's id in the directory.")],
    summary: Annotated[str, typer.Option(help="Two or three sentences for the agent.")] = "",
    lead: Annotated[str | None, typer.Option(help="A known lead's id; or give the next four.")] = None,
    name: Annotated[str, typer.Option(help="The lead's name.")] = "",
    phone: Annotated[str, typer.Option(help="The lead's number, E.164.")] = "",
    email: Annotated[str, typer.Option(help="The lead's email address.")] = "",
    source: Annotated[str, typer.Option(help="Where the lead came from.")] = "",
    key: Annotated[str | None, typer.Option(help="Idempotency key: a repeat is the same transfer.")] = None,
    url: Annotated[str | None, typer.Option(envvar="CALLCONTROL_URL", help="The daemon's address.")] = None,
    token: Annotated[str | None, typer.Option(envvar="CALLCONTROL_TOKEN", help="An API token.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it to its end.")] = False,
    json: JsonOption = False,
) -> None:
    """Ask the running daemon for a warm transfer, by hand."""
    inline = {"name": name, "phone": phone, "email": email, "source": source}
    who: dict[str, Any] = {"lead_id": lead} if lead else {"lead": {k: v for k, v in inline.items() if v}}
    daemon = daemon_of(config, url, token)
    answer = daemon.ask(
        "POST", "/v1/transfers", {"bot": bot, "channel": channel, "summary": summary, "key": key, **who}
    )
    if not watch:
        output.as_json(answer) if json else output.out.print(answer["id"])
        return
    if not json:
        output.out.print(f"transfer {answer['id']}")
    missed = False
    for event in daemon.events(answer["links"]["events"]):
        missed = missed or event["phase"] == "missed"
        _print_phase(event, json=json)
    raise typer.Exit(Exit.FAILED if missed else Exit.OK)


def _print_phase(event: Mapping[str, Any], *, json: bool) -> None:
    if json:
        output.json_line(event)
    else:
        output.out.print(f"{event['at'][11:23]}  {event['phase']:<12}{event['detail']}", markup=False)


def transfers(config: ConfigOption, limit: LimitOption = 20, json: JsonOption = False) -> None:
    """List the newest transfers."""
    rows = with_store(load_config(config), lambda store: store.transfers(limit))
    if json:
        output.as_json([TransferAnswer.of(row).model_dump(mode="json") for row in rows])
    else:
        output.out.print(output.transfer_table(rows))


def show(
    transfer_id: Annotated[
        str, typer.Argument(metavar="ID", help="The transfer's id, the beginning of one, or `last`.")
    ],
    config: ConfigOption,
    json: JsonOption = False,
) -> None:
    """Tell a transfer second by second: what was rung, why, and what each phone did."""

    async def ask(
        store: SqlStore,
    ) -> tuple[TransferRow, tuple[Entry, ...], tuple[LegRecord, ...], _Afterwards]:
        row = await _found(store, transfer_id)
        tasks = await store.tasks(_MOST_TASKS, TaskFilter(transfer_id=row.id))
        of_it = Which(transfer_id=row.id, kind=MessageKind.TEXT)
        texts = reversed(await store.messages(of_it, _MOST_TEXTS))
        afterwards = _Afterwards(tasks=tuple(tasks), texts=tuple(texts))
        return row, await store.journal(row.id), tuple(await store.legs(row.id)), afterwards

    row, entries, legs, afterwards = with_store(load_config(config), ask)
    lines = timeline(row, entries, legs)
    if json:
        _show_json(row, lines, legs, afterwards)
        return
    output.out.print(f"transfer {row.id}, requested {output.local(row.requested_at)}", style="bold")
    output.out.print(f"lead: {row.lead.name or row.lead.id}   bot: {row.bot.name}", markup=False)
    output.out.print(f"summary: {row.summary}\n", markup=False)
    output.out.print(output.story(lines))
    output.out.print()
    output.out.print(output.phones(legs))
    output.out.print(f"\noutcome: {output.outcome(row)}", style="bold", markup=False)
    if afterwards.texts:
        output.out.print(output.text_table(afterwards.texts))
    if afterwards.tasks:
        output.out.print(task_table(afterwards.tasks))


async def _found(store: Store, given: str) -> TransferRow:
    try:
        return await store.transfer(TransferId(given))
    except UnknownError:
        newest = await store.transfers(500)
        matching = [row for row in newest if row.id.startswith(given)] if given != "last" else newest[:1]
        if len(matching) != 1:
            raise
        return matching[0]


def _show_json(
    row: TransferRow, lines: list[Line], legs: tuple[LegRecord, ...], afterwards: _Afterwards
) -> None:
    whole = TransferWithLegs(**dict(TransferAnswer.of(row)), legs=tuple(LegAnswer.of(leg) for leg in legs))
    story = [
        {
            "at": line.at.isoformat(),
            "offset_s": line.offset_s,
            "kind": line.kind.value,
            "who": line.who,
            "what": line.what,
            "detail": line.detail,
        }
        for line in lines
    ]
    told = [TaskAnswer.of(task).model_dump(mode="json") for task in afterwards.tasks]
    texts = [
        {
            "to": text.to,
            "body": text.body,
            "state": text.state,
            "gateway": text.gateway,
            "last_error": text.last_error,
            "delivery": text.delivery,
        }
        for text in afterwards.texts
    ]
    output.as_json({**whole.model_dump(mode="json"), "timeline": story, "texts": texts, "tasks": told})
