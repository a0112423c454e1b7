"""Whoever counts what happens, for a monitor to fetch."""

from typing import Protocol

from callcontrol.core.model import LegFate, Outcome, StepKind


class Observer(Protocol):
    """Told in passing, from the event loop: each must return at once, and raise nothing."""

    def decided(self, event: str, seconds: float) -> None:
        """From an event's report until its turn was in the journal and its orders had left."""
        ...

    def attempted(self, step: StepKind) -> None: ...

    def leg_ended(self, fate: LegFate) -> None: ...

    def finished(self, outcome: Outcome) -> None: ...


class Unobserved:
    """Nobody counts."""

    def decided(self, event: str, seconds: float) -> None: ...

    def attempted(self, step: StepKind) -> None: ...

    def leg_ended(self, fate: LegFate) -> None: ...

    def finished(self, outcome: Outcome) -> None: ...
