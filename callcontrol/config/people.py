"""An agent as directory.yaml writes one, with phones, hours, and what makes the agent fit for a lead."""

from collections.abc import Mapping
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from callcontrol.config.calendar import Dated
from callcontrol.config.schedule import Schedule
from callcontrol.config.schema import Model, exactly_one
from callcontrol.config.values import (
    DialString,
    Extension,
    Id,
    Languages,
    Number,
    Pause,
    Seconds,
    Tags,
    Text,
    Zone,
)
from callcontrol.core import model as core


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
    holidays: Text | None = None  # one of the file's calendars
    exceptions: tuple[Dated, ...] = ()  # go before the holidays
    endpoints: Annotated[tuple[Endpoint, ...], Field(min_length=1)]
    ring: core.EndpointOrder = core.EndpointOrder.TOGETHER
    ring_step_s: Annotated[Seconds, Field(ge=1, le=120)] = 12.0
    phone: Number | None = None
    tags: Tags = ()
    languages: Languages = ()
    weight: Annotated[int, Field(ge=1, le=100)] = 1
    wrap_up_s: Pause = 0.0
    active: bool = True
    available: bool = True  # at first; afterwards the agent's own toggle counts

    def to_core(
        self, zone: ZoneInfo | None, calendars: Mapping[str, tuple[core.DatedWindow, ...]]
    ) -> core.Agent:
        place = self.zone or zone
        assert place is not None  # noqa: S101 - the loader has refused it
        own = tuple(window for dated in self.exceptions for window in dated.to_core())
        return core.Agent(
            id=core.AgentId(self.id),
            name=self.name,
            active=self.active,
            available=self.available,
            zone=place,
            schedule=self.schedule,
            endpoints=tuple(endpoint.to_core() for endpoint in self.endpoints),
            phone=self.phone,
            exceptions=(*(calendars[self.holidays] if self.holidays else ()), *own),
            tags=frozenset((*self.tags, *self.languages)),
            weight=self.weight,
            wrap_up_s=self.wrap_up_s,
            endpoint_order=self.ring,
            endpoint_step_s=self.ring_step_s,
        )
