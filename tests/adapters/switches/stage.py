"""Where the contract of `ports.Pbx` is played: a switch under test, and a line on which things happen.

The line is the simulated switch on a virtual clock. It is the switch under test itself; or an adapter for
a real one is, and between the two a scripted peer speaks that switch's protocol over a real socket.
"""

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from callcontrol.adapters.simulated import Behaviour, Does, SimulatedPbx, VirtualClock
from callcontrol.core import events as e
from callcontrol.core.model import AcceptBy, Call, ChannelId, Endpoint, EndpointKind, Leg, TransferId
from callcontrol.ports import CallerId, Pbx, Report, RingOrder

R = TypeVar("R", bound=Report)
TRANSFER = TransferId("t-1")
STEP_S = 0.05


@dataclass
class Stage:
    pbx: Pbx
    line: SimulatedPbx
    clock: VirtualClock
    lose_link: Callable[[], None]
    regain_link: Callable[[], None]
    restart: Callable[[], None]
    another: "Callable[[], Pbx]"  # as a process that has been started again has it
    register: Callable[[str, bool], None]
    reports: list[Report] = field(default_factory=list)

    def kinds(self) -> list[type[Report]]:
        return [type(report) for report in self.reports]

    async def saw(self, kind: type[R], channel: str | None = None, *, count: int = 1, since: int = 0) -> R:
        """Let time pass on the line until it has been reported."""
        for _ in range(2000):
            found = [
                report
                for report in self.reports[since:]
                if isinstance(report, kind) and channel in (None, getattr(report, "channel", None))
            ]
            if len(found) >= count:
                return found[count - 1]
            await self.time_passes(STEP_S)
        raise AssertionError(f"no {kind.__name__} of {channel or 'anything'}; only {self.kinds()}")

    async def came_to(self, leg: ChannelId) -> type[Report]:
        """What a leg that may go straight to the lead came to first: LegAnswered or Joined."""
        for _ in range(2000):
            for report in self.reports:
                if isinstance(report, e.LegAnswered | e.Joined) and report.channel == leg:
                    return type(report)
            await self.time_passes(STEP_S)
        raise AssertionError(f"{leg} was not answered; only {self.kinds()}")

    async def time_passes(self, seconds: float) -> None:
        await self.clock.advance(seconds)
        await asyncio.sleep(0.001)  # for what travels over a socket

    async def quiet(self) -> None:
        """Whatever was to be told has been told."""
        for _ in range(20):
            await self.time_passes(STEP_S)

    async def watched(self, *, bot_leg: bool = True, transfer_id: TransferId = TRANSFER) -> Call:
        """A lead and its bot on the line, and a transfer that is about them."""
        lead = self.line.call(bot_leg=bot_leg).lead
        call = await self.pbx.locate(lead)
        if self.pbx is not self.line:
            self.line.watch(transfer_id, call)
        self.pbx.watch(transfer_id, call)
        return call

    async def ring(
        self,
        does: Behaviour,
        call: Call,
        *,
        by: AcceptBy = AcceptBy.ANSWER,
        address: str = "alice",
        transfer_id: TransferId = TRANSFER,
        straight: bool = False,
    ) -> ChannelId:
        self.line.phones[address] = does
        endpoint = Endpoint(kind=EndpointKind.EXTENSION, address=address, accept_by=by)
        leg = Leg(id=ChannelId(str(uuid.uuid4())), agent_id=None, label="Alice", endpoint=endpoint)
        order = RingOrder(
            transfer_id=transfer_id,
            leg=leg,
            lead=call.lead,
            caller=CallerId(name="Lena Lead", number="+4930123456"),
            ring_timeout_s=5.0,
            accept_timeout_s=5.0,
            straight=straight,
        )
        await self.pbx.ring(order)
        return leg.id


PICKS_UP = Behaviour(does=Does.ANSWERS, after_s=0.1)
RINGS = Behaviour(does=Does.RINGS)

Staged = AbstractAsyncContextManager[Stage]


def at_once(verb: Coroutine[Any, Any, None]) -> None:
    """A verb of the simulated switch waits for nothing."""
    try:
        verb.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits")
