"""What goes wrong outside, and what a caller got wrong."""

from callcontrol.core.model import (
    TransferId,
)


class PortError(Exception):
    """Something outside refused or did not answer. `retryable`: the same again may succeed."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


class ChannelUnknownError(PortError):
    """No such channel is live on the switch."""

    def __init__(self, channel: str) -> None:
        super().__init__(f"no live channel {channel!r} on the switch", retryable=False)


class StoreError(PortError):
    """The database refused or is away."""


class ElsewhereError(StoreError):
    """What was to be changed is in the site's own tables, which are only read."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=False)


class UnknownError(Exception):
    """A lead, bot, transfer or task that is not in the database. `what` names it."""

    def __init__(self, what: str, identifier: str) -> None:
        super().__init__(f"no {what} {identifier!r}")
        self.what = what
        self.identifier = identifier


class ChannelBusyError(Exception):
    """The lead's channel is already in a live transfer."""

    def __init__(self, transfer_id: TransferId) -> None:
        super().__init__(f"the channel is already in transfer {transfer_id}")
        self.transfer_id = transfer_id


class KeyReusedError(Exception):
    """The idempotency key was used for another request."""


class TaskRefusedError(Exception):
    """What was asked of a task is not possible now, and changed nothing. The words say why."""
