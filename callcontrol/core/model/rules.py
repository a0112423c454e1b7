"""Pools, the rules that choose one, and the directory of it all."""

from dataclasses import dataclass
from datetime import tzinfo
from enum import StrEnum

from callcontrol.core.model.bots import Bot
from callcontrol.core.model.ids import AgentId, PoolId
from callcontrol.core.model.people import Agent, Lead, Window


class PoolOrder(StrEnum):
    """Who of a pool is rung first, where not all are rung at once."""

    LISTED = "listed"
    LONGEST_IDLE = "longest_idle"
    ROUND_ROBIN = "round_robin"  # whoever was rung longest ago
    WEIGHT = "weight"
    FEWEST_TODAY = "fewest_today"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """Agents by name, or by the tags they all must have, so that new hires join by tag."""

    id: PoolId
    name: str
    agent_ids: tuple[AgentId, ...] = ()
    tags: frozenset[str] = frozenset()  # with none of both: nobody
    order: PoolOrder = PoolOrder.LISTED
    at_once: int = 0  # 0: all; otherwise so many, and as many more each `step_s`
    step_s: float = 10.0
    last_agent_first: bool = False  # the agent who last spoke with this lead is rung before the others
    wrap_up_s: float | None = None  # for calls of this pool, in place of the agent's own


class Operator(StrEnum):
    IS = "is"  # one of the values; case does not matter
    IS_NOT = "is_not"  # none of the values, or absent
    PREFIX = "prefix"  # begins with one of the values
    BETWEEN = "between"  # a number from the first value to the second, both included
    MATCHES = "matches"  # a regular expression, tried for a bounded time
    PRESENT = "present"
    ABSENT = "absent"


@dataclass(frozen=True, kw_only=True, slots=True)
class Compare:
    """One fact of the lead or the bot: "source", "bot", "phone", or a field of the lead."""

    fact: str
    operator: Operator
    values: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class During:
    """The wall clock in `zone` shows a time inside a window."""

    windows: tuple[Window, ...]
    zone: tzinfo


@dataclass(frozen=True, kw_only=True, slots=True)
class All:
    conditions: "tuple[Condition, ...]" = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class AnyOf:
    conditions: "tuple[Condition, ...]" = ()


Condition = Compare | During | All | AnyOf


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Leads for whom the condition holds go to the pool. Rules are tried in order."""

    name: str
    when: Condition
    pool_id: PoolId


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleVerdict:
    """Whether a rule fitted, and for people the reason."""

    rule: str
    fits: bool
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StrikePolicy:
    """When an agent who keeps missing rings is let rest."""

    limit: int = 3  # missed rings in a row; 0: never
    rest_s: float = 1800.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Directory:
    """Everyone and everything routing knows, as directory.yaml gives it. Rules are in order."""

    agents: tuple[Agent, ...] = ()
    pools: tuple[Pool, ...] = ()
    rules: tuple[Rule, ...] = ()
    bots: tuple[Bot, ...] = ()
    leads: tuple[Lead, ...] = ()
    strikes: StrikePolicy = StrikePolicy()
