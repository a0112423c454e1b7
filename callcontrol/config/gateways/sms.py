"""The section `sms` of callcontrol.yaml: gateways, each with its pace, and which texts go through which."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from callcontrol.config.gateways.base import WebAddress
from callcontrol.config.gateways.http import HttpGateway
from callcontrol.config.gateways.kinds import (
    FileGateway,
    ProviderGateway,
    SipMessageGateway,
    SmppGateway,
    SmtpGateway,
)
from callcontrol.config.gateways.own import OF_TYPE, OwnGateway
from callcontrol.config.problems import did_you_mean
from callcontrol.config.schema import Model, at_key
from callcontrol.config.values import FilePath, Id, Words, one_or_more


def _type(value: Any) -> str:
    given = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return OF_TYPE.get(str(given), "[own]")


AnyGateway = Annotated[
    Annotated[FileGateway, Tag("[file]")]
    | Annotated[SmtpGateway, Tag("[smtp]")]
    | Annotated[HttpGateway, Tag("[http]")]
    | Annotated[SipMessageGateway, Tag("[sip_message]")]
    | Annotated[SmppGateway, Tag("[smpp]")]
    | Annotated[ProviderGateway, Tag("[provider]")]
    | Annotated[OwnGateway, Tag("[own]")],
    Discriminator(_type),
]


class Route(Model):
    gateways: Annotated[tuple[Id, ...], BeforeValidator(one_or_more), Field(min_length=1)]
    prefix: Words | None = None
    recipient: Words | None = None


class Sms(Model):
    """Without gateways there is one, the file that `path` names."""

    gateway: Literal["file"] | None = None
    path: FilePath = Path("texts.jsonl")
    gateways: tuple[AnyGateway, ...] = ()
    routes: tuple[Route, ...] = ()
    report_url: WebAddress | None = None  # under which providers reach the API

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [gateway.name for gateway in self.gateways]
        if self.gateways and self.gateway is not None:
            raise at_key("gateway", "gateways are given too; name the file among them, with `type: file`")
        for n, name in enumerate(names):
            if name in names[:n]:
                raise at_key(("gateways", n, "name"), f"{name!r} is there already; give each its own name")
        for n, route in enumerate(self.routes):
            for name in route.gateways:
                if name not in self.names:
                    hint = did_you_mean(name, self.names) or f"; there are {', '.join(self.names)}"
                    raise at_key(("routes", n, "gateways"), f"there is no gateway {name!r}{hint}")
        for n, gateway in enumerate(self.gateways):
            if gateway.report_secret is not None and self.report_url is None:
                what = "reports need sms.report_url, under which the provider reaches this API"
                raise at_key(("gateways", n, "report_secret"), what)
        return self

    @property
    def every(self) -> tuple[AnyGateway, ...]:
        return self.gateways or (FileGateway.model_construct(name="file", type="file", path=self.path),)

    @property
    def names(self) -> list[str]:
        return [gateway.name for gateway in self.gateways] or ["file"]

    @property
    def sends_sip_messages(self) -> bool:
        return any(isinstance(gateway, SipMessageGateway) for gateway in self.gateways)
