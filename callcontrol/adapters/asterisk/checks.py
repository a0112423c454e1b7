"""`callcontrol check`: what of the switch is ready, and what to do about the rest.

In a session of its own, with the rights of the one that carries calls; nothing is rung.
"""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Callable, Sequence

from callcontrol.adapters.asterisk import originates
from callcontrol.adapters.asterisk.dialstrings import dial_string
from callcontrol.adapters.asterisk.frames import Fields, Frame
from callcontrol.adapters.asterisk.ledger import EVENTS
from callcontrol.adapters.asterisk.link import AmiLink
from callcontrol.adapters.asterisk.settings import AsteriskSettings
from callcontrol.adapters.orders import LoginError, RefusedError
from callcontrol.core.model import Agent, Endpoint
from callcontrol.ports import Finding, PortError

OLDEST = 20
EVENTS_WITHIN_S = 2.0

_PLACES = {
    "callcontrol-leg": ("answer", "key", "brief", "join"),
    "callcontrol-bye": ("taken", "lead-gone", "called-off", "failed", "expired"),
    "callcontrol-lead": ("join", "hold", "missed", "connected"),
    "callcontrol-announce": ("join", "play"),
    "callcontrol-transfer": ("s",),
    "callcontrol-bot-gone": ("s",),
    "callcontrol-handoff-finished": ("s",),
    "callcontrol-publish": ("s",),
    "callcontrol-fallback": ("s",),
    "callcontrol-agent": ("available", "unavailable", "status", "rest", "ask"),
    "callcontrol-codes": ("*50", "*51", "*52", "*53"),
}
_NEEDED = {  # action -> the write class that allows it; none of them does anything as it is asked here
    "Originate": "originate",
    "Redirect": "call",
    "Hangup": "call",
    "Setvar": "call",
    "Getvar": "call or reporting",
    "CoreShowChannels": "reporting",
    "DeviceStateList": "call or reporting",
    "PJSIPQualify": "system or reporting",
}
_PING_DEVICE = "Local/ping@callcontrol-contract"
_LISTS = ("CoreShowChannels", "DeviceStateList")
_TOO_MUCH = {"Command": "command", "DBPut": "system", "GetConfig": "config"}
_FOR_MESSAGES = {"MessageSend": "message"}  # where a gateway sends texts to phones
_REACHABLE = ("NOT_INUSE", "INUSE", "BUSY", "RINGING", "RINGINUSE", "ONHOLD")
_INCLUDE = "copy dialplan/asterisk/callcontrol.conf beside extensions.conf, #include it, `dialplan reload`"

Asked = AsyncIterator[Finding]


async def check(settings: AsteriskSettings, agents: Sequence[Agent]) -> list[Finding]:
    heard: list[Frame] = []
    link = AmiLink(settings, heard.append, EVENTS)
    try:
        await link.open()
        found = [Finding(subject="AMI login", ok=True, detail=f"{settings.username}@{settings.host}")]
        for part in (
            _version(link),
            _rights(link, settings),
            _events(link, heard),
            _phones(link),
            _dialplan(link),
        ):
            found += [finding async for finding in part]
        found += [finding async for finding in _endpoints(link, settings, agents)]
    except LoginError as error:
        remedy = "compare `username` and the secret with manager.conf, and its `permit` with this host"
        return [Finding(subject="AMI login", ok=False, remedy=remedy, detail=error.said)]
    except PortError as error:
        remedy = f"is Asterisk up, and its AMI at {settings.host}:{settings.port}? See manager.conf"
        return [Finding(subject="AMI login", ok=False, remedy=remedy, detail=str(error))]
    finally:
        await link.close()
    return found


async def _version(link: AmiLink) -> Asked:
    said = await _ask(link, "CoreSettings", "AsteriskVersion")
    major = re.search(r"(\d+)\.", said)
    ok = major is not None and int(major[1]) >= OLDEST
    yield Finding(
        subject="Asterisk version",
        ok=ok,
        detail=said,
        remedy="" if ok else f"needs Asterisk {OLDEST} or later",
    )


async def _rights(link: AmiLink, settings: AsteriskSettings) -> Asked:
    needs = _NEEDED | (_FOR_MESSAGES if settings.sends_messages else {})
    too_much = _TOO_MUCH | ({} if settings.sends_messages else _FOR_MESSAGES)
    missing = sorted({needed for action, needed in needs.items() if not await _may(link, action)})
    yield Finding(
        subject="AMI rights",
        ok=not missing,
        remedy=f"add to `write` of the manager user: {', '.join(missing)}" if missing else "",
    )
    surplus = [right for action, right in too_much.items() if await _may(link, action)]
    detail = (
        f"more than needed: take {', '.join(surplus)} out of `write`" if surplus else "no more than needed"
    )
    yield Finding(subject="AMI rights, surplus", ok=True, detail=detail)


async def _may(link: AmiLink, action: str) -> bool:
    """Ask for it without its fields: a right that is missing is refused before a field that is."""
    try:
        await link.action(action, many=action in _LISTS)
    except RefusedError as error:
        return "permission denied" not in error.said.lower()
    return True


async def _events(link: AmiLink, heard: list[Frame]) -> Asked:
    key, channel = str(uuid.uuid4()), str(uuid.uuid4())
    try:
        await link.action("Originate", originates.ping(key, channel))
    except RefusedError as error:
        yield Finding(subject="AMI events", ok=False, remedy="see AMI rights", detail=error.said)
        return
    wanted: dict[str, Callable[[Frame], bool]] = {
        "UserEvent (user)": lambda frame: frame.get("Key") == key,
        "Hangup (call)": lambda frame: frame.get("Event") == "Hangup" and frame.get("Uniqueid") == channel,
        "DialBegin (call)": lambda frame: (
            frame.get("Event") == "DialBegin" and frame.get("DestUniqueid") == channel
        ),
        "DeviceStateChange (call)": lambda frame: frame.get("Device", "").startswith(_PING_DEVICE),
    }
    missing = set(wanted)
    try:
        async with asyncio.timeout(EVENTS_WITHIN_S):
            while missing:
                missing = {name for name in missing if not any(map(wanted[name], heard))}
                await asyncio.sleep(0.02)
    except TimeoutError:
        pass
    remedy = (
        f"{', '.join(sorted(missing))} did not come: compare `read` of the manager user, which names these"
        " classes, and its eventfilter lines with manager.callcontrol.conf"
    )
    yield Finding(subject="AMI events", ok=not missing, remedy=remedy if missing else "")


async def _phones(link: AmiLink) -> Asked:
    """Whether the switch tells which phones are in use."""
    try:
        await link.action("DeviceStateList", many=True)
    except RefusedError as error:
        remedy = "load res_manager_devicestate.so; without it agents ring while they talk"
        yield Finding(subject="phones' states", ok=False, remedy=remedy, detail=error.said)
    else:
        yield Finding(subject="phones' states", ok=True)


async def _dialplan(link: AmiLink) -> Asked:
    there = await _exists(link, "callcontrol-contract", originates.CONTRACT)
    yield Finding(
        subject="dialplan contract",
        ok=there,
        detail=f"version {originates.CONTRACT}",
        remedy="" if there else _INCLUDE,
    )
    for context, extensions in _PLACES.items():
        missing = [exten for exten in extensions if not await _exists(link, context, exten)]
        remedy = f"{', '.join(missing)} missing: {_INCLUDE}" if missing else ""
        yield Finding(subject=f"dialplan {context}", ok=not missing, remedy=remedy)
    hint = await _get(link, "HINT(callcontrol-check@callcontrol-codes)")
    yield Finding(subject="agents' lamps", ok=bool(hint), remedy="" if hint else f"no hint: {_INCLUDE}")


async def _exists(link: AmiLink, context: str, exten: str) -> bool:
    return await _get(link, f"DIALPLAN_EXISTS({context},{exten},1)") == "1"


async def _get(link: AmiLink, expression: str) -> str:
    return await _ask(link, "Getvar", "Value", {"Variable": expression})


async def _ask(link: AmiLink, action: str, header: str, fields: Fields | None = None) -> str:
    """One header of the reply; empty where there is none, or the right or a module is missing."""
    try:
        return (await link.action(action, fields)).headers.get(header, "")
    except RefusedError:
        return ""


async def _endpoints(link: AmiLink, settings: AsteriskSettings, agents: Sequence[Agent]) -> Asked:
    for agent in agents:
        for endpoint in agent.endpoints:
            yield await _endpoint(link, settings, f"{agent.id} at {endpoint.address}", endpoint)


async def _endpoint(link: AmiLink, settings: AsteriskSettings, subject: str, endpoint: Endpoint) -> Finding:
    try:
        dial = dial_string(endpoint, settings)
    except PortError as error:
        return Finding(subject=subject, ok=False, remedy="correct it in the directory", detail=str(error))
    technology, _, target = dial.partition("/")
    name, _, rest = target.partition("@")
    if technology == "Local":
        context = rest.partition("/")[0]
        ok = await _exists(link, context, name)
        remedy = "" if ok else f"context {context} has no extension for it"
        return Finding(subject=subject, ok=ok, detail=dial, remedy=remedy)
    device = f"{technology}/{rest or name}"
    state = await _get(link, f"DEVICE_STATE({device})")
    ok = state in _REACHABLE
    if ok:
        remedy = ""
    elif state == "UNAVAILABLE":
        remedy = f"{device} is not registered, or has not answered OPTIONS since Asterisk was started"
    else:
        remedy = f"{device} is not known to Asterisk: compare pjsip.conf and the dial templates"
    return Finding(subject=subject, ok=ok, detail=f"{dial} {state}".strip(), remedy=remedy)
