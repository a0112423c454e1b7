"""What the garbage collector is kept from looking through."""

import gc
from collections.abc import Iterator

import pytest

from callcontrol.app import heap


class Cycle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_what_is_there_is_set_aside_and_what_nobody_needs_is_not():
    Cycle()
    heap.settle()
    assert not any(isinstance(one, Cycle) for one in gc.get_objects())
    assert gc.get_freeze_count() > 0
    kept = Cycle()
    heap.settle()
    del kept
    heap.settle()
    gc.unfreeze()
    assert not any(isinstance(one, Cycle) for one in gc.get_objects()), "nor is it kept for ever"


def test_objects_are_looked_through_less_often_than_usual():
    usual = gc.get_threshold()
    heap.settle()
    young, middle, old = gc.get_threshold()
    assert young > usual[0]
    assert middle == usual[1]
    assert old > usual[2]
