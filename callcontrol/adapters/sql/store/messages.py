"""The outbox: what is to be sent, and what became of it."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime

from callcontrol.adapters.sql import mailroom, outbox
from callcontrol.adapters.sql.store.ground import Ground
from callcontrol.ports import Claim, DeliveryReport, Late, Message, MessageStatus, Setback, Which

_PORTION = 500


class SqlMessages(Ground):
    async def claim_messages(
        self,
        route: Callable[[Message], str | None],
        room: Mapping[str, int],
        now: datetime,
        lease_s: float,
        *,
        late: Late | None = None,
        resends: Collection[str] = (),
        holding: Collection[int] = (),
    ) -> Claim:
        wanted = outbox.Wanted(room=room, late=late, now=now, holding=holding)
        seen = await self._runner.read(outbox.look, wanted)
        if not seen:
            return Claim()
        return await self._runner.write_together(
            outbox.claim, seen, route, wanted, lease_s=lease_s, resends=resends
        )

    async def message_sent(self, message: Message, now: datetime, provider_id: str) -> None:
        await self._runner.write_together(outbox.sent, message, now, provider_id)

    async def message_failed(self, message: Message, now: datetime, setback: Setback) -> None:
        await self._runner.write_together(outbox.failed, message, now, setback)

    async def reroute(self, gateway: str | None = None) -> None:
        ids = await self._runner.read(outbox.waiting, gateway)
        for some in _in_portions(ids):
            await self._runner.write(outbox.reroute, some)

    async def park_orphans(self, known: Collection[str]) -> int:
        return await self._runner.write(outbox.park_orphans, known)

    async def messages(self, which: Which, limit: int) -> Sequence[MessageStatus]:
        return await self._runner.read(mailroom.newest, which, limit)

    async def retry_messages(self, which: Which, now: datetime) -> int:
        ids = await self._runner.read(mailroom.stuck, which)
        return sum([await self._runner.write(mailroom.retry, some, now) for some in _in_portions(ids)])

    async def discard_messages(self, which: Which) -> int:
        ids = await self._runner.read(mailroom.stuck, which)
        return sum([await self._runner.write(mailroom.discard, some) for some in _in_portions(ids)])

    async def report_delivery(self, report: DeliveryReport, now: datetime) -> bool:
        return await self._runner.write(mailroom.report, report, now)


def _in_portions(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """So that no transaction is long: a live transfer's would wait for it."""
    return (ids[start : start + _PORTION] for start in range(0, len(ids), _PORTION))
