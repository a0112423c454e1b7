"""What a transfer leaves an agent with: a strike, a call to wrap up, or nothing.

Only a phone that rang out counts against an agent. Losing a race, a lead who hung up, a busy phone or a
refusal never does.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from callcontrol.core.model import AgentId, LegFate, LegRecord


class Became(StrEnum):
    RUNG = "rung"  # the ringing began
    TALKED = "talked"  # took the lead, and the call is over
    MISSED = "missed"  # rang out
    FREE = "free"  # nothing came of it


@dataclass(frozen=True, kw_only=True, slots=True)
class StandingChange:
    """How an agent's standing changes. All but RUNG end the transfer's claim on the agent."""

    agent_id: AgentId
    became: Became
    at: datetime


def changes(
    before: Iterable[LegRecord], after: Iterable[LegRecord], at: datetime
) -> tuple[StandingChange, ...]:
    """What a turn of the transfer, from these legs to those, means for its agents."""
    was = _by_agent(before)
    told = []
    for agent_id, legs in _by_agent(after).items():
        old = was.get(agent_id, [])
        if len(legs) > len(old):
            told.append(StandingChange(agent_id=agent_id, became=Became.RUNG, at=at))
        if _over(legs) and not (old and _over(old) and len(old) == len(legs)):
            told.append(StandingChange(agent_id=agent_id, became=_became(legs), at=at))
    return tuple(told)


def _by_agent(legs: Iterable[LegRecord]) -> dict[AgentId, list[LegRecord]]:
    grouped: dict[AgentId, list[LegRecord]] = {}
    for record in legs:
        if record.leg.agent_id is not None:
            grouped.setdefault(record.leg.agent_id, []).append(record)
    return grouped


def _over(legs: list[LegRecord]) -> bool:
    return all(record.ended_at is not None for record in legs)


def _became(legs: list[LegRecord]) -> Became:
    fates = {record.fate for record in legs}
    if LegFate.ANSWERED in fates:
        return Became.TALKED
    answered = any(record.answered_at is not None for record in legs)
    return Became.MISSED if LegFate.NO_ANSWER in fates and not answered else Became.FREE
