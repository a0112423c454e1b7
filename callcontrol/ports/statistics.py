"""What the database counts for a report."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from callcontrol.core.counted import Attempts, CallBack, Legs, Quarter, Span, Transfers
from callcontrol.core.model import Term


class Statistics(Protocol):
    """Counts of the decided transfers of a span. Each is one question; it may take a while, and keeps no
    live call waiting. All raise StoreError where the database is away.
    """

    async def transfers(self, span: Span) -> Sequence[Transfers]: ...

    async def quarters(self, span: Span) -> Sequence[Quarter]: ...

    async def attempts(self, span: Span) -> Sequence[Attempts]: ...

    async def legs(self, span: Span) -> Sequence[Legs]: ...

    async def answer_tenths(self, span: Span) -> Mapping[int, int]:
        """How long the winner's phone rang; tenths of a second, to how many transfers."""
        ...

    async def talking_tenths(self, span: Span) -> Mapping[int, int]:
        """From the request to the lead and the agent on one line."""
        ...

    async def kept_out(self, span: Span) -> Mapping[Term, int]:
        """Missed transfers with an agent whom that term alone kept from ringing."""
        ...

    async def call_backs(self, span: Span) -> Sequence[CallBack]:
        """Tasks of the span's missed transfers."""
        ...
