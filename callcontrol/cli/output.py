"""What commands print: tables for people, JSON for programs, one clear line for what went wrong."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from callcontrol.api.routing_answers import AgentAnswer, ConsideredAnswer, TermAnswer
from callcontrol.cli.timeline import FATES, Kind, Line, address
from callcontrol.core.model import Connected, LegRecord
from callcontrol.ports import Finding, MessageState, MessageStatus, TransferRow

_WIDE = 200  # where nobody's terminal sets a limit

out = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
err = Console(stderr=True, highlight=False, soft_wrap=True)

STYLES = {
    Kind.ROUTING: "dim",
    Kind.PHONE: "",
    Kind.ORDER: "dim",
    Kind.TOLD: "cyan",
    Kind.CALL: "",
    Kind.GOOD: "bold green",
    Kind.BAD: "bold red",
}


def as_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def complain(message: str) -> None:
    err.print(Text(message, style="red"))


def plain(*columns: str) -> Table:
    """A table without lines. What is put into it is shown as it is: no markup."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def add(table: Table, cells: Iterable[object], style: str = "") -> None:
    table.add_row(*(Text("" if cell is None else str(cell), style=style) for cell in cells))


def story(lines: Sequence[Line]) -> Table:
    table = plain("Time", "+s", "Who", "What", "Detail")
    for line in lines:
        clock = line.at.astimezone().strftime("%H:%M:%S.%f")[:-3]
        add(table, (clock, f"{line.offset_s:.3f}", line.who, line.what, line.detail), STYLES[line.kind])
    return table


def phones(legs: Sequence[LegRecord]) -> Table:
    table = plain(
        "Attempt", "Step", "Who", "Phone", "Rang s", "Answered after s", "What became of it", "Cause"
    )
    for leg in legs:
        cells = (
            leg.attempt,
            leg.step.value,
            leg.leg.label,
            address(leg.leg.endpoint),
            _seconds(leg.ring_s),
            _seconds(leg.answer_delay_s),
            FATES[leg.fate] if leg.fate else "still going",
            leg.cause,
        )
        add(table, cells)
    return table


def transfer_table(rows: Sequence[TransferRow]) -> Table:
    table = plain("Requested", "Id", "Bot", "Lead", "Outcome")
    for row in rows:
        add(table, (local(row.requested_at), row.id, row.bot.id, row.lead.name or row.lead.id, outcome(row)))
    return table


def text_table(texts: Sequence[MessageStatus]) -> Table:
    table = plain("Text to", "State", "Text", "Trouble")
    for text in texts:
        add(table, (text.to, message_state(text), text.body, text.delivery_detail or text.last_error))
    return table


def message_table(messages: Sequence[MessageStatus]) -> Table:
    table = plain("Id", "Written", "To", "Through", "State", "Tries", "Message", "Trouble")
    for one in messages:
        trouble = one.delivery_detail if one.state is MessageState.SENT else one.last_error
        written = local(one.created_at)
        row = (
            str(one.id),
            written,
            one.to,
            one.gateway,
            message_state(one),
            str(one.attempts),
            one.body,
            trouble,
        )
        add(table, row)
    return table


def message_state(message: MessageStatus) -> str:
    """`parked: may have been sent` or `sent, delivered`, say."""
    if message.state is MessageState.PARKED and message.doubtful:
        return "parked: may have been sent"
    if message.delivery is not None:
        return f"{message.state.value}, {message.delivery.value.replace('_', ' ')}"
    return message.state.value


def finding_table(findings: Sequence[Finding]) -> Table:
    table = plain("", "What", "Detail", "To do")
    for found in findings:
        mark, style = ("ok", "green") if found.ok else ("no", "bold red")
        table.add_row(Text(mark, style=style), Text(found.subject), Text(found.detail), Text(found.remedy))
    return table


def outcome(row: TransferRow) -> str:
    match row.outcome:
        case None:
            return "open"
        case Connected(leg=leg):
            return f"connected: {leg.label}"
        case missed:
            return f"missed: {missed.because.value.replace('_', ' ')}"


def local(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def agent_table(agents: Sequence[AgentAnswer]) -> Table:
    table = plain("Id", "Name", "Rings", "Why not", "Strikes", "Today", "Zone", "Phones")
    for agent in agents:
        against = "; ".join(f"{term.term}: {term.value}" for term in agent.terms if not term.holds)
        phones = ", ".join(phone.replace(":", " ", 1) for phone in agent.endpoints)
        standing = agent.standing
        cells = (agent.id, agent.name, _yes(agent.rings), against, standing.strikes, standing.transfers_today)
        add(table, (*cells, agent.zone, phones), "" if agent.rings else "dim")
    return table


def term_table(terms: Sequence[TermAnswer]) -> Table:
    table = plain("", "Term", "Value")
    for term in terms:
        mark, style = ("ok", "") if term.holds else ("no", "red")
        add(table, (mark, term.term, term.value), style)
    return table


def considered_table(agents: Sequence[ConsideredAnswer]) -> Table:
    """Every term of every agent; those against it first, in red."""
    table = plain("   Agent", "Rings", "Terms")
    for agent in agents:
        told = Text()
        for n, term in enumerate(sorted(agent.terms, key=lambda term: term.holds)):
            told.append("; " if n else "")
            told.append(f"{term.term}: {term.value}", "dim" if term.holds else "red")
        table.add_row(
            Text(f"   {agent.name}"), Text(_yes(agent.rings), "green" if agent.rings else "red"), told
        )
    return table


def rule_table(verdicts: Sequence[tuple[str, bool, str]]) -> Table:
    table = plain("   Rule", "Fits", "Why")
    for rule, fits, why in verdicts:
        add(table, (f"   {rule}", _yes(fits), why), "green" if fits else "dim")
    return table


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def json_line(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()
