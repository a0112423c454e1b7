"""The daemon: switchboard, outbox, call backs, API and watchdog in one process, until it is told to stop."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

import structlog

from callcontrol.adapters.simulated import SimulatedPbx
from callcontrol.api.factory import create_api
from callcontrol.api.gate import Token
from callcontrol.api.metrics import Metrics
from callcontrol.api.service import Service
from callcontrol.app import heap, storage
from callcontrol.app.clock import SystemClock
from callcontrol.app.compose import Adapters, adapters
from callcontrol.app.errors import StartError
from callcontrol.app.gateways import report_secrets
from callcontrol.app.health import Pulse
from callcontrol.app.own_agents import take_agents_over
from callcontrol.app.systemd import Notifier
from callcontrol.app.web import WebServer, listen
from callcontrol.callbacks import CallBacks
from callcontrol.config import Access, Config
from callcontrol.outbox import Outbox
from callcontrol.ports import PortError
from callcontrol.retention import Retention
from callcontrol.switchboard import Switchboard

log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 0.2
_CLOCK_STEP_S = 2.0


async def serve(config: Config, *, on_listening: Callable[[str, int], None] = lambda _h, _p: None) -> None:
    """Until SIGTERM or SIGINT. Transfers that are live then are left to the next start.

    `on_listening` is told where the API listens. Raises StartError.
    """
    listening = _listen(config)
    with contextlib.closing(listening):
        parts = adapters(config)
        try:
            await _ensure_schema(parts)
            on_listening(*listening.getsockname()[:2])
            await _run(config, parts, listening)
        finally:
            await parts.close()


def _listen(config: Config) -> socket.socket:
    try:
        return listen(config.api.host, config.api.port)
    except OSError as error:
        where = f"{config.api.host} port {config.api.port}"
        raise StartError(
            f"the API can't listen on {where}: {error.strerror}; is callcontrol running already?", away=False
        ) from None


async def _ensure_schema(parts: Adapters) -> None:
    try:
        for remark in await parts.store.ensure_schema():
            log.warning("the site's own tables", remark=remark)
    except PortError as error:
        raise StartError(str(error), away=error.retryable) from None


async def _run(config: Config, parts: Adapters, listening: socket.socket) -> None:
    outbox = Outbox(
        store=parts.store,
        lanes=parts.lanes,
        routes=parts.routes,
        clock=parts.clock,
        deciding=lambda: switchboard.deciding,
    )
    call_backs = CallBacks(
        pbx=parts.pbx,
        store=parts.store,
        clock=parts.clock,
        rules=storage.task_rules(config),
        plan=storage.number_plan(config),
        zone=config.tasks.zone,
        word=config.texts.wording(),
        on_text=outbox.wake,
    )

    def wake() -> None:
        outbox.wake()
        call_backs.wake()

    metrics = Metrics()
    switchboard = Switchboard(
        pbx=parts.pbx,
        store=parts.store,
        speech=parts.speech,
        clock=parts.clock,
        word=config.texts.wording(),
        on_outcome=wake,
        on_phase=outbox.wake if config.webhooks else lambda: None,
        on_call=call_backs.report,
        observer=metrics,
    )
    service = Service(
        transfers=switchboard,
        store=parts.store,
        linked=lambda: parts.pbx.linked,
        lines=parts.pbx.line,
        now=parts.clock.now,
        metrics=metrics,
        wake_outbox=outbox.wake,
        reporters={lane.name: lane.gateway for lane in parts.lanes},
        report_secrets=report_secrets(config.sms),
    )
    web = WebServer(create_api(service, tokens(config)), listening)
    days = config.retention.days
    retention = days and Retention(store=parts.store, speech=parts.speech, clock=parts.clock, days=days)
    pulse = Pulse(parts.store, lambda: parts.pbx.linked)
    notifier = Notifier()
    _offer_simulated_call(parts)
    heap.settle()
    with _stop_signals() as stop:
        async with asyncio.TaskGroup() as group:
            for_life = [
                group.create_task(switchboard.run()),
                group.create_task(outbox.run()),
                group.create_task(call_backs.run()),
                group.create_task(pulse.run()),
                *_taking_agents_over(config, parts, group),
                group.create_task(_tell_when_ready(switchboard, notifier)),
                group.create_task(notifier.feed(pulse.healthy)),
                *([group.create_task(retention.run())] if retention else []),
                group.create_task(_keep_time(parts.clock, switchboard)),
            ]
            serving = group.create_task(web.run_until(stop))
            await stop.wait()
            log.info("stopping", transfers_left_to_the_next_start=switchboard.live)
            notifier.stopping()
            service.closing.set()
            await serving  # no request is taken any more, those in hand are answered
            for task in for_life:
                task.cancel()


def _taking_agents_over(
    config: Config, parts: Adapters, group: asyncio.TaskGroup
) -> Iterator[asyncio.Task[None]]:
    if config.own_tables is not None and config.own_tables.agents is not None:
        every_s = config.own_tables.agents_every_s
        yield group.create_task(take_agents_over(parts.store.synchronise, every_s))


def tokens(config: Config) -> list[Token]:
    return [
        Token.of(token.name, token.secret.get_secret_value(), read_only=token.access is Access.READ)
        for token in config.api.tokens
    ]


async def _tell_when_ready(switchboard: Switchboard, notifier: Notifier) -> None:
    notifier.status("waiting for the PBX")
    while not switchboard.ready:  # noqa: ASYNC110 - a property, that nobody else need know of
        await asyncio.sleep(_LOOK_EVERY_S)
    notifier.ready()
    log.info("ready")


async def _keep_time(clock: SystemClock, switchboard: Switchboard) -> None:
    """A step of the system's clock is taken over when no transfer is being timed."""
    while True:
        await asyncio.sleep(1.0)
        if abs(clock.behind_s) > _CLOCK_STEP_S and switchboard.live == 0:
            log.warning("the system's clock was stepped", by_s=round(clock.behind_s, 1))
            clock.settle()


def _offer_simulated_call(parts: Adapters) -> None:
    if isinstance(parts.pbx, SimulatedPbx):
        call = parts.pbx.call()
        log.info("simulated switch: a lead is talking with a bot", channel=call.lead)


@contextlib.contextmanager
def _stop_signals() -> Iterator[asyncio.Event]:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
