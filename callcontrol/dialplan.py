"""What the dialplan asks of us, and what it is told for the time when nobody answers it."""

import uuid
from collections.abc import Awaitable, Callable, Mapping

import structlog

from callcontrol.core import cleaning
from callcontrol.core.model import AgentId, BotId, ChannelId, LeadId, TransferId
from callcontrol.outside import Ports
from callcontrol.ports import (
    ChannelBusyError,
    KeyReusedError,
    NewLead,
    PortError,
    Request,
    TransferAsked,
    TransferRow,
    UnknownError,
)

log = structlog.get_logger(__name__)

PUBLISH_EVERY_S = 60.0
SUMMARY_LIMIT = 2000  # characters


class Dialplan:
    def __init__(
        self,
        ports: Ports,
        *,
        request: Callable[[Request], Awaitable[TransferRow]],
        linked: Callable[[], bool],
    ) -> None:
        self._ports = ports
        self._request = request
        self._linked = linked

    async def asked(self, asked: TransferAsked) -> None:
        """A request from the dialplan; its channel waits for the answer."""
        try:
            row = await self._request(_request(asked))
        except (UnknownError, ChannelBusyError, KeyReusedError, PortError) as error:
            log.warning("a request from the dialplan was refused", error=str(error))
            await self._acknowledge(asked.channel, None, str(error))
        else:
            await self._acknowledge(asked.channel, row.id, "")

    async def _acknowledge(self, channel: ChannelId, transfer_id: TransferId | None, why: str) -> None:
        try:
            await self._ports.pbx.acknowledge(channel, transfer_id, why)
        except PortError as error:
            log.warning("the dialplan could not be answered", error=str(error))

    async def publish(self) -> None:
        """Until cancelled: keep the switch knowing whom to ring without us."""
        while True:
            if self._linked():
                try:
                    for bot in await self._ports.store.bots():
                        endpoints = [fallback.endpoint for fallback in bot.fallbacks]
                        await self._ports.pbx.publish_fallbacks(bot.id, endpoints)
                except PortError as error:
                    log.warning("fallback numbers not published", error=str(error))
            await self._ports.clock.sleep(PUBLISH_EVERY_S if self._linked() else 1.0)


def _request(asked: TransferAsked) -> Request:
    lead = LeadId(asked.lead_id) if asked.lead_id else _new_lead(asked.lead)
    return Request(
        bot_id=BotId(asked.bot_id),
        lead=lead,
        channel=asked.channel,
        summary=cleaning.line(asked.summary, SUMMARY_LIMIT),
        key=asked.key or str(uuid.uuid4()),
    )


def _new_lead(fields: Mapping[str, str]) -> NewLead:
    return NewLead(
        name=cleaning.line(fields.get("name", "")),
        phone=cleaning.number(fields.get("phone", "")),
        email=cleaning.line(fields.get("email", "")),
        source=cleaning.line(fields.get("source", "")),
        assigned_agent_id=AgentId(fields["assigned_agent_id"]) if fields.get("assigned_agent_id") else None,
    )
