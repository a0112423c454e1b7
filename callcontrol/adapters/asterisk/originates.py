"""What an Originate says. Of the lead only the caller id is in it, cleaned and looked at once more."""

import math
import re

from callcontrol.adapters.asterisk.dialstrings import dial_string, is_local, is_pjsip
from callcontrol.adapters.asterisk.settings import AsteriskSettings
from callcontrol.core.model import AcceptBy, ChannelId, EndpointKind
from callcontrol.ports import CallerId, PortError, RingOrder

RING_MARGIN_S = 2.0  # our own deadline comes first; the switch's is for when we are gone
ANNOUNCE_TIMEOUT_S = 5.0
CONTRACT = "1"  # of dialplan/README.md; an extension of callcontrol-contract

_NUMBER = re.compile(r"\+?[0-9]{0,15}")
_NAME_PUNCTUATION = frozenset(" .'-")
_PLAIN = re.compile(r"[A-Za-z0-9_.:;/@+-]{1,150}")
_ALERT_INFO = re.compile(r"[A-Za-z0-9<>:/.;=@_ -]{1,200}")

Originate = dict[str, str | list[str]]


def ring(order: RingOrder, settings: AsteriskSettings, *, far_end: str, lead: str) -> Originate:
    """`far_end` is the unique id of a Local channel's other half, `lead` the lead's channel by name;
    empty: the leg is told later. Raises PortError.
    """
    leg = order.leg
    dial = dial_string(leg.endpoint, settings)
    exten = "key" if leg.endpoint.accept_by is AcceptBy.KEY else "straight" if order.straight else "answer"
    variables = [
        f"CALLCONTROL_TRANSFER={_id(order.transfer_id)}",
        "FORWARD_CONTEXT=callcontrol-no-forward",
    ]
    if exten == "key":
        variables.append(f"CALLCONTROL_ACCEPT_S={math.ceil(order.accept_timeout_s)}")
    if lead:
        variables.append(f"CALLCONTROL_LEAD={_id(lead)}")
    if settings.alert_info and is_pjsip(dial):
        if not _ALERT_INFO.fullmatch(settings.alert_info):
            raise PortError("alert_info has characters that no header may have", retryable=False)
        variables.append(f"PJSIP_HEADER(add,Alert-Info)={settings.alert_info}")
    fields: Originate = {
        "Channel": dial,
        "ChannelId": leg.id,
        "Context": "callcontrol-leg",
        "Exten": exten,
        "Priority": "1",
        "Timeout": str(math.ceil((order.ring_timeout_s + RING_MARGIN_S) * 1000)),
        "CallerID": _caller_id(order.caller, settings, outside=leg.endpoint.kind is EndpointKind.NUMBER),
        "Variable": variables,
        "Async": "true",
    }
    if is_local(dial):
        fields["OtherChannelId"] = far_end
    return fields


def announce(lead: str, sounds: str, channel: ChannelId, far_end: str) -> Originate:
    """One half joins the bridge of the lead, given by channel name; the other plays."""
    return {
        "Channel": "Local/join@callcontrol-announce/n",
        "ChannelId": channel,
        "OtherChannelId": far_end,
        "Context": "callcontrol-announce",
        "Exten": "play",
        "Priority": "1",
        "Timeout": str(math.ceil(ANNOUNCE_TIMEOUT_S * 1000)),
        "CallerID": '"Announcement" <>',
        "Variable": [f"__CALLCONTROL_LEAD={_id(lead)}", f"CALLCONTROL_SOUNDS={sounds}"],
        "Async": "true",
    }


def publish(bot_id: str, dial_strings: str) -> Originate:
    """A channel that lives just long enough to write to AstDB."""
    return {
        "Channel": "Local/s@callcontrol-publish/n",
        "Context": "callcontrol-publish",
        "Exten": "s",
        "Priority": "1",
        "Variable": [f"__CALLCONTROL_BOT={_id(bot_id)}", f"__CALLCONTROL_FALLBACKS={dial_strings}"],
        "Async": "true",
    }


def ping(key: str, channel: str) -> Originate:
    """A channel that says one event and ends: to see whether events arrive."""
    return {
        "Channel": "Local/ping@callcontrol-contract/n",
        "ChannelId": channel,
        "OtherChannelId": key,
        "Context": "callcontrol-contract",
        "Exten": CONTRACT,
        "Priority": "1",
        "Variable": [f"__CALLCONTROL_KEY={_id(key)}"],
        "Async": "true",
    }


def _caller_id(caller: CallerId, settings: AsteriskSettings, *, outside: bool) -> str:
    number = settings.outside_caller_number if outside and settings.outside_caller_number else caller.number
    clean = all(c.isalnum() or c in _NAME_PUNCTUATION for c in caller.name) and len(caller.name) <= 80
    if not clean or not _NUMBER.fullmatch(number):
        raise PortError("the caller id was not cleaned", retryable=False)
    return f'"{caller.name}" <{number}>'


def tellable(lead: str) -> str:
    """The name of a lead's channel as a leg may be given it from the start; empty where it may not."""
    return lead if _PLAIN.fullmatch(lead) else ""


def _id(text: str) -> str:
    """A comma would begin another variable."""
    if not _PLAIN.fullmatch(text):
        raise PortError(f"{text!r} is no id", retryable=False)
    return text
