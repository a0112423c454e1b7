"""Templates of gateways: `{to}` and the like, filled in once."""

import re
from collections.abc import Mapping

from callcontrol.ports import Message

_PLACE = re.compile(r"\{(\w+)\}")


def fill(template: str, known: Mapping[str, str]) -> str:
    """What is put in may look like a template itself, and stays as it is."""
    return _PLACE.sub(lambda found: known.get(found[1], found[0]), template)


def values_of(message: Message) -> dict[str, str]:
    return {
        "to": message.to,
        "to_digits": message.to.removeprefix("+"),
        "body": message.body,
        "id": str(message.id),
        "recipient": message.recipient,
        "transfer": message.transfer_id or "",
    }
