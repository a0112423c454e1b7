"""Keeps one ESL session after another: log in, survey, report, until it is lost; then again."""

import asyncio
import json
import random
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence

import structlog

from callcontrol.adapters.freeswitch.causes import UNTOLD
from callcontrol.adapters.freeswitch.following import torn
from callcontrol.adapters.freeswitch.frames import Event, Row
from callcontrol.adapters.freeswitch.ledger import EVENTS, Ledger
from callcontrol.adapters.freeswitch.lines import Lines, users
from callcontrol.adapters.freeswitch.link import EslLink
from callcontrol.adapters.freeswitch.settings import FreeswitchSettings
from callcontrol.adapters.orders import LoginError, RefusedError
from callcontrol.core.events import Survey
from callcontrol.core.model import ChannelId
from callcontrol.ports import LinkDown, LinkUp, PortError, Report

log = structlog.get_logger(__name__)

LISTING_TIMEOUT_S = 15.0
LISTED_AGAIN, LISTED_AGAIN_S = 3, 0.1  # its database is up to 200 ms behind
_DOMAIN = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")


class Supervisor:
    """`run` it as a task. Events reach `on_event` in the order of the wire, from a survey on."""

    def __init__(
        self,
        settings: FreeswitchSettings,
        ledger: Ledger,
        lines: Lines,
        on_event: Callable[[Event], None],
    ) -> None:
        self.pbx_started = ""
        self._settings = settings
        self._ledger = ledger
        self._lines = lines
        self._on_event = on_event
        self._link: EslLink | None = None  # only while events may flow
        self._early: list[Event] = []

    @property
    def linked(self) -> bool:
        return self._link is not None and not self._link.lost.done()

    @property
    def _standing(self) -> EslLink:
        if self._link is None:
            raise PortError("no link to the switch", retryable=True)
        return self._link

    async def api(self, *words: str) -> str:
        """Raises PortError."""
        return await self._standing.api(*words)

    async def bgapi(self, job_id: str, *words: str) -> None:
        await self._standing.bgapi(job_id, *words)

    async def send_event(self, name: str, headers: Mapping[str, str], body: str = "") -> None:
        await self._standing.send_event(name, headers, body)

    async def show(self, what: str) -> list[Row]:
        return await show(self._standing, what)

    async def run(self, report: Callable[[Report], None]) -> None:
        """For ever. A switch that comes back within seconds is found again within two."""
        retry_s = self._settings.first_retry_s
        while True:
            try:
                await self._one_session(report)
                retry_s = wait_s = self._settings.first_retry_s
            except LoginError as error:
                wait_s = self._settings.login_retry_s
                log.error("ESL login refused: compare user and secret with the switch's", said=error.args[0])
            except RefusedError as error:
                wait_s = self._settings.login_retry_s
                log.error("a right is missing on the event socket: see `callcontrol check`", error=str(error))
            except PortError as error:
                wait_s = retry_s
                log.warning("no link to the switch yet", error=str(error))
            await asyncio.sleep(wait_s * random.uniform(0.75, 1.25))  # noqa: S311 - only jitter
            retry_s = min(retry_s * 2, self._settings.last_retry_s)

    async def _one_session(self, report: Callable[[Report], None]) -> None:
        """Returns when a session that had been up is lost. Raises PortError where none came up."""
        self._early = []
        link = EslLink(self._settings, self._take, self._ledger.in_haste)
        try:
            await link.open(EVENTS)
            listed, gone = await _listed(link)
            survey = await self._survey(link, [row for row in listed if row.get("uuid") not in gone])
            self._link = link
            log.info("linked to the switch", pbx_started=survey.pbx_started)
            report(LinkUp(survey=survey))
            for call in self._ledger.others(listed, gone, time.time()):
                report(call)
            for event in self._early:
                self._on_event(event)
            self._early = []
            looking = asyncio.create_task(self._look_again(link))
            try:
                why = await asyncio.shield(link.lost)
            finally:
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)
            log.warning("link to the switch lost", why=why)
            self._link = None
            report(LinkDown(why=why))
        finally:
            self._link = None
            await link.close()

    async def _look_again(self, link: EslLink) -> None:
        """For ever. What was listed may have been a moment old; and as several threads of the switch tell of one
        channel, that it is up may be told after its end. A phone would be taken for away, or for busy, and never rung.
        """
        wait_s = self._settings.told_within_s
        while True:
            await asyncio.sleep(wait_s)
            wait_s = self._settings.look_again_s
            try:
                self._lines.are_registered(await show(link, "registrations"))
                await self._find_the_gone(link)
            except PortError as error:
                log.warning("what is known of phones and channels may be old", error=str(error))
            except Exception:
                log.exception("looking again at phones and channels broke")

    async def _find_the_gone(self, link: EslLink) -> None:
        """An event may be on its way, that tells of the end of a channel, or of its making."""
        if gone := await _missing(link, self._held):
            await asyncio.sleep(self._settings.told_within_s)
            for channel in await _missing(link, gone & self._held):
                log.warning("a channel has ended, and nothing had told so", channel=channel)
                self._take({"Event-Name": "CHANNEL_HANGUP", "Unique-ID": channel, "Hangup-Cause": UNTOLD})

    @property
    def _held(self) -> set[str]:
        return {*self._lines.channels, *self._ledger.tracked, *self._ledger.following.channels}

    async def channels(self) -> tuple[Sequence[Row], set[str]]:
        """Those that are listed, and which of them are gone. Raises PortError."""
        return await _listed(self._standing)

    async def _survey(self, link: EslLink, rows: list[Row]) -> Survey:
        self.pbx_started = await link.api("global_getvar", "core_uuid")
        registrations = await show(link, "registrations")
        there = {row.get("uuid") for row in rows}
        for channel in self._ledger.tracked:
            if channel not in there and (late := await _not_listed_yet(link, channel)) is not None:
                rows.append(late)
                there.add(channel)
        pairs = [
            pair
            for pair in await show(link, "bridged_calls")
            if {pair.get("uuid"), pair.get("b_uuid")} <= there
        ]
        self._lines.begin(registrations, rows, await list_users(link, self._lines.domain))
        for event in self._early:
            self._lines.take(event)
        return self._ledger.survey(self.pbx_started, rows, pairs)

    def _take(self, event: Event) -> None:
        """Before the survey is in, an event waits: the survey may be older or younger."""
        self._lines.take(event)
        if self._link is not None:
            self._on_event(event)
        else:
            self._early.append(event)


async def list_users(link: EslLink, domain: str) -> dict[str, bool] | None:
    """As `lines.users`; `domain` may be empty for the switch's own. None where it can't be told."""
    try:
        domain = domain or await link.api("global_getvar", "domain")
        if not _DOMAIN.fullmatch(domain):
            return None
        where = ("xml_locate", "directory", "domain", "name", domain)
        return users(await link.api(*where, timeout_s=LISTING_TIMEOUT_S))
    except RefusedError as error:
        log.warning("no telling which phones there are", said=error.said)
        return None


async def show(link: EslLink, what: str) -> list[Row]:
    said = await link.api("show", what, "as", "json", timeout_s=LISTING_TIMEOUT_S)
    try:
        rows = json.loads(said).get("rows", [])
    except (ValueError, AttributeError):
        raise PortError(f"the switch does not list its {what}", retryable=True) from None
    return [row for row in rows if isinstance(row, dict)]


async def _listed(link: EslLink) -> tuple[list[Row], set[str]]:
    """The channels, and which of them are gone: the switch lists from a database that is a moment behind, and
    of what has gone before us no event tells.
    """
    rows = await show(link, "channels")
    for _ in range(LISTED_AGAIN):
        if not torn(rows):
            break
        await asyncio.sleep(LISTED_AGAIN_S)
        rows = await show(link, "channels")
    channels = [row.get("uuid", "") for row in rows]
    asked = [link.api("uuid_exists", channel, timeout_s=LISTING_TIMEOUT_S) for channel in channels]
    told = zip(channels, await asyncio.gather(*asked), strict=True)
    return rows, {channel for channel, said in told if said != "true"}


async def _missing(link: EslLink, channels: Collection[str]) -> set[str]:
    """Asked one after the other: nobody else's order has to wait for more than one answer."""
    return {channel for channel in channels if await link.api("uuid_exists", channel) != "true"}


async def _not_listed_yet(link: EslLink, channel: ChannelId) -> Row | None:
    """What is about to be taken for gone is asked for: the same database may not know it yet."""
    if await link.api("uuid_exists", channel) != "true":
        return None
    try:
        names = {"context": "context", "dest": "destination_number", "answered": "answer_epoch"}
        row = {key: await link.api("uuid_getvar", channel, name) for key, name in names.items()}
    except RefusedError:
        return None
    return {**row, "uuid": channel, "callstate": "ACTIVE" if row["answered"].strip("0_undef") else "RINGING"}
