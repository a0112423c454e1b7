"""The ids, kept apart by type."""

from typing import NewType

TransferId = NewType("TransferId", str)
AgentId = NewType("AgentId", str)
LeadId = NewType("LeadId", str)
BotId = NewType("BotId", str)
PoolId = NewType("PoolId", str)

ChannelId = NewType("ChannelId", str)
"""The unique id a switch gives a channel. A leg we ring has the id we chose for it."""
