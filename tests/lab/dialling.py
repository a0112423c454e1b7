"""Legs rung by the lab itself, for tests of the lab: the product has its own way."""

import uuid

from tests.lab.ami import Message
from tests.lab.calls import Call
from tests.lab.lab import Lab


async def ring(
    lab: Lab, dial: str, *, to: str = "Wait", data: str = "60", timeout_s: float = 20.0, **fields: str
) -> str:
    """Have the PBX ring somebody; return the channel's unique id."""
    channel_id = str(uuid.uuid4())
    await lab.pbx.ami.action(
        "Originate",
        Channel=dial,
        ChannelId=channel_id,
        Application=to,
        Data=data,
        CallerID='"Lena Lead" <+493023125001>',
        Timeout=str(round(timeout_s * 1000)),
        Async="true",
        **fields,  # type: ignore[arg-type]
    )
    return channel_id


async def cause_of(lab: Lab, dial: str, *, timeout_s: float = 20.0) -> str:
    """Ring somebody, and return the hangup cause it comes to."""
    hangups: list[Message] = []
    lab.pbx.ami.listeners.append(hangups.append)
    try:
        channel = await ring(lab, dial, timeout_s=timeout_s)
        return await lab.wait_until(
            lambda: next(
                (one["Cause"] for one in hangups if one["Event"] == "Hangup" and one["Uniqueid"] == channel),
                None,
            ),
            what="the hangup",
        )
    finally:
        lab.pbx.ami.listeners.remove(hangups.append)


async def join(lab: Lab, agent: str, call: Call) -> None:
    """Bring an agent into a live call, as the product does."""
    lead = await lab.pbx.variable(call.lead_channel, "CHANNEL(name)")
    channel = await ring(lab, lab.phone(agent).dial, to="BridgeAdd", data=lead)
    await lab.wait_until(lambda: channel in lab.switch.with_channel(call.lead_channel), what="the join")
