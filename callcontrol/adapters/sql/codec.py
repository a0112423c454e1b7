"""Events to and from the journal: the class's name, and its fields as JSON."""

from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from callcontrol.core.events import Event
from callcontrol.ports import StoreError

EVENT_TYPES: tuple[type[Event], ...] = get_args(Event)

_ADAPTERS: dict[str, TypeAdapter[Any]] = {cls.__name__: TypeAdapter(cls) for cls in EVENT_TYPES}


def encode(event: Event) -> tuple[str, str]:
    """The type and the payload."""
    name = type(event).__name__
    payload = _ADAPTERS[name].dump_json(event, fallback=dict, warnings=False)  # a Mapping may be any kind
    return name, payload.decode()


def decode(name: str, payload: str) -> Event:
    """Raises StoreError for what no version of this program wrote."""
    adapter = _ADAPTERS.get(name)
    if adapter is None:
        raise StoreError(f"the journal has an event of unknown type {name!r}", retryable=False)
    try:
        event: Event = adapter.validate_json(payload)
    except ValidationError as exc:
        raise StoreError(
            f"the journal has a {name} that can't be read: {exc.error_count()} errors", retryable=False
        ) from exc
    return event
