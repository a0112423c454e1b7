"""What the garbage collector is kept from looking through."""

import gc

from callcontrol.app import heap


class Cycle:
    def __init__(self) -> None:
        self.itself = self


def test_what_is_there_is_set_aside_and_what_nobody_needs_is_not():
    Cycle()
    try:
        heap.settle()
        assert not any(isinstance(one, Cycle) for one in gc.get_objects())
        assert gc.get_freeze_count() > 0
        kept = Cycle()
        heap.settle()
        del kept
        heap.settle()
        gc.unfreeze()
        assert not any(isinstance(one, Cycle) for one in gc.get_objects()), "nor is it kept for ever"
    finally:
        gc.unfreeze()
