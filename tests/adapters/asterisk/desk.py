"""Where the tests of a switch sit: they give its verbs, and wait for what it reports."""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from callcontrol.core import events as e
from callcontrol.core.model import AcceptBy, Call, ChannelId, Endpoint, EndpointKind, Leg, TransferId
from callcontrol.ports import CallerId, LinkUp, Pbx, Report, RingOrder
from tests.lab import Lab

R = TypeVar("R", bound=Report)
NO_TRANSFER = TransferId("some-transfer")
NO_ONE = Call(lead=ChannelId("no-lead"), bot=None, pbx_started="")


@dataclass
class Desk:
    pbx: Pbx
    lab: Lab
    reports: list[Report] = field(default_factory=list)
    on_report: Callable[[Report], object] = lambda _: None

    def take(self, report: Report) -> None:
        self.reports.append(report)
        self.on_report(report)
        self.lab.watch.wake()

    async def linked(self) -> None:
        await self.saw(LinkUp)

    # --- waiting

    async def saw(
        self, kind: type[R], channel: str | None = None, *, within_s: float = 5.0, since: int = 0
    ) -> R:
        """The first such report; about one channel, where one is given."""

        def look() -> R | None:
            return next((r for r in self.reports[since:] if _is(r, kind, channel)), None)

        return await self.lab.wait_until(look, within_s, what=f"{kind.__name__} of {channel or 'anything'}")

    async def saw_at_once(self, kind: type[Report], channel: str) -> None:
        """The same without any delay of ours, where milliseconds are counted."""
        seen = asyncio.get_running_loop().create_future()
        self.on_report = lambda r: seen.done() or not _is(r, kind, channel) or seen.set_result(None)
        if not self.has_seen(kind, channel):
            await asyncio.wait_for(seen, 5)

    def has_seen(self, kind: type[Report], channel: str | None = None) -> bool:
        return any(_is(report, kind, channel) for report in self.reports)

    async def when(self, condition: Callable[[], bool], within_s: float = 5.0) -> None:
        await self.lab.wait_until(condition, within_s)

    async def position(self, channel: str) -> tuple[str, str]:
        """Context and extension of a channel."""
        rows = [row for row in await self.lab.pbx.channels() if row["Uniqueid"] == channel]
        return (rows[0]["Context"], rows[0]["Exten"]) if rows else ("", "")

    async def is_at(self, channel: str, context: str, exten: str, within_s: float = 3.0) -> None:
        async def there() -> bool:
            return await self.position(channel) == (context, exten)

        await self.lab.wait_until(there, within_s, what=f"{channel} to be at {context},{exten}")

    async def variable_is(self, channel: str, name: str, value: str) -> None:
        async def so() -> bool:
            return await self.lab.pbx.variable(channel, name) == value

        await self.lab.wait_until(so, what=f"{name} to be {value!r}")

    # --- doing

    async def transfer(self, lead_channel: str) -> tuple[TransferId, Call]:
        call = await self.pbx.locate(lead_channel)
        transfer_id = TransferId(str(uuid.uuid4()))
        self.pbx.watch(transfer_id, call)
        return transfer_id, call

    async def ring(
        self,
        who: str,
        call: Call = NO_ONE,
        transfer_id: TransferId = NO_TRANSFER,
        *,
        by: AcceptBy = AcceptBy.ANSWER,
        name: str = "Lena Lead",
        ring_timeout_s: float = 20.0,
        accept_timeout_s: float = 20.0,
        straight: bool = False,
    ) -> Leg:
        """Ring a desk phone by its name, or a mobile by its number."""
        line = self.lab.world.parties.get(who)
        number = line.number if line is not None else ""
        kind = EndpointKind.NUMBER if number else EndpointKind.EXTENSION
        endpoint = Endpoint(kind=kind, address=number or who, accept_by=by)
        leg = Leg(id=ChannelId(str(uuid.uuid4())), agent_id=None, label=who, endpoint=endpoint)
        order = RingOrder(
            transfer_id=transfer_id,
            leg=leg,
            lead=call.lead,
            caller=CallerId(name=name, number="+493023125001"),
            ring_timeout_s=ring_timeout_s,
            accept_timeout_s=accept_timeout_s,
            straight=straight,
        )
        await self.pbx.ring(order)
        return leg

    async def accepted(self, who: str, call: Call, transfer_id: TransferId) -> Leg:
        """Somebody who has picked up, and waits for what comes."""
        leg = await self.ring(who, call, transfer_id)
        await self.saw(e.LegAccepted, leg.id)
        return leg

    async def joined(self, who: str, call: Call, transfer_id: TransferId) -> Leg:
        leg = await self.accepted(who, call, transfer_id)
        await self.pbx.join(call.lead, leg.id)
        await self.saw(e.Joined, leg.id)
        return leg

    async def hears(self, listener: str, voices: set[str], within_s: float = 3.0) -> None:
        """Wait until a party hears exactly these."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        while True:
            now = time.time()
            heard = self.lab.heard_between(listener, now - 0.3, now - 0.02)
            if heard == voices:
                return
            assert loop.time() < deadline, f"{listener} hears {heard}, not {voices}"
            await asyncio.sleep(0.02)


def _is(report: Report, kind: type[Report], channel: str | None) -> bool:
    return isinstance(report, kind) and (channel is None or getattr(report, "channel", None) == channel)
