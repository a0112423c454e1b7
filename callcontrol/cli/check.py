"""`check`: everything a transfer needs, a line each, and what to do where it is not so."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import typer

from callcontrol.app import compose, configure_logs
from callcontrol.cli import output
from callcontrol.cli.common import ConfigOption, Exit, JsonOption, become_owner, load_config
from callcontrol.config import Config
from callcontrol.core.model import Agent, Bot
from callcontrol.ports import Finding, MessageState, Pbx, PortError, Which
from callcontrol.wording import troubles

LINK_WITHIN_S = 6.0
CHECK_WITHIN_S = 30.0
MOST_PARKED = 1000
_MOST_TROUBLES = 5

_PARKED = Which(states=(MessageState.PARKED,))


def check(config: ConfigOption, json: JsonOption = False) -> None:
    """Check configuration, database, PBX and every agent's phone. Exit code 1 where something is wrong."""
    settings = load_config(config)
    configure_logs(level="critical", as_json=False, pii=False)
    become_owner(settings.state_directory)
    findings = [Finding(subject="configuration", ok=True, detail=str(config))]
    findings += _files(settings)
    findings += asyncio.run(_outside(settings))
    if json:
        output.as_json(
            [{"subject": f.subject, "ok": f.ok, "detail": f.detail, "remedy": f.remedy} for f in findings]
        )
    else:
        output.out.print(output.finding_table(findings))
    if not all(found.ok for found in findings):
        raise typer.Exit(Exit.FAILED)


def _files(config: Config) -> Iterable[Finding]:
    state = config.state_directory
    writable = os.access(_nearest(state), os.W_OK)
    yield Finding(
        subject="state directory",
        ok=writable,
        detail=str(state),
        remedy="" if writable else f"make {state} and give it to the user that runs callcontrol",
    )
    for command in (config.speech.command, config.speech.convert) if config.speech else ():
        found = shutil.which(command[0])
        yield Finding(
            subject=f"speech command {command[0]}",
            ok=found is not None,
            detail=found or "",
            remedy="" if found else f"install {command[0]}, or take the section `speech` out",
        )


def _nearest(path: Path) -> Path:
    """The path, or the first folder above it that there is."""
    return next(place for place in (path, *path.parents) if place.exists())


async def _outside(config: Config) -> list[Finding]:
    parts = compose.adapters(config)
    try:
        findings = list(await parts.store.check())
        agents: list[Agent] = []
        if all(found.ok for found in findings):
            agents = list(await parts.store.agents())
            bots = list(await parts.store.bots())
            findings += [*_directory(bots), *_texts(config, bots), *_webhooks(config)]
            findings.append(_outbox(len(await parts.store.messages(_PARKED, MOST_PARKED))))
        async with _linked(parts.pbx):
            findings += await _pbx(parts.pbx, agents)
    except PortError as error:
        findings.append(Finding(subject="database", ok=False, detail=str(error), remedy="see above"))
    finally:
        await parts.close()
    return findings


def _outbox(parked: int) -> Finding:
    if not parked:
        return Finding(subject="outbox", ok=True, detail="nothing is parked")
    count = f"{parked} or more" if parked == MOST_PARKED else str(parked)
    remedy = "see callcontrol outbox list --state parked, then retry or discard them"
    return Finding(subject="outbox", ok=False, detail=f"parked for a person: {count}", remedy=remedy)


def _directory(bots: list[Bot]) -> Iterable[Finding]:
    if not bots:
        remedy = "run callcontrol apply config/directory.yaml"
        yield Finding(subject="directory", ok=False, detail="no bots yet", remedy=remedy)
    for bot in bots:
        told = bot.on_missed.create_task or bot.on_missed.notifies
        yield Finding(
            subject=f"bot {bot.id}: a missed lead is told to someone",
            ok=told,
            remedy="" if told else "set create_task, or one of notify_..., in the bot's on_missed",
        )
        if not bot.fallbacks:
            yield Finding(
                subject=f"bot {bot.id}: fallback numbers",
                ok=True,
                detail="none: with nobody available, or without the daemon, every lead is missed",
            )


def _texts(config: Config, bots: list[Bot]) -> Iterable[Finding]:
    """Every text is worded for leads that mean no good."""
    with_own = [bot for bot in bots if bot.id in config.texts.bots]
    others = [bot for bot in bots if bot.id not in config.texts.bots][:1]  # they share their words
    wrong = troubles(config.texts.wording(), with_own + others, segments=config.texts.segments)
    yield Finding(
        subject="texts",
        ok=not wrong,
        detail="; ".join(wrong[:_MOST_TROUBLES]),
        remedy="correct the template in `texts`; callcontrol texts preview shows it" if wrong else "",
    )
    for bot in sorted(config.texts.bots.keys() - {bot.id for bot in bots}):
        hint = f"the directory has no bot {bot!r}; correct its name in `texts.bots`, or take it out"
        yield Finding(subject=f"texts of bot {bot}", ok=False, remedy=hint)


def _webhooks(config: Config) -> Iterable[Finding]:
    for webhook in config.webhooks:
        bare = webhook.in_clear and webhook.pii
        yield Finding(
            subject=f"webhook {webhook.name}",
            ok=not bare,
            detail="personal data would go over the network in clear" if bare else webhook.host,
            remedy="write https:// in its url, or pii: no" if bare else "",
        )


@contextlib.asynccontextmanager
async def _linked(pbx: Pbx) -> AsyncIterator[None]:
    """With the link up, if it comes up at all; the PBX's own check says why where it does not."""
    running = asyncio.ensure_future(pbx.run(lambda _report: None))
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINK_WITHIN_S):
                while not pbx.linked and not running.done():  # noqa: ASYNC110 - a property of a port
                    await asyncio.sleep(0.05)
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _pbx(pbx: Pbx, agents: list[Agent]) -> list[Finding]:
    try:
        async with asyncio.timeout(CHECK_WITHIN_S):
            return list(await pbx.check(agents))
    except (PortError, TimeoutError) as error:
        detail = str(error) or f"no answer for {CHECK_WITHIN_S:g} s"
        return [Finding(subject="PBX", ok=False, detail=detail, remedy="start it; see dialplan/README.md")]
