"""Keeps one AMI session after another: log in, survey, report, until it is lost; then again."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from callcontrol.adapters.asterisk.frames import Fields, Frame
from callcontrol.adapters.asterisk.ledger import EVENTS, Ledger
from callcontrol.adapters.asterisk.lines import Lines
from callcontrol.adapters.asterisk.link import AmiLink, Reply
from callcontrol.adapters.asterisk.settings import AsteriskSettings
from callcontrol.adapters.orders import LoginError, RefusedError
from callcontrol.ports import LinkDown, LinkUp, PortError, Report

log = structlog.get_logger(__name__)


class Supervisor:
    """`run` it as a task. Events reach `on_event` in the order of the wire, from a survey on."""

    def __init__(
        self, settings: AsteriskSettings, ledger: Ledger, lines: Lines, on_event: Callable[[Frame], None]
    ) -> None:
        self.pbx_started = ""
        self._settings = settings
        self._ledger = ledger
        self._lines = lines
        self._on_event = on_event
        self._link: AmiLink | None = None  # only while events may flow
        self._early: list[Frame] = []
        self._looked_after = ""  # which start of the switch

    @property
    def linked(self) -> bool:
        return self._link is not None and not self._link.lost.done()

    def act(
        self, name: str, fields: Fields | None = None, *, many: bool = False
    ) -> Coroutine[Any, Any, Reply]:
        """The action leaves now; await its reply. Both raise PortError."""
        if self._link is None:
            raise PortError("no link to the switch", retryable=True)
        return self._link.action(name, fields, many=many)

    async def run(self, report: Callable[[Report], None]) -> None:
        """For ever. A switch that comes back within seconds is found again within two."""
        retry_s = self._settings.first_retry_s
        while True:
            try:
                await self._one_session(report)
                retry_s = wait_s = self._settings.first_retry_s
            except LoginError as error:
                wait_s = retry_s
                if "shutting down" in error.said.lower():
                    log.warning("the switch is shutting down")
                else:
                    wait_s = self._settings.login_retry_s
                    log.error("AMI login refused: compare user and secret with manager.conf", said=error.said)
            except PortError as error:
                wait_s = retry_s
                log.warning("no link to the switch yet", error=str(error))
            await asyncio.sleep(wait_s * random.uniform(0.75, 1.25))  # noqa: S311 - only jitter
            retry_s = min(retry_s * 2, self._settings.last_retry_s)

    async def _one_session(self, report: Callable[[Report], None]) -> None:
        """Returns when a session that had been up is lost. Raises PortError where none came up."""
        self._early = []
        link = AmiLink(self._settings, self._take, EVENTS)
        looking: asyncio.Task[None] | None = None
        try:
            await link.open()
            with self._lines.anew():
                await self._list_phones(link)
            rows = await self._survey(link)
            survey = self._ledger.survey(self.pbx_started, rows)
            self._link = link
            log.info("linked to the switch", pbx_started=survey.pbx_started)
            report(LinkUp(survey=survey))
            for call in self._ledger.others(rows):
                report(call)
            for frame in self._early:
                self._on_event(frame)
            looking = asyncio.create_task(self._look_after_start(link))
            why = await asyncio.shield(link.lost)
            log.warning("link to the switch lost", why=why)
            self._link = None
            report(LinkDown(why=why))
        finally:
            self._link = None
            await link.close()
            if looking is not None:
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)

    async def _survey(self, link: AmiLink) -> Sequence[Frame]:
        status = (await link.action("CoreStatus")).headers
        self.pbx_started = f"{status.get('CoreStartupDate', '')} {status.get('CoreStartupTime', '')}"
        return (await link.action("CoreShowChannels", many=True)).rows

    async def _list_phones(self, link: AmiLink) -> str:
        """What the switch said where it refused."""
        try:
            await link.action("DeviceStateList", many=True)
        except RefusedError as error:
            return error.said
        return ""

    async def _look_after_start(self, link: AmiLink) -> None:
        """A switch lets us in while it still loads its modules, and its phones.

        And then Asterisk takes registered phones for unavailable until it gets round to looking them:
        up to `qualify_frequency` seconds, a minute mostly. So have it do that at once.
        """
        if self._looked_after == self.pbx_started:
            return
        refused = ""
        for pause_s in self._settings.looks_after_start_s:
            await asyncio.sleep(pause_s)
            refused = await self._list_phones(link)
            for endpoint in self._lines.unavailable():
                with contextlib.suppress(RefusedError):  # it is no endpoint any more
                    await link.action("PJSIPQualify", {"Endpoint": endpoint})
        if refused:
            log.error("no telling which phones are in use: see `callcontrol check`", said=refused)
        self._looked_after = self.pbx_started

    def _take(self, frame: Frame) -> None:
        """Before the survey is in, an event waits: the survey may be older or younger."""
        if frame.get("Event") == "DeviceStateChange":
            self._lines.take(frame)
        elif self._link is not None:
            self._on_event(frame)
        else:
            self._early.append(frame)
