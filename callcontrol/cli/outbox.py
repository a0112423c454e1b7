"""`outbox`: what waits to be sent, what was, and what a person must decide."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated

import typer

from callcontrol.adapters.sql import SqlStore
from callcontrol.api.outbox import MessageAnswer
from callcontrol.cli import output
from callcontrol.cli.common import (
    ConfigOption,
    JsonOption,
    LimitOption,
    RefusedError,
    load_config,
    with_store,
)
from callcontrol.ports import MessageKind, MessageState, MessageStatus, Which

app = typer.Typer(help="See what waits to be sent and what was parked, and decide.", no_args_is_help=True)

StateOption = Annotated[
    list[MessageState] | None, typer.Option("--state", help="Of this state; may be repeated.")
]
GatewayOption = Annotated[str | None, typer.Option("--gateway", help="Through this gateway.")]
KindOption = Annotated[MessageKind | None, typer.Option("--kind", help="Texts or webhooks.")]
ToOption = Annotated[str | None, typer.Option("--to", metavar="ADDRESS", help="To this address.")]
DoubtOption = Annotated[
    bool | None, typer.Option("--doubtful/--certain", help="Those that may have been sent, or not those.")
]
IdsArgument = Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="These messages.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]

_SHOWN = 10  # before it is asked
_SURE_ABOUT = 10_000


@app.command("list")
def list_(  # noqa: PLR0917 - typer passes every option by its name
    config: ConfigOption,
    state: StateOption = None,
    gateway: GatewayOption = None,
    kind: KindOption = None,
    to: ToOption = None,
    doubtful: DoubtOption = None,
    limit: LimitOption = 50,
    json: JsonOption = False,
) -> None:
    """List messages, the newest first: `outbox list --state parked --doubtful`."""
    which = _which(None, state, gateway, kind, to, doubtful)
    found = with_store(load_config(config), lambda store: store.messages(which, limit))
    if json:
        output.as_json([MessageAnswer.of(message).model_dump(mode="json") for message in found])
    else:
        output.out.print(output.message_table(found))


def _deciding(done: str, do: Callable[[SqlStore, Which], Awaitable[int]]) -> Callable[..., None]:
    """A command that shows the messages it is about, asks, and then does it."""

    def decide(  # noqa: PLR0917
        config: ConfigOption,
        ids: IdsArgument = None,
        state: StateOption = None,
        gateway: GatewayOption = None,
        kind: KindOption = None,
        to: ToOption = None,
        doubtful: DoubtOption = None,
        yes: YesOption = False,
    ) -> None:
        which = _which(ids, state, gateway, kind, to, doubtful)
        _decide(config, which, done, lambda store: do(store, which), yes=yes)

    return decide


app.command(
    "retry", help="Send parked messages again, as if they were new; those without an id need a filter."
)(_deciding("sent again", lambda store, which: store.retry_messages(which, datetime.now(UTC))))
app.command(
    "discard", help="Never send these messages, waiting or parked; those without an id need a filter."
)(_deciding("discarded", lambda store, which: store.discard_messages(which)))


def _which(  # noqa: PLR0917 - as the options stand
    ids: list[int] | None,
    state: list[MessageState] | None,
    gateway: str | None,
    kind: MessageKind | None,
    to: str | None,
    doubtful: bool | None,
) -> Which:
    return Which(
        ids=tuple(ids or ()),
        states=tuple(state or ()),
        gateway=gateway,
        kind=kind,
        to=to,
        doubtful=doubtful,
    )


def _decide(
    config: ConfigOption,
    which: Which,
    done: str,
    do: Callable[[SqlStore], Awaitable[int]],
    *,
    yes: bool,
) -> None:
    if which == Which():
        raise typer.BadParameter("name messages by their ids, or by a filter such as --state parked")
    settings = load_config(config)

    async def look(store: SqlStore) -> list[MessageStatus]:
        return [one for one in await store.messages(which, _SURE_ABOUT) if one.undecided]

    found = with_store(settings, look)
    if not found:
        raise RefusedError("none of these messages waits or is parked")
    if not yes:
        output.out.print(output.message_table(found[:_SHOWN]))
        if len(found) > _SHOWN:
            output.out.print(f"... and {len(found) - _SHOWN} more", markup=False)
        doubts = sum(one.doubtful for one in found)
        if doubts and done == "sent again":
            output.out.print(
                f"{doubts} may have been sent before: whoever got one gets it twice", style="red"
            )
        typer.confirm(f"{_messages(len(found))} to be {done}?", abort=True)
    output.out.print(f"{_messages(with_store(settings, do))} {done}", markup=False)


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"
