"""The real adapters, made from the configuration."""

import ssl
from pathlib import Path
from typing import NamedTuple

from callcontrol.adapters.asterisk import AsteriskPbx, AsteriskSettings
from callcontrol.adapters.freeswitch import FreeswitchPbx, FreeswitchSettings
from callcontrol.adapters.simulated import SimulatedPbx
from callcontrol.adapters.speech.command import CommandSpeech, SpeechSettings
from callcontrol.adapters.sql import SqlStore
from callcontrol.adapters.sql.own_tables import OwnTables
from callcontrol.adapters.sql.rulebook import Matching
from callcontrol.adapters.web import Web
from callcontrol.adapters.webhook import WebhookGateway
from callcontrol.app import gateways
from callcontrol.app.clock import SystemClock
from callcontrol.config import Asterisk, Config, ConfigError, Freeswitch, PbxKind, Problem
from callcontrol.core.escalation import QuietHours, TaskRules
from callcontrol.core.rules import Matcher
from callcontrol.numbers import NumberPlan
from callcontrol.outbox import Lane, Limits, Routes
from callcontrol.ports import Clock, Pbx, Speech, Subscription


def make_folders(config: Config) -> None:
    """Those that callcontrol writes into. Others may look into the first: the PBX plays sounds there."""
    if not config.state_directory.exists():
        config.state_directory.mkdir(parents=True)
        config.state_directory.chmod(0o755)
    if config.database_file is not None:
        config.database_file.parent.mkdir(parents=True, exist_ok=True)


def store(config: Config) -> SqlStore:
    """Nothing is opened yet. Raises ConfigError for queries of the site's own that can't be asked."""
    make_folders(config)
    given = config.own_tables
    if given is None:
        return SqlStore(
            config.database_url, subscriptions=subscriptions(config), task_rules=task_rules(config)
        )
    own = OwnTables(
        url=given.url.get_secret_value(),
        lead=given.lead or "",
        availability=given.availability or "",
        agents=given.agents or "",
    )
    try:
        return SqlStore(
            config.database_url,
            own=own,
            subscriptions=subscriptions(config),
            task_rules=task_rules(config),
        )
    except ValueError as error:
        problem = Problem(file="the configuration", line=None, key="own_tables", what=str(error))
        raise ConfigError([problem]) from None


def task_rules(config: Config) -> TaskRules:
    given = config.tasks
    start, end = given.quiet_hours
    return TaskRules(
        due_s=given.due_minutes * 60,
        again_s=given.escalation.again_minutes * 60,
        at_most=given.escalation.at_most,
        quiet=QuietHours(start_min=start, end_min=end),
        shortest_talk_s=given.shortest_talk_s,
    )


def number_plan(config: Config) -> NumberPlan:
    return NumberPlan(region=config.tasks.region, trunk_prefixes=config.tasks.trunk_prefixes)


def subscriptions(config: Config) -> tuple[Subscription, ...]:
    return tuple(
        Subscription(endpoint=webhook.name, events=webhook.wanted(), pii=webhook.pii)
        for webhook in config.webhooks
    )


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


def matcher() -> Matcher:
    """Regular expressions as the store tries them, bounded in time."""
    return Matching()


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


def speech(config: Config) -> Speech | None:
    if config.speech is None:
        return None
    return CommandSpeech(
        SpeechSettings(
            command=config.speech.command,
            convert=config.speech.convert,
            directory=config.written(config.speech.directory),
            directory_on_pbx=config.speech.directory_on_pbx,
            timeout_s=config.speech.timeout_s,
        )
    )


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
    database, switch = store(config), pbx(config, clock)
    return Adapters(
        clock=clock,
        store=database,
        pbx=switch,
        speech=speech(config),
        lanes=(*gateways.lanes(config, switch, database), *webhooks(config)),
        routes=gateways.routes(config.sms),
    )
