"""All live transfers: takes requests, hands each event to its conductor, and picks transfers up again
after a restart of this process or a lost link to the switch.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import structlog

from callcontrol.conductor import Conductor, orders_leave
from callcontrol.console import Console
from callcontrol.core import events as e
from callcontrol.core.callback import CallAnswered, CallBegan, CallEnded, CallReport
from callcontrol.core.followup import Word
from callcontrol.core.model import Call, ChannelId, TransferId
from callcontrol.core.transfer import UNDECIDED, State
from callcontrol.dialplan import Dialplan
from callcontrol.narration import Narration, Told, replayed
from callcontrol.outside import Ports
from callcontrol.ports import (
    AgentAsked,
    ChannelBusyError,
    ChannelUnknownError,
    Clock,
    HandoffDone,
    LinkDown,
    LinkUp,
    Observer,
    Pbx,
    PortError,
    Report,
    Request,
    Speech,
    Store,
    TransferAsked,
    TransferRow,
    UnknownError,
    Unobserved,
)
from callcontrol.turn import FirstTurn, new_id
from callcontrol.wording import Wording

log = structlog.get_logger(__name__)

STORE_RETRY_S = 2.0
LOOK_AGAIN_AFTER_S = 2.0
LOOKS_AGAIN = 10


class Switchboard:
    """`run` it as a task; it owns the link to the switch and every conductor."""

    def __init__(
        self,
        *,
        pbx: Pbx,
        store: Store,
        speech: Speech | None,
        clock: Clock,
        word: Word | None = None,
        on_outcome: Callable[[], None] = lambda: None,
        on_phase: Callable[[], None] = lambda: None,
        on_call: Callable[[CallReport | LinkUp], None] = lambda _: None,
        observer: Observer | None = None,
    ) -> None:
        """`word` gives texts their words; the usual ones where there is none.

        `on_outcome` is called when an outcome, and so perhaps a text, has been stored, `on_phase` when a phase
        that outside systems are told has, and its orders are out; `on_call` with what the switch reports of
        others' calls, and when it can be asked again.
        """
        self._ports = Ports(
            pbx=pbx,
            store=store,
            speech=speech,
            clock=clock,
            word=word or Wording(),
            on_outcome=on_outcome,
            on_phase=on_phase,
            observer=observer or Unobserved(),
        )
        self._on_call = on_call
        self._console = Console(self._ports)
        self._dialplan = Dialplan(self._ports, request=self.request, linked=lambda: self._linked)
        self._conductors: dict[TransferId, Conductor] = {}
        self._by_channel: dict[ChannelId, Conductor] = {}
        self._opening: dict[str, asyncio.Future[TransferRow]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._recovered = False
        self._linked = False

    # --- life

    @property
    def ready(self) -> bool:
        """The link stands, and every transfer of an earlier process has been picked up."""
        return self._linked and self._recovered

    @property
    def live(self) -> int:
        """Transfers in flight: all that are not closed."""
        return len(self._conductors)

    @property
    def deciding(self) -> bool:
        """A transfer is neither connected nor missed: somebody may be waiting for what is decided next."""
        return any(conductor.state in (State.NEW, *UNDECIDED) for conductor in self._conductors.values())

    async def run(self) -> None:
        """Until cancelled. No call is dropped then: the next process picks the transfers up."""
        try:
            await self._recover()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._ports.pbx.run(self._report))
                group.create_task(self._dialplan.publish())
                group.create_task(self._console.run())
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _recover(self) -> None:
        while True:
            try:
                unclosed = await self._ports.store.unclosed()
                break
            except PortError as error:
                log.error("the database is away, trying again", error=str(error))
                await asyncio.sleep(STORE_RETRY_S)
        for row, entries in unclosed:
            conductor = self._new_conductor(row.id, row.call)
            conductor.resume(row, entries)
            self._ports.pbx.watch(row.id, row.call)
            for record in conductor.live_legs():
                self._by_channel[record.leg.id] = conductor
                self._ports.pbx.watch_leg(row.id, row.call, record.leg)
            self._start(conductor)
            log.info("transfer picked up again", transfer=row.id, state=conductor.state.value)
        self._recovered = True

    # --- requests

    async def request(self, request: Request) -> TransferRow:
        """Start a transfer, or find the one that a repeated key belongs to.

        Raises UnknownError, ChannelUnknownError, ChannelBusyError, KeyReusedError, PortError.
        """
        while (other := self._opening.get(request.key)) is not None:
            with contextlib.suppress(Exception):  # the other's error is the other's
                await asyncio.shield(other)
        opening = self._opening[request.key] = asyncio.get_running_loop().create_future()
        opening.add_done_callback(lambda future: future.cancelled() or future.exception())
        try:
            row = await self._open(request)
        except BaseException as error:
            opening.set_exception(error if isinstance(error, Exception) else asyncio.CancelledError())
            raise
        else:
            opening.set_result(row)
            return row
        finally:
            del self._opening[request.key]

    async def _open(self, request: Request) -> TransferRow:
        asked = asyncio.get_running_loop().time()
        try:
            call = await self._free_call(request.channel)
        except (PortError, ChannelBusyError):
            found = await self._ports.store.prepare(request)
            if not isinstance(found, TransferRow):
                raise
        else:
            found = await self._begin(request, call, asked)
        await self._adopt(found)
        return found

    async def _free_call(self, channel: str) -> Call:
        if not self.ready:
            raise PortError("no link to the switch yet", retryable=True)
        call = await self._ports.pbx.locate(channel)
        while (busy := self._by_channel.get(call.lead)) is not None:
            if not busy.ending:
                raise ChannelBusyError(busy.id)
            await busy.over.wait()  # the bot has heard of its end, and may ask again at once
        return call

    async def _begin(self, request: Request, call: Call, asked: float) -> TransferRow:
        """The new transfer, or the one that the key belongs to already."""
        transfer_id = TransferId(new_id())
        conductor = self._new_conductor(transfer_id, call)
        self._ports.pbx.watch(transfer_id, call)
        first = FirstTurn(call, self._ports.clock.now(), self._ports.pbx.line, self._ports.word)
        try:
            row = await self._ports.store.open(transfer_id, request, call, first.now, first)
        except BaseException as error:
            self._drop(conductor)
            if isinstance(error, PortError) and error.retryable:
                self._spawn(self._look_again(transfer_id))
            raise
        if row.id != transfer_id:
            self._drop(conductor)
            return row
        conductor.begin(row, first)
        self._start(conductor)
        await orders_leave()
        taken = asyncio.get_running_loop().time() - asked
        await conductor.begun.wait()
        self._ports.observer.decided(e.TransferRequested.__name__, taken)
        log.info("transfer started", transfer=transfer_id, bot=row.bot.id, bot_leg=call.bot is not None)
        return row

    async def _look_again(self, transfer_id: TransferId) -> None:
        """The database did not answer in time: it may have stored the transfer all the same."""
        for _ in range(LOOKS_AGAIN):
            await self._ports.clock.sleep(LOOK_AGAIN_AFTER_S)
            try:
                await self._adopt(await self._ports.store.transfer(transfer_id))
            except UnknownError:
                continue
            except PortError as error:
                log.warning("a transfer may be stored that nobody conducts", error=str(error))
            else:
                return

    async def _adopt(self, row: TransferRow) -> None:
        """Take up a stored transfer that nobody conducts; its phones were never rung."""
        if row.closed or row.id in self._conductors or not self.ready:
            return
        entries = await self._ports.store.journal(row.id)
        try:
            await self._ports.pbx.locate(row.call.lead)
            parties = [party for party in (row.call.lead, row.call.bot) if party is not None]
        except ChannelUnknownError:
            parties = []
        if row.id in self._conductors or row.call.lead in self._by_channel:
            return
        conductor = self._new_conductor(row.id, row.call)
        self._ports.pbx.watch(row.id, row.call)
        conductor.resume(row, entries)
        alive = {party: e.Alive(doing=e.Doing.ANSWERED) for party in parties}
        conductor.post(e.LinkRestored(survey=e.Survey(pbx_started=row.call.pbx_started, alive=alive)))
        self._start(conductor)
        log.warning("a transfer was stored that nobody conducted, it goes on", transfer=row.id)

    async def cancel(self, transfer_id: TransferId, *, follow_up: bool) -> bool:
        """Call a transfer off. False where it is too late. Raises UnknownError."""
        return await self._post_if(transfer_id, UNDECIDED, e.CancelRequested(follow_up=follow_up))

    async def handoff_finished(self, transfer_id: TransferId) -> bool:
        """The bot has spoken. False where no handoff is going on. Raises UnknownError."""
        return await self._post_if(transfer_id, (State.HANDING_OFF,), e.HandoffFinished())

    async def _post_if(self, transfer_id: TransferId, states: tuple[State, ...], event: e.Event) -> bool:
        conductor = self._conductors.get(transfer_id)
        if conductor is None:
            await self._ports.store.transfer(transfer_id)
            return False
        if conductor.state not in states:
            return False
        conductor.post(event)
        return True

    async def phases(self, transfer_id: TransferId, after: int = 0) -> AsyncIterator[Told]:
        """What the bot was told after number `after`, then what comes. Raises UnknownError."""
        conductor = self._conductors.get(transfer_id)
        if conductor is not None:
            narration = conductor.narration
        else:
            entries = await self._ports.store.journal(transfer_id)
            if not entries:
                raise UnknownError("transfer", transfer_id)
            narration = Narration()
            replayed(entries, narration)
        async for told in narration.follow(after):
            yield told

    # --- reports of the switch

    def _report(self, report: Report) -> None:
        match report:
            case LinkUp(survey=survey):
                self._linked = True
                self._console.show_all()
                self._restored(survey)
                self._on_call(report)
            case LinkDown():
                self._linked = False
                for conductor in self._conductors.values():
                    conductor.post(e.LinkLost())
            case TransferAsked():
                self._spawn(self._dialplan.asked(report))
            case HandoffDone(channel=channel):
                self._post(channel, e.HandoffFinished())
            case AgentAsked():
                self._spawn(self._console.asked(report))
            case CallBegan() | CallAnswered() | CallEnded():
                self._on_call(report)
            case _:
                self._post(report.channel, report)

    def _post(self, channel: ChannelId, event: e.Event) -> None:
        conductor = self._by_channel.get(channel)
        if conductor is not None:
            conductor.post(event)

    def _restored(self, survey: e.Survey) -> None:
        channels: dict[TransferId, set[ChannelId]] = {key: set() for key in self._conductors}
        for channel, conductor in self._by_channel.items():
            channels[conductor.id].add(channel)
        for transfer_id, mine in channels.items():
            self._conductors[transfer_id].post(e.LinkRestored(survey=_only(survey, mine)))

    @property
    def busy(self) -> bool:
        """Something is being worked on right now; waiting for the switch or for time is not work."""
        return (
            bool(self._opening)
            or self._console.busy
            or any(conductor.busy for conductor in self._conductors.values())
        )

    # --- conductors

    def _new_conductor(self, transfer_id: TransferId, call: Call) -> Conductor:
        def watch_leg(channel: ChannelId) -> None:
            self._by_channel[channel] = conductor

        conductor = Conductor(transfer_id, call, self._ports, watch_leg)
        self._by_channel[call.lead] = conductor
        if call.bot is not None:
            self._by_channel[call.bot] = conductor
        self._conductors[transfer_id] = conductor
        return conductor

    def _start(self, conductor: Conductor) -> None:
        self._spawn(self._conduct(conductor))

    async def _conduct(self, conductor: Conductor) -> None:
        """A bug in one transfer ends that one only; its journal stays, for the next start."""
        try:
            await conductor.run()
        except Exception:
            log.exception("a transfer broke off", transfer=conductor.id)
        finally:
            self._drop(conductor)

    def _drop(self, conductor: Conductor) -> None:
        conductor.over.set()
        self._ports.pbx.forget(conductor.id)
        self._conductors.pop(conductor.id, None)
        for channel in [key for key, owner in self._by_channel.items() if owner is conductor]:
            del self._by_channel[channel]

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _only(survey: e.Survey, channels: set[ChannelId]) -> e.Survey:
    """What of the survey concerns one transfer."""
    alive = {
        key: e.Alive(doing=found.doing, bridged_with=found.bridged_with & channels)
        for key, found in survey.alive.items()
        if key in channels
    }
    return e.Survey(pbx_started=survey.pbx_started, alive=alive)
