r"""One warm transfer, as a state machine: events in, commands out.

    NEW -> RESOLVING <-> RINGING <-> JOINING -> HANDING_OFF -> CONNECTED -> ENDED
               \            \          \           \
                +------------+----------+-----------+-> RETURNED (missed; the bot has the lead)

A transfer works through its plan, step by step. RESOLVING waits to be told whom the step rings;
RINGING has legs out; JOINING has a winner, the first leg to accept, which is briefed (whisper) and
joined; HANDING_OFF has agent and lead talking while the bot, or a sound file, introduces them.
From any of these but CONNECTED, a loss leads back: to the legs still ringing, or to the next step.

The machine keeps no clock: `now` comes with every event, `next_deadline` says when it wants a
TimePassed. It is deterministic, so that replaying a journal rebuilds it. It never raises for what a
switch, a phone or a person did; an event that means nothing in a state is ignored.

The lead's leg is not touched before a winner is joined, and other legs ring on until then. A leg that
has nothing but that before it may go to the lead by itself: its Joined is its acceptance as well, and it
is sent away again where another was first.

`machine` is the table: which event means something in which state, and what it does there. What it
does is in `ringing` (the legs, until one is taken), `handoff` (the winner, until the bot is released),
`plan` (the next step), `endings`, `link` (what a survey changes) and `deadlines`; all of them work on
the LiveTransfer of `live`, whose legs are the LiveLeg of `leg`.
"""

from callcontrol.core.transfer.leg import LegState, LiveLeg
from callcontrol.core.transfer.live import UNDECIDED, State
from callcontrol.core.transfer.machine import Transfer

__all__ = ["UNDECIDED", "LegState", "LiveLeg", "State", "Transfer"]
