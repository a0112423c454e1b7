"""The `Statistics` port: decided transfers and their legs, counted by the database."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Table,
    cast,
    func,
    select,
)

from callcontrol.adapters.sql import schema as s
from callcontrol.adapters.sql.elapsed import micros, quarter_hours, tenths
from callcontrol.adapters.sql.runner import Runner
from callcontrol.adapters.sql.tasks import CALL_BACK
from callcontrol.core.counted import Attempts, CallBack, Legs, Quarter, Span, Sums, Transfers
from callcontrol.core.model import (
    AgentId,
    BotId,
    LegFate,
    MissedBecause,
    Pattern,
    PoolId,
    StepKind,
    Term,
)
from callcontrol.core.tuning import End, Rings

_t, _l, _a = s.transfer.c, s.leg.c, s.attempt.c


class SqlStatistics:
    """Each method is one question, asked of the covering indexes `ix_transfer_decided`, `ix_leg_decided`."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def transfers(self, span: Span) -> Sequence[Transfers]:
        return await self._runner.read_at_leisure(transfers, span)

    async def quarters(self, span: Span) -> Sequence[Quarter]:
        return await self._runner.read_at_leisure(quarters, span)

    async def attempts(self, span: Span) -> Sequence[Attempts]:
        return await self._runner.read_at_leisure(attempts, span)

    async def legs(self, span: Span) -> Sequence[Legs]:
        return await self._runner.read_at_leisure(legs, span)

    async def answer_tenths(self, span: Span) -> Mapping[int, int]:
        return await self._runner.read_at_leisure(_tenths, _t.answer_us, span)

    async def talking_tenths(self, span: Span) -> Mapping[int, int]:
        return await self._runner.read_at_leisure(_tenths, _t.talking_us, span)

    async def kept_out(self, span: Span) -> Mapping[Term, int]:
        return await self._runner.read_at_leisure(kept_out, span)

    async def call_backs(self, span: Span) -> Sequence[CallBack]:
        return await self._runner.read_at_leisure(call_backs, span)


def _within(table: Table, span: Span) -> list[ColumnElement[bool]]:
    conditions = []
    if span.since is not None:
        conditions.append(table.c.requested_at >= span.since)
    if span.until is not None:
        conditions.append(table.c.requested_at < span.until)
    if span.bot_id is not None:
        conditions.append(table.c.bot_id == span.bot_id)
    return conditions


def _decided_transfers(span: Span) -> list[ColumnElement[bool]]:
    return [_t.outcome.is_not(None), *_within(s.transfer, span)]


def _decided_legs(span: Span) -> list[ColumnElement[bool]]:
    """Those that have come to an end."""
    return [_l.requested_at.is_not(None), _l.fate.is_not(None), _l.rang_s.is_not(None), *_within(s.leg, span)]


def _total(of_micros: ColumnElement[Any]) -> ColumnElement[int]:
    return cast(func.coalesce(func.sum(of_micros), 0), BigInteger)


def _sums(answer_us: ColumnElement[Any], talking_us: ColumnElement[Any]) -> tuple[ColumnElement[Any], ...]:
    return (
        func.count().label("n"),
        func.count(answer_us).label("answered"),
        _total(answer_us).label("answer_us"),
        func.count(talking_us).label("talking"),
        _total(talking_us).label("talking_us"),
    )


def _read_sums(row: Any) -> Sums:
    return Sums(
        count=row.n,
        answered=row.answered,
        answer_us=row.answer_us,
        talking=row.talking,
        talking_us=row.talking_us,
    )


def transfers(connection: Connection, span: Span) -> tuple[Transfers, ...]:
    of = (_t.bot_id, _t.pattern, _t.ring_timeout_s, _t.outcome, _t.outcome_reason, _t.fallback_attempts)
    statement = (
        select(*of, *_sums(_t.answer_us, _t.talking_us)).where(*_decided_transfers(span)).group_by(*of)
    )
    return tuple(
        Transfers(
            bot_id=BotId(row.bot_id),
            pattern=None if row.pattern is None else Pattern(row.pattern),
            ring_timeout_s=row.ring_timeout_s,
            missed=MissedBecause(row.outcome_reason) if row.outcome == "missed" else None,
            fallback_attempts=row.fallback_attempts or 0,
            sums=_read_sums(row),
        )
        for row in connection.execute(statement)
    )


def quarters(connection: Connection, span: Span) -> tuple[Quarter, ...]:
    of = (quarter_hours(_t.requested_at).label("quarter"), _t.outcome)
    statement = (
        select(*of, *_sums(_t.answer_us, _t.talking_us)).where(*_decided_transfers(span)).group_by(*of)
    )
    return tuple(
        Quarter(number=row.quarter, connected=row.outcome == "connected", sums=_read_sums(row))
        for row in connection.execute(statement)
    )


def _tenths(connection: Connection, of_micros: ColumnElement[int], span: Span) -> Mapping[int, int]:
    tenth = tenths(of_micros).label("tenth")
    statement = (
        select(tenth, func.count()).where(*_decided_transfers(span), of_micros.is_not(None)).group_by(tenth)
    )
    return {row[0]: row[1] for row in connection.execute(statement)}


def legs(connection: Connection, span: Span) -> tuple[Legs, ...]:
    """Fewer columns than elsewhere: there are a million rows of it."""
    of = (_l.agent_id, _l.attempt, _l.fate, _l.ending, _l.rang_s)
    answer_us = _total(micros(_l.answered_at, _l.dialled_at)).label("answer_us")
    talking_us = _total(micros(_l.joined_at, _l.requested_at)).label("talking_us")
    statement = select(*of, func.count().label("n"), answer_us, talking_us)
    found = connection.execute(statement.where(*_decided_legs(span)).group_by(*of))
    return tuple(_legs(row) for row in found)


def _legs(row: Any) -> Legs:
    rings, took = Rings(second=row.rang_s, end=End(row.ending), count=row.n), row.fate == LegFate.ANSWERED
    answered = rings.end is End.ANSWERED
    return Legs(
        agent_id=None if row.agent_id is None else AgentId(row.agent_id),
        attempt=row.attempt,
        fate=LegFate(row.fate),
        rings=rings,
        sums=Sums(
            count=row.n,
            answered=row.n if answered else 0,
            answer_us=row.answer_us if answered else 0,
            talking=row.n if took else 0,
            talking_us=row.talking_us if took else 0,
        ),
    )


def attempts(connection: Connection, span: Span) -> tuple[Attempts, ...]:
    of = (_a.number, _a.step, _a.pool_id, _a.connected, _a.called_off, _a.ending, _a.rang_s)
    statement = (
        select(*of, *_sums(_a.answer_us, _a.talking_us)).where(*_within(s.attempt, span)).group_by(*of)
    )
    return tuple(
        Attempts(
            attempt=row.number,
            step=StepKind(row.step),
            pool_id=None if row.pool_id is None else PoolId(row.pool_id),
            connected=row.connected,
            called_off=row.called_off,
            rings=Rings(second=row.rang_s, end=End(row.ending), count=row.n),
            sums=_read_sums(row),
        )
        for row in connection.execute(statement)
    )


def kept_out(connection: Connection, span: Span) -> Mapping[Term, int]:
    of = s.kept_out.c
    statement = (
        select(of.term, func.count())
        .join(s.transfer, _t.id == of.transfer_id)
        .where(*_decided_transfers(span))
        .group_by(of.term)
    )
    return {Term(term): n for term, n in connection.execute(statement)}


def call_backs(connection: Connection, span: Span) -> tuple[CallBack, ...]:
    of = s.task.c
    statement = (
        select(of.first_attempt_s, of.first_answered_s, of.done_how)
        .join(s.transfer, _t.id == of.transfer_id)
        .where(of.kind == CALL_BACK, *_decided_transfers(span))
    )
    return tuple(
        CallBack(
            first_attempt_s=row.first_attempt_s,
            first_answered_s=row.first_answered_s,
            done_how=row.done_how,
        )
        for row in connection.execute(statement)
    )
