"""`callcontrol check`: what of the switch is ready, and what to do about the rest.

In a session of its own, with the rights of the one that carries calls; nothing is rung.
"""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Final

from callcontrol.adapters.freeswitch import originates
from callcontrol.adapters.freeswitch.dialstrings import dial_string
from callcontrol.adapters.freeswitch.frames import Event
from callcontrol.adapters.freeswitch.ledger import EVENTS
from callcontrol.adapters.freeswitch.lines import Lines
from callcontrol.adapters.freeswitch.link import EslLink
from callcontrol.adapters.freeswitch.session import list_users, show
from callcontrol.adapters.freeswitch.settings import FreeswitchSettings
from callcontrol.adapters.orders import LoginError, RefusedError
from callcontrol.core.model import Agent, Endpoint, LineState
from callcontrol.ports import Finding, PortError

OLDEST = (1, 10)
EVENTS_WITHIN_S = 2.0

_PLACES = {
    "callcontrol-leg": ("answer", "key", "accepted", "brief", "briefed", "join"),
    "callcontrol-bye": ("taken", "expired"),
    "callcontrol-lead": ("join", "hold", "missed", "connected", "after"),
    "callcontrol-transfer": ("s", "refused", "nobody"),
    "callcontrol-bot-gone": ("s",),
    "callcontrol-handoff-finished": ("s",),
    "callcontrol-fallback": ("s",),
    "callcontrol-agent": ("status", "say"),
    "callcontrol-codes": ("*50", "*51", "*52", "*53"),
}
_NEEDED: Final = (  # none of them does anything as it is asked here
    *("originate", "uuid_bridge", "uuid_displace", "uuid_exists", "uuid_getvar", "uuid_kill"),
    *("uuid_setvar_multi", "uuid_transfer", "global_setvar", "sched_del"),
)
_TOO_MUCH = ("system", "bg_system", "reload", "fsctl")
_INCLUDE = "copy dialplan/freeswitch/callcontrol.xml into conf/dialplan, then `reloadxml`"

Asked = AsyncIterator[Finding]


async def check(settings: FreeswitchSettings, agents: Sequence[Agent]) -> list[Finding]:
    heard: list[Event] = []
    link = EslLink(settings, heard.append)
    where = f"{settings.host}:{settings.port}"
    try:
        await link.open(EVENTS)
        found = [
            Finding(subject="ESL login", ok=True, detail=f"{settings.username or 'password'} at {where}")
        ]
        for part in (_version(link), _rights(link), _events(link, heard), _switch(link), _dialplan(link)):
            found += [finding async for finding in part]
        found += [finding async for finding in _endpoints(link, settings, agents)]
    except LoginError as error:
        remedy = "compare `username` and the secret with dialplan/freeswitch/callcontrol-user.xml as it is installed"
        return [Finding(subject="ESL login", ok=False, remedy=remedy, detail=str(error))]
    except PortError as error:
        remedy = f"is FreeSWITCH up, and its event socket at {where}? See event_socket.conf.xml"
        return [Finding(subject="ESL login", ok=False, remedy=remedy, detail=str(error))]
    finally:
        await link.close()
    return found


async def _version(link: EslLink) -> Asked:
    said = await _ask(link, "version")
    version = re.search(r"(\d+)\.(\d+)", said)
    ok = version is not None and (int(version[1]), int(version[2])) >= OLDEST
    remedy = "" if ok else f"needs FreeSWITCH {'.'.join(map(str, OLDEST))} or later"
    yield Finding(subject="FreeSWITCH version", ok=ok, detail=said.partition("(")[0].strip(), remedy=remedy)


async def _rights(link: EslLink) -> Asked:
    missing = [command for command in _NEEDED if not await _may(link, command)]
    remedy = f"add to esl-allowed-api of the user: {' '.join(missing)}" if missing else ""
    yield Finding(subject="ESL rights", ok=not missing, remedy=remedy)
    surplus = [command for command in _TOO_MUCH if await _may(link, command)]
    detail = (
        f"more than needed ({', '.join(surplus)}): log in as the user of callcontrol-user.xml"
        if surplus
        else "no more than needed"
    )
    yield Finding(subject="ESL rights, surplus", ok=True, detail=detail)


async def _may(link: EslLink, command: str) -> bool:
    """Ask for it without its arguments: a right that is missing is refused before they are."""
    try:
        await link.api(command)
    except RefusedError as error:
        return "permission denied" not in error.said.lower() and "command not found" not in error.said.lower()
    return True


async def _events(link: EslLink, heard: list[Event]) -> Asked:
    key, there = str(uuid.uuid4()), False
    try:
        await link.send_event("CUSTOM", {"Event-Subclass": "callcontrol::ping", "Key": key})
        async with asyncio.timeout(EVENTS_WITHIN_S):
            while not there:
                there = any(event.get("Key") == key for event in heard)
                await asyncio.sleep(0.02)
    except (TimeoutError, RefusedError):
        pass
    remedy = "" if there else "take esl-allowed-events off the user, or compare it with callcontrol-user.xml"
    yield Finding(subject="ESL events", ok=there, remedy=remedy)


async def _switch(link: EslLink) -> Asked:
    """`${system(...)}` in a text that a caller chose runs, wherever a dialplan repeats that text."""
    written = await _ask(link, "xml_locate", "configuration", "configuration", "name", "switch.conf")
    off = re.search(r'name="api-expansion"\s+value="(?:false|no|off|0)"', written) is not None
    remedy = (
        ""
        if off
        else 'in switch.conf.xml: <param name="api-expansion" value="false"/>; see dialplan/README.md'
    )
    yield Finding(subject="switch.conf api-expansion", ok=off, remedy=remedy)
    rate = re.search(r'name="sessions-per-second"\s+value="(\d+)"', written)
    few = rate is not None and int(rate[1]) < 100
    detail = f"{rate[1] if rate else 'not set'}{': a big group of phones is not rung at once' if few else ''}"
    yield Finding(subject="switch.conf sessions-per-second", ok=True, detail=detail)


async def _dialplan(link: EslLink) -> Asked:
    there = originates.CONTRACT in await _extensions(link, "callcontrol-contract")
    remedy = "" if there else _INCLUDE
    detail = f"version {originates.CONTRACT}"
    yield Finding(subject="dialplan contract", ok=there, detail=detail, remedy=remedy)
    for context, extensions in _PLACES.items():
        known = await _extensions(link, context)
        missing = [exten for exten in extensions if exten not in known]
        remedy = f"{', '.join(missing)} missing: {_INCLUDE}" if missing else ""
        yield Finding(subject=f"dialplan {context}", ok=not missing, remedy=remedy)


async def _extensions(link: EslLink, context: str) -> set[str]:
    """The names of the extensions of a context; a name may list several."""
    written = await _ask(link, "xml_locate", "dialplan", "context", "name", context)
    names = re.findall(r'<extension name="([^"]*)"', written)
    return {name for listed in names for name in listed.split(", ")}


async def _ask(link: EslLink, *words: str) -> str:
    """The reply; empty where the right or what was asked for is missing."""
    try:
        return await link.api(*words)
    except RefusedError:
        return ""


async def _endpoints(link: EslLink, settings: FreeswitchSettings, agents: Sequence[Agent]) -> Asked:
    lines = Lines(settings)
    try:
        lines.begin(await show(link, "registrations"), [], await list_users(link, lines.domain))
    except PortError as error:
        yield Finding(subject="phones' states", ok=False, remedy="see ESL rights", detail=str(error))
        return
    written = await _ask(link, "xml_locate", "configuration", "configuration", "name", "sofia.conf")
    gateways = set(re.findall(r'<gateway name="([^"]*)"', written))
    for agent in agents:
        for endpoint in agent.endpoints:
            yield _endpoint(settings, lines, gateways, f"{agent.id} at {endpoint.address}", endpoint)


def _endpoint(
    settings: FreeswitchSettings, lines: Lines, gateways: set[str], subject: str, endpoint: Endpoint
) -> Finding:
    try:
        dial = dial_string(endpoint, settings)
    except PortError as error:
        return Finding(subject=subject, ok=False, remedy="correct it in the directory", detail=str(error))
    technology, name, *rest = dial.split("/")
    state = lines.state(endpoint)
    remedy = ""
    if technology == "sofia" and name == "gateway":
        if rest[0] not in gateways:
            remedy = f"FreeSWITCH's profiles have no gateway {rest[0]}: compare sip_profiles and the dial templates"
    elif state is LineState.UNREGISTERED:
        remedy = f"{dial} is not registered"
    elif state is LineState.UNKNOWN and technology == "user":
        remedy = f"{dial} is no user of FreeSWITCH's directory: compare it with the dial templates"
    return Finding(subject=subject, ok=not remedy, detail=dial, remedy=remedy)
