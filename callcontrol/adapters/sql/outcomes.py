"""`record`: one turn of the machine, and with an outcome all that it brings, in one transaction.

The journal alone says how a transfer stands: the rows of its legs are made from it, and may follow later.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Text, bindparam, exists, or_, select, update

from callcontrol.adapters.sql import (
    cadence,
    claims,
    hooks,
    instants,
    journal,
    leads,
    outbox,
    past,
    standings,
    tasks,
)
from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.directory import Memory
from callcontrol.adapters.sql.driven import Driven
from callcontrol.adapters.sql.facts import Facts
from callcontrol.adapters.sql.instants import stored
from callcontrol.core.escalation import TaskRules
from callcontrol.core.followup import FollowUp, Recipient, TextOut
from callcontrol.core.model import Connected, LeadId, Missed, Outcome, Step, StepKind, TransferId
from callcontrol.core.standing import Became
from callcontrol.ports import NewMessage, StoreError, Transition

MOST_OF_A_POOL = 50  # texts at once; more of them would be spam

_WINNER = s.leg.c.id == bindparam("by_leg", type_=Text)
_FINISH = Driven(
    lambda _: (
        update(s.transfer)
        .where(
            s.transfer.c.id == bindparam("transfer"),
            s.transfer.c.outcome.is_(None),
            or_(bindparam("by_leg", type_=Text).is_(None), exists().where(_WINNER)),
        )
        .returning(s.transfer.c.lead_id, s.transfer.c.bot_id, s.transfer.c.requested_at)
    ),
    ["outcome", "outcome_reason", "outcome_leg_id", "outcome_follow_up", "finished_at"],
)
_OUTCOME = select(
    s.transfer.c.outcome,
    s.transfer.c.outcome_reason,
    s.transfer.c.outcome_leg_id,
    s.transfer.c.outcome_follow_up,
).where(s.transfer.c.id == bindparam("transfer"))
_CLOSE = Driven(
    lambda _: update(s.transfer).where(
        s.transfer.c.id == bindparam("transfer"), s.transfer.c.closed_at.is_(None)
    ),
    ["closed_at"],
)


def record(connection: Connection, memory: Memory, transition: Transition, rules: TaskRules) -> None:
    transfer_id = transition.transfer_id
    if not journal.append(connection, transfer_id, transition.entries):
        # All of it was written before, in one transaction. A late repeat must not undo later legs.
        if transition.outcome is not None:
            _check_same(connection, transfer_id, transition.outcome)
        return
    journal.put_legs(connection, transfer_id, transition.legs)
    _carry_out(connection, memory, transition, rules)


def begin(connection: Connection, memory: Memory, first: Transition, rules: TaskRules) -> None:
    """`record` for the first turn of a transfer, without the rows of its legs: no phone waits for those."""
    journal.append(connection, first.transfer_id, first.entries)
    _carry_out(connection, memory, first, rules)


def _carry_out(connection: Connection, memory: Memory, transition: Transition, rules: TaskRules) -> None:
    transfer_id = transition.transfer_id
    at = transition.entries[-1].at if transition.entries else datetime.now(UTC)
    hooks.emit(connection, memory, *transition.hooks)
    if transition.outcome is not None:
        follow_up = transition.follow_up or FollowUp()
        lead_id = _finish(connection, memory, transfer_id, transition.outcome, follow_up=follow_up, at=at)
        if lead_id is not None:
            tasks.after(connection, memory, transition, lead_id, at=at, rules=rules)
    if any(change.became is not Became.RUNG for change in transition.standings):
        _leave_agents(connection, memory, transition)
    if transition.closed:
        _CLOSE.count(connection, {"transfer": transfer_id, "closed_at": stored(connection.dialect, at)})
        claims.release(connection, transfer_id)
    elif transition.outcome is not None:
        winner = transition.outcome.leg.agent_id if isinstance(transition.outcome, Connected) else None
        claims.keep_only(connection, transfer_id, winner, at)


def _leave_agents(connection: Connection, memory: Memory, transition: Transition) -> None:
    known = memory.current(connection)
    rested = standings.change(connection, known, transition.transfer_id, transition.standings)
    word = transition.word_rest
    for one in rested:
        if one.agent.phone is not None and word is not None:
            told = NewMessage(
                dedupe_key=f"agent-rest:{one.agent.id}:{one.at.astimezone(UTC).isoformat()}",
                transfer_id=transition.transfer_id,
                recipient="agent-rest",
                agent_id=one.agent.id,
                to=one.agent.phone,
                body=word(one.agent, one.misses, one.until).body,
            )
            outbox.enqueue(connection, (told,), one.at)


def _finish(
    connection: Connection,
    memory: Memory,
    transfer_id: TransferId,
    outcome: Outcome,
    *,
    follow_up: FollowUp,
    at: datetime,
) -> LeadId | None:
    """Whose outcome it is; none where it had been written before."""
    columns = _columns(outcome)
    finished = _FINISH.rows(
        connection,
        {
            "transfer": transfer_id,
            "by_leg": columns["outcome_leg_id"],
            "finished_at": stored(connection.dialect, at),
            **columns,
        },
    )
    if not finished:
        _check_same(connection, transfer_id, outcome)
        return None
    ((lead_id, bot_id, requested),) = finished
    requested_at = instants.at(requested)
    past.keep(connection, transfer_id, outcome, bot_id=bot_id, requested_at=requested_at, at=at)
    texts = list(follow_up.texts)
    if follow_up.to_pool:
        lead = leads.by_id(connection, lead_id)
        bot = memory.current(connection).bots.get(bot_id)
        if lead is not None and bot is not None:
            facts = Facts(connection, memory.roster(connection), bot, lead, at)
            texts += _to_pool(facts, follow_up)
    outbox.enqueue(connection, [_message(transfer_id, columns["outcome"], text) for text in texts], at)
    if follow_up.cancel_cadence:
        why = f"{columns['outcome']}: {columns['outcome_reason']}"
        cadence.cancel(connection, memory, lead_id, by=transfer_id, why=why, at=at, transfer_id=transfer_id)
    return LeadId(lead_id)


def _to_pool(facts: Facts, follow_up: FollowUp) -> Iterator[TextOut]:
    """To who is in the lead's pool now and has a number that gets no other text of this outcome."""
    told = {text.to for text in follow_up.texts}
    for candidate in facts(Step(kind=StepKind.GROUP)).candidates[:MOST_OF_A_POOL]:
        agent = candidate.agent
        if agent.active and agent.phone is not None and agent.phone not in told:
            told.add(agent.phone)
            yield TextOut(
                recipient=f"{Recipient.POOL}:{agent.id}",
                to=agent.phone,
                body=follow_up.to_pool,
                agent_id=agent.id,
            )


def _message(transfer_id: TransferId, outcome: str, text: TextOut) -> NewMessage:
    return NewMessage(
        dedupe_key=f"{transfer_id}:{outcome}:{text.recipient}",
        transfer_id=transfer_id,
        recipient=text.recipient.partition(":")[0],
        agent_id=text.agent_id,
        to=text.to,
        body=text.body,
    )


def _check_same(connection: Connection, transfer_id: TransferId, outcome: Outcome) -> None:
    stored = connection.execute(_OUTCOME, {"transfer": transfer_id}).mappings().one_or_none()
    if stored is None:
        raise StoreError(f"no transfer {transfer_id}", retryable=False)
    if stored["outcome"] is None:
        raise StoreError(f"transfer {transfer_id} was connected by a leg that has no record", retryable=False)
    if dict(stored) != _columns(outcome):
        raise StoreError(
            f"transfer {transfer_id} has the outcome {stored['outcome']} already, for another reason",
            retryable=False,
        )


def _columns(outcome: Outcome) -> dict[str, Any]:
    match outcome:
        case Connected(by=by, leg=leg):
            return {
                "outcome": "connected",
                "outcome_reason": by,
                "outcome_leg_id": leg.id,
                "outcome_follow_up": True,
            }
        case Missed(because=because, follow_up=follow_up):
            return {
                "outcome": "missed",
                "outcome_reason": because,
                "outcome_leg_id": None,
                "outcome_follow_up": follow_up,
            }
