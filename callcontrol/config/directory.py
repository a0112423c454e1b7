"""directory.yaml: agents, pools, rules and bots; and leads, where a demo needs some."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, model_validator

from callcontrol.config.document import Document, read
from callcontrol.config.problems import ConfigError, Place, Problem, did_you_mean
from callcontrol.config.schedule import schedule
from callcontrol.config.schema import Model, exactly_one, validate
from callcontrol.config.values import DialString, Extension, Goto, Id, Number, Seconds, Text, Zone
from callcontrol.core import model as core


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Words = Annotated[tuple[Text, ...], BeforeValidator(_one_or_more), Field(min_length=1)]
Schedule = Annotated[tuple[core.Window, ...], BeforeValidator(schedule)]


class Endpoint(Model):
    extension: Extension | None = None
    number: Number | None = None
    dial: DialString | None = None
    accept: core.AcceptBy | None = None  # none: answer for extensions, key for all others

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        exactly_one(self, "extension", "number", "dial")
        return self

    def to_core(self) -> core.Endpoint:
        kind = core.EndpointKind(exactly_one(self, "extension", "number", "dial"))
        default = core.AcceptBy.ANSWER if kind is core.EndpointKind.EXTENSION else core.AcceptBy.KEY
        return core.Endpoint(kind=kind, address=getattr(self, kind.value), accept_by=self.accept or default)


class Fallback(Endpoint):
    label: Text | None = None

    def to_fallback(self) -> core.Fallback:
        endpoint = self.to_core()
        return core.Fallback(label=self.label or endpoint.address, endpoint=endpoint)


class Agent(Model):
    id: Id
    name: Text
    zone: Zone | None = None
    schedule: Schedule
    endpoints: Annotated[tuple[Endpoint, ...], Field(min_length=1)]
    phone: Number | None = None
    active: bool = True
    available: bool = True  # at first; afterwards the agent's own toggle counts


class Pool(Model):
    id: Id
    name: Text | None = None
    agents: Annotated[tuple[Text, ...], Field(min_length=1)]


class Rule(Model):
    name: Text
    when: Annotated[dict[Text, Words], Field(min_length=1)]
    pool: Text


class Contact(Model):
    name: Text
    phone: Number

    def to_core(self) -> core.Contact:
        return core.Contact(name=self.name, phone=self.phone)


class OnConnected(Model):
    cancel_cadence: bool = True
    notify_agent: bool = True
    notify_owner: bool = True
    create_task: bool = False

    def to_core(self) -> core.OutcomeActions:
        return core.OutcomeActions(**self.model_dump())


class OnMissed(OnConnected):
    create_task: bool = True


class Bot(Model):
    id: Id
    name: Text
    pattern: core.Pattern = core.Pattern.ASSIGNED_THEN_GROUP
    ring_timeout_s: Annotated[Seconds, Field(ge=5, le=300)] = 35.0
    accept_timeout_s: Annotated[Seconds, Field(ge=5, le=120)] = 20.0
    handoff: core.HandoffStyle = core.HandoffStyle.INTRODUCE
    handoff_limit_s: Annotated[Seconds, Field(ge=5, le=600)] = 60.0
    closing_line: Text = "I'll let you guys take it from here."
    fallbacks: tuple[Fallback, ...] = ()
    fallback_all_at_once: bool = False
    missed_goto: Goto | None = None
    owner: Contact | None = None  # none: the owner of the whole directory
    on_connected: OnConnected = OnConnected()
    on_missed: OnMissed = OnMissed()

    def to_core(self, owner: Contact | None) -> core.Bot:
        contact = self.owner or owner
        return core.Bot(
            id=core.BotId(self.id),
            name=self.name,
            pattern=self.pattern,
            ring_timeout_s=self.ring_timeout_s,
            accept_timeout_s=self.accept_timeout_s,
            handoff=self.handoff,
            handoff_limit_s=self.handoff_limit_s,
            closing_line=self.closing_line,
            fallbacks=tuple(fallback.to_fallback() for fallback in self.fallbacks),
            fallback_all_at_once=self.fallback_all_at_once,
            missed_goto=self.missed_goto or "",
            owner=contact.to_core() if contact else None,
            on_connected=self.on_connected.to_core(),
            on_missed=self.on_missed.to_core(),
        )


class Lead(Model):
    id: Id
    name: Text
    phone: Number
    email: Text = ""
    source: Text = ""
    agent: Text | None = None  # the assigned one
    fields: dict[Text, Text] = Field(default_factory=dict)

    def to_core(self) -> core.Lead:
        return core.Lead(
            id=core.LeadId(self.id),
            name=self.name,
            phone=self.phone,
            email=self.email,
            source=self.source,
            assigned_agent_id=core.AgentId(self.agent) if self.agent else None,
            fields=dict(self.fields),
        )


class DirectoryFile(Model):
    zone: Zone | None = None  # of agents who name none
    owner: Contact | None = None
    agents: tuple[Agent, ...] = ()
    pools: tuple[Pool, ...] = ()
    rules: tuple[Rule, ...] = ()
    bots: Annotated[tuple[Bot, ...], Field(min_length=1)]
    leads: tuple[Lead, ...] = ()


def load_directory(path: Path) -> core.Directory:
    """Raises ConfigError, also for references to what isn't there."""
    document = read(path)
    file = validate(DirectoryFile, document)
    if problems := [*_repeated(file, document), *_dangling(file, document), *_zoneless(file, document)]:
        raise ConfigError(sorted(problems, key=lambda p: p.line or 0))
    return core.Directory(
        agents=tuple(_agent(agent, agent.zone or file.zone) for agent in file.agents),
        pools=tuple(
            core.Pool(
                id=core.PoolId(pool.id),
                name=pool.name or pool.id,
                agent_ids=tuple(core.AgentId(agent) for agent in pool.agents),
            )
            for pool in file.pools
        ),
        rules=tuple(
            core.Rule(name=rule.name, when=dict(rule.when), pool_id=core.PoolId(rule.pool))
            for rule in file.rules
        ),
        bots=tuple(bot.to_core(file.owner) for bot in file.bots),
        leads=tuple(lead.to_core() for lead in file.leads),
    )


def _agent(agent: Agent, zone: ZoneInfo | None) -> core.Agent:
    assert zone is not None  # noqa: S101 - _zoneless has refused the others
    return core.Agent(
        id=core.AgentId(agent.id),
        name=agent.name,
        active=agent.active,
        available=agent.available,
        zone=zone,
        schedule=agent.schedule,
        endpoints=tuple(endpoint.to_core() for endpoint in agent.endpoints),
        phone=agent.phone,
    )


def _zoneless(file: DirectoryFile, document: Document) -> list[Problem]:
    what = "has no zone; add one such as America/Denver, or a `zone:` for all at the top of the file"
    return [
        document.problem(("agents", n), what)
        for n, agent in enumerate(file.agents)
        if agent.zone is None and file.zone is None
    ]


def _repeated(file: DirectoryFile, document: Document) -> list[Problem]:
    named: list[tuple[Place, str]] = []
    for kind in ("agents", "pools", "bots", "leads"):
        named += [((kind, n, "id"), f"{kind}:{item.id}") for n, item in enumerate(getattr(file, kind))]
    named += [(("rules", n, "name"), f"rules:{rule.name}") for n, rule in enumerate(file.rules)]
    for p, pool in enumerate(file.pools):
        named += [
            (("pools", p, "agents", n), f"pool {pool.id}:{agent}") for n, agent in enumerate(pool.agents)
        ]
    first: dict[str, Place] = {}
    problems = []
    for place, name in named:
        if name in first:
            line = document.lines.get(first[name])
            what = f"{name.partition(':')[2]!r} is given twice, first in line {line}; keep one"
            problems.append(document.problem(place, what))
        first.setdefault(name, place)
    return problems


def _dangling(file: DirectoryFile, document: Document) -> list[Problem]:
    agents = dict.fromkeys(agent.id for agent in file.agents)
    pools = dict.fromkeys(pool.id for pool in file.pools)
    bots = dict.fromkeys(bot.id for bot in file.bots)
    references: list[tuple[Place, str, str, Mapping[str, None]]] = []
    for p, pool in enumerate(file.pools):
        references += [(("pools", p, "agents", n), "agent", a, agents) for n, a in enumerate(pool.agents)]
    for r, rule in enumerate(file.rules):
        references.append((("rules", r, "pool"), "pool", rule.pool, pools))
        references += [(("rules", r, "when", "bot"), "bot", bot, bots) for bot in rule.when.get("bot", ())]
    references += [
        (("leads", n, "agent"), "agent", lead.agent, agents)
        for n, lead in enumerate(file.leads)
        if lead.agent
    ]
    return [
        document.problem(place, f"there is no {what} {name!r} in this file{did_you_mean(name, list(known))}")
        for place, what, name, known in references
        if name not in known
    ]
