"""A real Asterisk as the PBX, a second one as the outside world, joined by SIP and RTP on the loopback.

`lab = await Lab.start()`, `call = await lab.call(caller="lead")`, `await lab.phone("alice").will(Answer(after_s=1))`,
`lab.recordings.heard("lead")`, `await lab.reset()`, `await lab.stop()`.

provision finds or makes an Asterisk; instance runs one; conf/ is what they are told; parties and behaviour say who
lives outside and what they do; world, switch and appbots are the two sides and the bots; wire, sip, recordings and
listening turn packets into what was shown and heard; lab puts it together.
"""

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
