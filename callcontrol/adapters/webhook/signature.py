"""How a webhook is signed: as https://www.standardwebhooks.com has it, symmetric."""

import base64
import hashlib
import hmac
from collections.abc import Mapping

_PREFIX = "whsec_"  # a secret in base64; any other is taken as it is written


def signed(secret: str, message_id: str, at_s: int, body: bytes) -> Mapping[str, str]:
    """The three headers. The id is the same for every repeat, the time is of this attempt."""
    content = b".".join((message_id.encode(), str(at_s).encode(), body))
    signature = base64.b64encode(hmac.digest(key_of(secret), content, hashlib.sha256)).decode()
    return {"webhook-id": message_id, "webhook-timestamp": str(at_s), "webhook-signature": f"v1,{signature}"}


def key_of(secret: str) -> bytes:
    """Raises ValueError for a whsec_ that is no base64."""
    if secret.startswith(_PREFIX):
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    return secret.encode()
