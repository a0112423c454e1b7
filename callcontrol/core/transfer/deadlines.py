"""How long each state, and each leg, is waited for, and what is done when that is over."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

from callcontrol.core import events as e
from callcontrol.core.transfer import handoff, link, plan, ringing
from callcontrol.core.transfer.live import UNDECIDED, LiveTransfer, State


def deadlines(transfer: LiveTransfer) -> Iterator[tuple[datetime, Callable[[LiveTransfer], None]]]:
    """None while only the outside can move the transfer."""
    state = transfer.state
    if state is State.NEW:
        return
    limits = transfer.settings
    if transfer.link_lost_at is not None:
        if state in UNDECIDED:
            yield _after(transfer.link_lost_at, limits.link_grace_s), link.given_up
        return
    for leg in transfer.alive():
        for at, why in leg.deadlines(limits):
            yield at, partial(ringing.leg_overdue, leg=leg, why=why)
    if state is State.RINGING and transfer.more_at is not None:
        yield transfer.more_at, plan.ask_whom
    if state is State.JOINING and transfer.since is not None:
        limit = limits.briefing_limit_s if transfer.briefing else limits.join_timeout_s
        yield _after(transfer.since, limit), handoff.joining_overdue
    if state is State.HANDING_OFF and transfer.since is not None:
        yield _after(transfer.since, limits.handoff_limit_s), handoff.connect


def time_passed(transfer: LiveTransfer, _: e.TimePassed) -> None:
    for at, act in list(deadlines(transfer)):
        if at <= transfer.now:
            act(transfer)


def _after(at: datetime, seconds: float) -> datetime:
    return at + timedelta(seconds=seconds)
