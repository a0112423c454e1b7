"""What a test needs of the lab, in one place."""

from tests.lab.appbots import AppBot
from tests.lab.behaviour import (
    Answer,
    Behaviour,
    Busy,
    Dead,
    Forward,
    NotFound,
    Refuse,
    Ring,
    TrunkDown,
    Unavailable,
    Voicemail,
)
from tests.lab.calls import Call, Leftovers
from tests.lab.instance import LabError
from tests.lab.lab import Lab
from tests.lab.listening import Heard
from tests.lab.sip import ReceivedCall
from tests.lab.world import PartyLine

__all__ = [
    "Answer",
    "AppBot",
    "Behaviour",
    "Busy",
    "Call",
    "Dead",
    "Forward",
    "Heard",
    "Lab",
    "LabError",
    "Leftovers",
    "NotFound",
    "PartyLine",
    "ReceivedCall",
    "Refuse",
    "Ring",
    "TrunkDown",
    "Unavailable",
    "Voicemail",
]
