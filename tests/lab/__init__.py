"""A real Asterisk or FreeSWITCH as the PBX, an Asterisk as the outside world, joined by SIP and RTP on the loopback.

`lab = await Lab.start()`, `call = await lab.call(caller="lead")`, `await lab.phone("alice").will(Answer(after_s=1))`,
`lab.recordings.heard("lead")`, `await lab.reset()`, `await lab.stop()`.

provision finds or makes an Asterisk; instance runs one; freeswitch/ finds and runs the other; choice says which; conf/
is what they are told; parties and behaviour say who lives outside and what they do; world, switch (asterisk,
freeswitch/switch) and appbots are the two sides and the bots; wire, sip, recordings and
listening turn packets into what was shown and heard; lab puts it together.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.lab.api import *  # noqa: F403


def __getattr__(name: str) -> object:
    """Read `from tests.lab import Lab` late: provision runs before there is a numpy for the rest."""
    if not name[0].isupper():  # a module of ours, or nothing
        raise AttributeError(name)
    return getattr(import_module("tests.lab.api"), name)
