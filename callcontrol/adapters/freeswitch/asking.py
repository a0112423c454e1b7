"""What is asked for by dialplan: a transfer, or an agent's state. Events in, reports out."""

from collections.abc import Callable, Iterator

from callcontrol.adapters import dialplan
from callcontrol.adapters.freeswitch.frames import Event
from callcontrol.core.model import ChannelId
from callcontrol.ports import AgentAsked, TransferAsked


def transfer(event: Event, channel: ChannelId) -> TransferAsked:
    """The values are the channel's variables, which may hold anything: they came by JSON, and were never expanded."""
    prefix = "variable_callcontrol_"
    given = {
        lower.removeprefix(prefix): value.strip()
        for key, value in event.items()
        if (lower := key.lower()).startswith(prefix)
    }
    lead = {
        name: value for name in ("name", "phone", "email", "source") if (value := given.get(f"lead_{name}"))
    }
    if not given.get("lead_id") and "phone" not in lead:
        lead |= {"phone": number} if (number := event.get("Caller-Caller-ID-Number", "")) else {}
    return TransferAsked(
        channel=channel,
        lead_id=given.get("lead_id", ""),
        bot_id=given.get("bot", ""),
        summary=given.get("summary", ""),
        key=f"{channel}-{event.get('Event-Date-Timestamp', '')}",
        lead=lead,
    )


def agents_wish(event: Event, channel: ChannelId, address_of: Callable[[str], str]) -> Iterator[AgentAsked]:
    user = event.get("variable_user_name") or event.get("variable_sip_auth_username", "")
    return dialplan.agents_wish(channel, address_of(user), event.get("Wish", ""), event.get("Minutes", ""))
