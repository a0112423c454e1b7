"""The contenders: ways to have the lead of a live call talk to an agent."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.lab import Lab
from tests.lab.bench.client import Client
from tests.lab.site import SUMMARY

SPEAKS_S = 1.0  # the bot, from when it has asked: the phone has been answered by then
ASKS_AGAIN_S = 0.25


@dataclass(frozen=True)
class Asked:
    at: float  # seconds since the epoch
    transfer: str = ""


@dataclass(frozen=True)
class Way:
    """`ask` for phone number n to be rung for a lead's channel; `finish` what was asked."""

    name: str
    ask: Callable[[str, int], Awaitable[Asked]]
    finish: Callable[[Asked], Awaitable[None]] | None = None


def over_http(name: str, client: Client, *, bot: str = "bench", lead_id: str = "") -> Way:
    """The bot's POST."""

    async def ask(lead: str, n: int) -> Asked:
        who = lead_id or f"l{n:03d}"
        body = {"bot": bot, "channel": lead, "lead_id": who, "summary": SUMMARY}
        answer = await client.post("/v1/transfers", body)
        if answer.status != 202:
            raise RuntimeError(f"refused: {answer.body}")
        return Asked(answer.sent_at, answer.body["id"])

    async def finish(asked: Asked) -> None:
        """The bot has introduced the agent, who was there or comes in a moment."""
        await asyncio.sleep(SPEAKS_S)
        for _ in range(20):
            answer = await client.post(f"/v1/transfers/{asked.transfer}/handoff-finished")
            if answer.status == 202:
                return
            await asyncio.sleep(ASKS_AGAIN_S)

    return Way(name, ask, finish)


def by_redirect(name: str, lab: Lab, context: str, letter: str) -> Way:
    """AMI's Redirect or uuid_transfer: how a program outside brings a lead to an application of the dialplan."""

    async def ask(lead: str, n: int) -> Asked:
        at = time.time()
        exten = f"{letter}{n:03d}"
        await lab.switch.redirect(lead, context, exten)
        return Asked(at)

    return Way(name, ask)
