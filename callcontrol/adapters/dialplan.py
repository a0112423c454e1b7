"""What our dialplan is on either switch, and what may go into it. dialplan/README.md is the contract."""

import asyncio
import contextlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import structlog

from callcontrol.core.events import Why
from callcontrol.core.model import BotId, ChannelId
from callcontrol.ports import AgentAsked, AgentWish, PortError

log = structlog.get_logger(__name__)

HOLD_CONTEXTS = ("callcontrol-lead", "callcontrol-transfer", "callcontrol-bot-gone")
HELD = (("callcontrol-lead", "hold"), ("callcontrol-lead", "join"))
FAREWELL = {  # extensions of callcontrol-bye
    Why.ANSWERED_ELSEWHERE: "taken",
    Why.TAKEN: "taken",
    Why.LEAD_HUNG_UP: "lead-gone",
    Why.CANCELLED: "called-off",
    Why.JOIN_FAILED: "failed",
    Why.NO_CONSENT: "expired",
    Why.RING_TIMEOUT: "expired",
    Why.UNREACHABLE: "expired",
}
NO_MISSED_CALL = (Why.ANSWERED_ELSEWHERE, Why.TAKEN)
RUNNING_WITHIN_S = 0.3  # from picked up to the first line of our dialplan
MAX_REST_MIN = 480
MAX_FALLBACKS = 9  # extensions of callcontrol-fallback-leg
MAX_STRINGS = 900  # characters of them all: they travel in one field

_GOTO = re.compile(r"([A-Za-z0-9_.-]{1,79}),([A-Za-z0-9_+*#.-]{1,79}),([A-Za-z0-9_]{1,30})")
_SOUND = re.compile(r"/[A-Za-z0-9_./+-]{1,400}")
_BOT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


async def comes_to_run(running: asyncio.Event) -> None:
    """A leg that has been answered comes to our dialplan a moment later, and can be moved from then on."""
    if not running.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RUNNING_WITHIN_S):
                await running.wait()


def place(goto: str) -> tuple[str, str, str]:
    """Context, extension and priority. Raises PortError for what is no such place."""
    found = _GOTO.fullmatch(goto)
    if found is None:
        raise PortError(f"{goto!r} is no context,extension,priority", retryable=False)
    return found[1], found[2], found[3]


def playable(sound: Path) -> str:
    """Raises PortError for a path that could be more than one file."""
    text = str(sound)
    if not _SOUND.fullmatch(text) or ".." in sound.parts:
        raise PortError(
            f"{text!r} can't be played: use letters, digits and ._+- in its path", retryable=False
        )
    return text


def fallbacks(bot_id: BotId, dial_strings: Iterable[str]) -> list[str]:
    """As many as fit, each once. Raises PortError for an id that can't be part of a name."""
    if not _BOT_ID.fullmatch(bot_id):
        raise PortError(f"{bot_id!r} is no bot id the dialplan can use", retryable=False)
    strings = list(dict.fromkeys(dial_strings))
    kept = strings[:MAX_FALLBACKS]
    while len("&".join(kept)) > MAX_STRINGS:
        kept.pop()
    if len(kept) < len(strings):
        log.warning("not every fallback number fits into the switch", bot=bot_id, left=len(kept))
    return kept


def agents_wish(channel: ChannelId, address: str, wish: str, minutes: str) -> Iterator[AgentAsked]:
    """A wish that is none stays without an answer, and the phone says so."""
    rest_min = int(minutes) if minutes.isdecimal() and len(minutes) <= 3 else 0
    if wish not in tuple(AgentWish) or (wish == AgentWish.REST and not 1 <= rest_min <= MAX_REST_MIN):
        return
    yield AgentAsked(
        channel=channel,
        address=address,
        wish=AgentWish(wish),
        minutes=rest_min if wish == AgentWish.REST else 0,
    )
