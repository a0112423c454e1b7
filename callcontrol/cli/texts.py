"""`texts`: what would be written to whom."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple

import typer

from callcontrol.adapters.sql import SqlStore
from callcontrol.cli import output
from callcontrol.cli.common import ConfigOption, JsonOption, load_config, with_store
from callcontrol.core import escalation
from callcontrol.core.followup import FollowUp, Occasion, Recipient, TextOut, Word, follow_up, word_rest
from callcontrol.core.model import (
    AcceptBy,
    Agent,
    Bot,
    BotId,
    Candidate,
    ChannelId,
    Connected,
    ConnectedBy,
    Endpoint,
    EndpointKind,
    Lead,
    LeadId,
    Leg,
    Missed,
    MissedBecause,
    Outcome,
    Step,
    StepKind,
    TransferId,
)
from callcontrol.core.segments import Measure, measure
from callcontrol.ports import FactsOf, NewLead

app = typer.Typer(no_args_is_help=True, help="Look at the texts before anybody gets them.")

_TRANSFER = TransferId("00000000-0000-4000-8000-000000000000")
_WAITED = timedelta(minutes=20)
_RESTS = timedelta(minutes=30)
_NOBODY = NewLead(name="Lena Lead", phone="+13035550199", email="lena@example.com", source="zillow")


class Preview(NamedTuple):
    recipient: str
    to: str
    body: str

    @property
    def size(self) -> Measure:
        return measure(self.body)


@app.command()
def preview(  # noqa: PLR0917 - typer passes every option by its name
    config: ConfigOption,
    bot: Annotated[str, typer.Option(help="The bot's id in the directory.")],
    outcome: Annotated[
        Occasion, typer.Option(help="How the transfer came out; or another occasion of a text.")
    ],
    lead: Annotated[str | None, typer.Option(help="A known lead's id; an example by default.")] = None,
    because: Annotated[MissedBecause, typer.Option(help="Why it was missed.")] = MissedBecause.NO_ANSWER,
    json: JsonOption = False,
) -> None:
    """Show the text of an outcome as each recipient would get it now, and how many segments it takes."""
    settings = load_config(config)
    word = settings.texts.wording()

    async def ask(store: SqlStore) -> tuple[FollowUp, tuple[Candidate, ...]]:
        agents = {agent.id: agent for agent in await store.agents()}

        def look(bot: Bot, lead: Lead, facts_of: FactsOf) -> tuple[FollowUp, tuple[Candidate, ...]]:
            pool = facts_of(Step(kind=StepKind.GROUP)).candidates
            assigned = agents.get(lead.assigned_agent_id) if lead.assigned_agent_id else None
            if outcome is Occasion.OVERDUE:
                return escalation.told(_TRANSFER, lead, bot, assigned, waited=_WAITED, word=word), ()
            if outcome is Occasion.RESTING:
                return _resting(assigned or next((one.agent for one in pool), None), lead, bot, word), ()
            follows = follow_up(
                Missed(because=because) if outcome is Occasion.MISSED else _answered(assigned, pool),
                transfer_id=_TRANSFER,
                lead=lead,
                bot=bot,
                assigned=assigned,
                word=word,
            )
            return follows, tuple(pool)

        who = LeadId(lead) if lead is not None else _NOBODY
        return await store.consult(BotId(bot), who, look, datetime.now(UTC))

    follows, pool = with_store(settings, ask)
    _tell(list(_previews(follows, pool)), follows.warnings, json=json)


def _resting(agent: Agent | None, lead: Lead, bot: Bot, word: Word) -> FollowUp:
    if agent is None or agent.phone is None:
        return FollowUp(warnings=("nobody to text: no agent with a number",))
    worded = word_rest(_TRANSFER, lead, bot, agent, word)(agent, 3, datetime.now(UTC) + _RESTS)
    text = TextOut(recipient=Recipient.AGENT, to=agent.phone, body=worded.body, agent_id=agent.id)
    return FollowUp(texts=(text,), warnings=(worded.warning,) if worded.warning else ())


def _answered(assigned: Agent | None, pool: tuple[Candidate, ...]) -> Outcome:
    agent = assigned or next((candidate.agent for candidate in pool), None)
    endpoint = Endpoint(kind=EndpointKind.EXTENSION, address="desk", accept_by=AcceptBy.ANSWER)
    leg = Leg(
        id=ChannelId("preview"),
        agent_id=agent.id if agent else None,
        label=agent.name if agent else "Front desk",
        endpoint=endpoint,
    )
    return Connected(by=ConnectedBy.ASSIGNED_AGENT if assigned else ConnectedBy.POOL_AGENT, leg=leg)


def _previews(follows: FollowUp, pool: tuple[Candidate, ...]) -> Iterator[Preview]:
    for text in follows.texts:
        yield Preview(text.recipient, text.to, text.body)
    if follows.to_pool:
        numbers = (candidate.agent.phone for candidate in pool if candidate.agent.active)
        yield Preview(Recipient.POOL, ", ".join(dict.fromkeys(n for n in numbers if n)), follows.to_pool)


def _tell(previews: list[Preview], warnings: tuple[str, ...], *, json: bool) -> None:
    if json:
        texts = [
            {
                "recipient": one.recipient,
                "to": one.to,
                "encoding": one.size.encoding,
                "units": one.size.units,
                "segments": one.size.segments,
                "text": one.body,
            }
            for one in previews
        ]
        output.as_json({"texts": texts, "warnings": warnings})
        return
    table = output.plain("Recipient", "To", "Encoding", "Segments", "Text")
    for one in previews:
        size = one.size
        sized = f"{size.segments} ({size.units} units)"
        output.add(table, (one.recipient, one.to, size.encoding, sized, one.body))
    output.out.print(table)
    for warning in warnings:
        output.complain(f"warning: {warning}")
