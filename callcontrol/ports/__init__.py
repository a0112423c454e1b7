"""What callcontrol needs of the world. Adapters implement these; `app` chooses which.

A verb of `Pbx` returns when the switch took the order and raises PortError where it refused, or
said nothing for 5 s; what came of it arrives as an event.
"""

from callcontrol.ports.cadence import Cancelled, ClaimedStep, ClaimLostError, Enrolment, Planned
from callcontrol.ports.clock import Clock, Timer
from callcontrol.ports.delivery import SmsGateway, Speech, Subscription
from callcontrol.ports.errors import (
    ChannelBusyError,
    ChannelUnknownError,
    KeyReusedError,
    PortError,
    StoreError,
    UnknownError,
)
from callcontrol.ports.records import (
    Decide,
    Entry,
    FactsOf,
    First,
    NewLead,
    Request,
    Task,
    Text,
    TextStatus,
    TransferRow,
    Transition,
)
from callcontrol.ports.store import Store
from callcontrol.ports.switch import (
    AgentAsked,
    AgentWish,
    CallerId,
    Finding,
    HandoffDone,
    LinkDown,
    LinkUp,
    Pbx,
    Report,
    RingOrder,
    TransferAsked,
)

__all__ = [
    "AgentAsked",
    "AgentWish",
    "CallerId",
    "Cancelled",
    "ChannelBusyError",
    "ChannelUnknownError",
    "ClaimLostError",
    "ClaimedStep",
    "Clock",
    "Decide",
    "Enrolment",
    "Entry",
    "FactsOf",
    "Finding",
    "First",
    "HandoffDone",
    "KeyReusedError",
    "LinkDown",
    "LinkUp",
    "NewLead",
    "Pbx",
    "Planned",
    "PortError",
    "Report",
    "Request",
    "RingOrder",
    "SmsGateway",
    "Speech",
    "Store",
    "StoreError",
    "Subscription",
    "Task",
    "Text",
    "TextStatus",
    "Timer",
    "TransferAsked",
    "TransferRow",
    "Transition",
    "UnknownError",
]
