"""What conductors, the console and the dialplan's questions have at hand of the outside."""

from collections.abc import Callable
from dataclasses import dataclass

from callcontrol.core.followup import Word
from callcontrol.ports import Clock, Observer, Pbx, Speech, Store


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """One set for the whole switchboard."""

    pbx: Pbx
    store: Store
    speech: Speech | None
    clock: Clock
    word: Word
    on_outcome: Callable[[], None]
    on_phase: Callable[[], None]
    observer: Observer
