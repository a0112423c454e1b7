"""Legs rung by the lab itself, for tests of the lab: the product has its own way."""

import uuid

from tests.lab.calls import Call
from tests.lab.lab import Lab


async def ring(lab: Lab, who: str, *, timeout_s: float = 20.0, alert_info: str = "") -> str:
    """Have the PBX ring somebody; return the channel."""
    channel = str(uuid.uuid4())
    await lab.switch.ring(lab.phone(who).party, channel, timeout_s=timeout_s, alert_info=alert_info)
    return channel


async def cause_of(lab: Lab, who: str, *, timeout_s: float = 20.0) -> int:
    """Ring somebody, and return the hangup cause it comes to."""
    channel = await ring(lab, who, timeout_s=timeout_s)
    await lab.wait_until(lambda: channel in lab.switch.causes, what="the hangup")
    return lab.switch.causes[channel]


async def join(lab: Lab, agent: str, call: Call) -> str:
    """Bring an agent into a live call, as the product does; return the agent's channel."""
    channel = await ring(lab, agent)
    await lab.phone(agent).talks()
    await lab.switch.join(channel, call.lead_channel)
    await lab.wait_until(lambda: channel in lab.switch.with_channel(call.lead_channel), what="the join")
    return channel
