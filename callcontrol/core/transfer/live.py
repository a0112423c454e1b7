"""A transfer as the machine sees it: where it stands, its legs, and what it has ordered in this turn."""

from datetime import datetime
from enum import StrEnum
from typing import cast

from callcontrol.core import events as e
from callcontrol.core.model import Call, ChannelId, Outcome, Step
from callcontrol.core.transfer.leg import LiveLeg


class State(StrEnum):
    NEW = "new"
    RESOLVING = "resolving"
    RINGING = "ringing"
    JOINING = "joining"
    HANDING_OFF = "handing_off"
    CONNECTED = "connected"
    RETURNED = "returned"
    ENDED = "ended"


UNDECIDED = (State.RESOLVING, State.RINGING, State.JOINING, State.HANDING_OFF)


class LiveTransfer:
    """What the events of a transfer change. `call` and `settings` come with the first of them."""

    def __init__(self) -> None:
        self.state = State.NEW
        self.outcome: Outcome | None = None
        self.legs: dict[ChannelId, LiveLeg] = {}
        self.winner: LiveLeg | None = None
        self.attempt = 0
        self.step_index = -1  # into the plan
        self.bot_alive = False
        self.briefing = False
        self.since: datetime | None = None  # when JOINING or HANDING_OFF began to wait
        self.link_lost_at: datetime | None = None
        self.told_ringing = False
        self.ask = 0  # the number of the last question whom to ring
        self.rung = False  # this step has rung somebody
        self.more = False  # this step may ring more
        self.more_at: datetime | None = None
        self.commands: list[e.Command] = []  # of this turn
        self.call: Call
        self.settings: e.Settings
        self.now: datetime

    @property
    def step(self) -> Step:
        return self.settings.plan[self.step_index]

    @property
    def taker(self) -> LiveLeg:
        """The winner, in the states that have one: JOINING, HANDING_OFF and CONNECTED."""
        return cast(LiveLeg, self.winner)

    def leg(self, channel: ChannelId) -> LiveLeg | None:
        """The leg, while it is on the switch."""
        leg = self.legs.get(channel)
        return None if leg is None or leg.gone else leg

    def alive(self) -> list[LiveLeg]:
        return [leg for leg in self.legs.values() if not leg.gone]

    def order(self, command: e.Command) -> None:
        self.commands.append(command)

    def order_away(self, leg: LiveLeg, why: e.Why) -> None:
        """Hang the leg up. A repeat keeps the first reason for the record."""
        self.order(leg.send_away(why, self.now))

    def tell(self, phase: e.Phase, detail: str = "") -> None:
        self.order(e.TellBot(phase=phase, detail=detail))
