"""The real adapters, made from the configuration."""

import ssl
from pathlib import Path
from typing import NamedTuple

from callcontrol.adapters.asterisk import AsteriskPbx, AsteriskSettings
from callcontrol.adapters.freeswitch import FreeswitchPbx, FreeswitchSettings
from callcontrol.adapters.simulated import SimulatedPbx
from callcontrol.adapters.sql import SqlStore
from callcontrol.adapters.web import Web
from callcontrol.adapters.webhook import WebhookGateway
from callcontrol.app import gateways, heap, storage
from callcontrol.app.clock import SystemClock
from callcontrol.config import Asterisk, Config, Freeswitch, PbxKind
from callcontrol.outbox import Lane, Limits, Routes
from callcontrol.ports import Clock, Pbx, Speech


def webhooks(config: Config) -> tuple[Lane, ...]:
    """A lane for each endpoint: one that is away keeps no other waiting."""
    return tuple(
        Lane(
            f"webhook:{webhook.name}",
            WebhookGateway(webhook.url, webhook.secret.get_secret_value(), Web(answer_s=webhook.timeout_s)),
            Limits(timeout_s=webhook.timeout_s + 10.0),  # with time for the connection
        )
        for webhook in config.webhooks
    )


def pbx(config: Config, clock: Clock) -> Pbx:
    if config.pbx is PbxKind.ASTERISK and config.asterisk is not None:
        return AsteriskPbx(_asterisk(config.asterisk, sends_messages=config.sms.sends_sip_messages))
    if config.pbx is PbxKind.FREESWITCH and config.freeswitch is not None:
        return FreeswitchPbx(_freeswitch(config.freeswitch))
    return SimulatedPbx(clock=clock, started=clock.now().isoformat())


def _asterisk(given: Asterisk, *, sends_messages: bool) -> AsteriskSettings:
    return AsteriskSettings(
        username=given.username,
        secret=given.secret.get_secret_value(),
        host=given.host,
        port=given.port,
        tls=_tls(given.tls.ca_file) if given.tls else None,
        extension_dial=given.dial.extension,
        number_dial=given.dial.number,
        alert_info=given.alert_info or "",
        outside_caller_number=given.outside_caller_number or "",
        sends_messages=sends_messages,
    )


def _freeswitch(given: Freeswitch) -> FreeswitchSettings:
    return FreeswitchSettings(
        username=given.username or "",
        secret=given.secret.get_secret_value(),
        host=given.host,
        port=given.port,
        domain=given.domain or "",
        extension_dial=given.dial.extension,
        number_dial=given.dial.number,
        alert_info=given.alert_info or "",
        outside_caller_number=given.outside_caller_number or "",
    )


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    """The peer's certificate is checked, against its host name too."""
    return ssl.create_default_context(cafile=ca_file)


class Adapters(NamedTuple):
    """Everything that stands between the decisions and the world."""

    clock: SystemClock
    store: SqlStore
    pbx: Pbx
    speech: Speech | None
    lanes: tuple[Lane, ...]
    routes: Routes

    async def close(self) -> None:
        for lane in self.lanes:
            await lane.gateway.close()
        await self.store.close()


def adapters(config: Config) -> Adapters:
    clock = SystemClock()
    database, switch = storage.store(config, heap.settle), pbx(config, clock)
    return Adapters(
        clock=clock,
        store=database,
        pbx=switch,
        speech=storage.speech(config),
        lanes=(*gateways.lanes(config, switch, database), *webhooks(config)),
        routes=gateways.routes(config.sms),
    )
