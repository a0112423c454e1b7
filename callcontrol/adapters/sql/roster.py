"""The directory as questions look at it: as it was read, and with the toggles of now."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from callcontrol.adapters.sql.crew import Crew, members
from callcontrol.adapters.sql.rulebook import RuleBook
from callcontrol.core.model import Agent, AgentId, Bot, BotId, Pool, PoolId, Rule, StrikePolicy


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """The directory at one version. Toggles are as they were when it was read."""

    version: int = -1
    agents: Mapping[AgentId, Agent] = field(default_factory=dict)  # in the directory's order
    own: frozenset[AgentId] = frozenset()  # those of them who came from the site's own table
    bots: Mapping[BotId, Bot] = field(default_factory=dict)  # in the directory's order
    pools: Mapping[PoolId, Pool] = field(default_factory=dict)  # in the directory's order
    rules: tuple[Rule, ...] = ()
    strikes: StrikePolicy = field(default_factory=StrikePolicy)
    removed_bots: Mapping[BotId, Bot] = field(default_factory=dict)  # old transfers may refer to them
    crew: Crew = field(default_factory=lambda: Crew(()))
    book: RuleBook = field(default_factory=lambda: RuleBook(()))
    toggled: dict[AgentId, Agent] = field(default_factory=dict)  # agents with their other toggle, once made


@dataclass(frozen=True, kw_only=True, slots=True)
class Members:
    """A pool's: those who are always looked at, and a set of so many that only those on duty are."""

    agents: tuple[Agent, ...]
    many: int = 0
    said: str = ""  # for people


@dataclass(frozen=True, kw_only=True, slots=True)
class Roster:
    """The directory with the toggles of now."""

    known: Known = Known()
    seq: int = -1  # of the last toggle seen
    on: int = 0  # who is switched on, as a set of the crew
    warning: str = ""  # what must be said of the toggles
    pools: dict[PoolId, Members] = field(default_factory=dict, init=False, compare=False)  # once looked up

    def agents(self, numbers: Iterable[int]) -> Iterator[Agent]:
        for n in numbers:
            agent = self.known.crew.agents[n]
            if agent.available == bool(self.on >> n & 1):
                yield agent
            else:
                yield self._toggled(agent)

    def agent(self, agent_id: AgentId) -> Agent | None:
        n = self.known.crew.numbers.get(agent_id)
        return None if n is None else next(self.agents((n,)))

    def everyone(self) -> tuple[Agent, ...]:
        return tuple(self.agents(range(len(self.known.crew.agents))))

    def on_duty(self, among: int, now: datetime) -> tuple[int, ...]:
        """Those of a set who are active, switched on and within their hours; by number."""
        crew = self.known.crew
        switched_on = among & crew.active & self.on
        return tuple(members(switched_on & crew.open_at(now))) if switched_on else ()

    def under(self, availability: Mapping[AgentId, bool], warning: str) -> "Roster":
        """With toggles from elsewhere; who is not named there keeps ours."""
        on = self.on
        for agent_id, available in availability.items():
            n = self.known.crew.numbers.get(agent_id)
            if n is not None and bool(on >> n & 1) != available:
                on ^= 1 << n
        return replace(self, on=on, warning=warning)

    def _toggled(self, agent: Agent) -> Agent:
        made = self.known.toggled.get(agent.id)
        if made is None:
            made = self.known.toggled[agent.id] = replace(agent, available=not agent.available)
        return made
