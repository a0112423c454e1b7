"""The database from the configuration, and what goes with it: all that most commands need."""

from collections.abc import Callable
from functools import partial

from callcontrol.adapters.speech.command import CommandSpeech, SpeechSettings
from callcontrol.adapters.sql import SqlStore
from callcontrol.adapters.sql.own_tables import OwnTables
from callcontrol.adapters.sql.rulebook import Matching
from callcontrol.config import Config, ConfigError, Problem
from callcontrol.core.escalation import QuietHours, TaskRules
from callcontrol.core.rules import Matcher
from callcontrol.numbers import NumberPlan
from callcontrol.ports import Speech, Subscription


def make_folders(config: Config) -> None:
    """Those that callcontrol writes into. Others may look into the first: the PBX plays sounds there."""
    if not config.state_directory.exists():
        config.state_directory.mkdir(parents=True)
        config.state_directory.chmod(0o755)
    if config.database_file is not None:
        config.database_file.parent.mkdir(parents=True, exist_ok=True)


def store(config: Config, on_read: Callable[[], None] = lambda: None) -> SqlStore:
    """Nothing is opened yet. Raises ConfigError for queries of the site's own that can't be asked."""
    make_folders(config)
    made = partial(
        SqlStore,
        config.database_url,
        subscriptions=subscriptions(config),
        task_rules=task_rules(config),
        on_read=on_read,
    )
    given = config.own_tables
    if given is None:
        return made()
    own = OwnTables(
        url=given.url.get_secret_value(),
        lead=given.lead or "",
        availability=given.availability or "",
        agents=given.agents or "",
    )
    try:
        return made(own=own)
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


def matcher() -> Matcher:
    """Regular expressions as the store tries them, bounded in time."""
    return Matching()


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
