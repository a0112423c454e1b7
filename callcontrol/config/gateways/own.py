"""A gateway that another package offers."""

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Self

from pydantic import Field, model_validator

from callcontrol.config.gateways.base import Gateway, Values
from callcontrol.config.problems import did_you_mean
from callcontrol.config.schema import at_key

GROUP = "callcontrol.gateways"
"""The entry points by which an installed package offers gateways of its own."""

OF_TYPE: Mapping[str, str] = {  # the kinds that callcontrol has itself
    "file": "[file]",
    "smtp": "[smtp]",
    "http": "[http]",
    "sip_message": "[sip_message]",
    "smpp": "[smpp]",
    **dict.fromkeys(("twilio", "vonage", "plivo", "telnyx"), "[provider]"),
}
TYPES = tuple(OF_TYPE)


class OwnGateway(Gateway):
    """One that another package offers; its options are its own."""

    type: str
    options: Values = Field(default_factory=dict, repr=False)

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        if self.type not in _offered():
            known = [*TYPES, *_offered()]
            hint = did_you_mean(self.type, known) or f"; there are {', '.join(known)}"
            raise at_key("type", f"{self.type!r} is no kind of gateway{hint}")
        try:
            self.make(report_url="")
        except (ValueError, TypeError, KeyError) as error:
            raise at_key("options", f"{self.type} refuses them: {error}") from None
        except Exception as error:
            raise at_key("type", f"{self.type} can't be made: {type(error).__name__}: {error}") from None
        return self

    def make(self, *, report_url: str) -> Any:
        """A `ports.Gateway`; nothing is sent or opened yet."""
        factory: Callable[..., Any] = _offered()[self.type].load()
        return factory(name=self.name, options=self.options, report_url=report_url)


def _offered() -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
