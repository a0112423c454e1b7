"""The interpreter's own housekeeping, kept out of live calls."""

import gc

_YOUNG = 2_500  # objects made before the youngest are looked through: a request makes 1,000; 700 is usual
_SELDOM = 50  # collections of the younger before one of all, which stops every call for 40 ms; 10 is usual


def settle() -> None:
    """Look once for what nobody needs any more, and from then on only among what is made later: all that was
    made when the daemon started, or a directory was read, would hold every call up for a tenth of a second.
    """
    gc.unfreeze()  # also what was set aside the last time
    gc.collect()
    gc.freeze()
    _, middle, _ = gc.get_threshold()
    gc.set_threshold(_YOUNG, middle, _SELDOM)
