"""What directory.yaml may say: agents, pools, rules and bots; and leads, where a demo needs some."""

from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from callcontrol.config import conditions
from callcontrol.config.calendar import Calendar
from callcontrol.config.conditions import When
from callcontrol.config.outcomes import Contact, Contacts, Lists, OnConnected, OnMissed
from callcontrol.config.people import Agent, Fallback
from callcontrol.config.schema import Model
from callcontrol.config.values import Goto, Id, Languages, Number, Pause, Seconds, Tags, Text, Zone
from callcontrol.core import model as core


class Pool(Model):
    id: Id
    name: Text | None = None
    agents: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    tags: Annotated[Tags, Field(min_length=1)] | None = None  # who has them all
    languages: Annotated[Languages, Field(min_length=1)] | None = None  # likewise
    order: core.PoolOrder = core.PoolOrder.LISTED
    at_once: Annotated[int, Field(ge=0, le=1000)] = 0
    step_s: Annotated[Seconds, Field(ge=1, le=300)] = 10.0
    last_agent_first: bool = False
    wrap_up_s: Pause | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.agents is None) == (self.tags is None and self.languages is None):
            raise ValueError("give either agents, or the tags or languages that its agents have")
        return self

    def to_core(self) -> core.Pool:
        return core.Pool(
            id=core.PoolId(self.id),
            name=self.name or self.id,
            agent_ids=tuple(core.AgentId(agent) for agent in self.agents or ()),
            tags=frozenset((*(self.tags or ()), *(self.languages or ()))),
            order=self.order,
            at_once=self.at_once,
            step_s=self.step_s,
            last_agent_first=self.last_agent_first,
            wrap_up_s=self.wrap_up_s,
        )


class Rule(Model):
    name: Text
    when: When
    pool: Text

    def to_core(self, zone: ZoneInfo | None) -> core.Rule:
        when = conditions.to_core(self.when, zone)
        return core.Rule(name=self.name, when=when, pool_id=core.PoolId(self.pool))


class Strikes(Model):
    """When an agent who keeps missing rings is let rest."""

    limit: Annotated[int, Field(ge=0, le=100)] = 3  # missed rings in a row; 0: never
    rest_minutes: Annotated[float, Field(gt=0, le=1440, allow_inf_nan=False)] = 30.0

    def to_core(self) -> core.StrikePolicy:
        return core.StrikePolicy(limit=self.limit, rest_s=self.rest_minutes * 60)


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

    def to_core(self, owner: Contact | None, lists: Lists) -> core.Bot:
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
            on_connected=self.on_connected.to_core(lists),
            on_missed=self.on_missed.to_core(lists),
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
    zone: Zone | None = None  # of agents, and of conditions on the time, that name none
    owner: Contact | None = None
    contacts: dict[Id, Contacts] = Field(default_factory=dict)  # lists that outcomes may notify
    strikes: Strikes = Strikes()
    holidays: dict[Id, Calendar] = Field(default_factory=dict)
    agents: tuple[Agent, ...] = ()
    pools: tuple[Pool, ...] = ()
    rules: tuple[Rule, ...] = ()
    bots: Annotated[tuple[Bot, ...], Field(min_length=1)]
    leads: tuple[Lead, ...] = ()

    def to_core(self) -> core.Directory:
        return core.Directory(
            agents=tuple(agent.to_core(self.zone, self.holidays) for agent in self.agents),
            pools=tuple(pool.to_core() for pool in self.pools),
            rules=tuple(rule.to_core(self.zone) for rule in self.rules),
            bots=tuple(bot.to_core(self.owner, self.contacts) for bot in self.bots),
            leads=tuple(lead.to_core() for lead in self.leads),
            strikes=self.strikes.to_core(),
        )
