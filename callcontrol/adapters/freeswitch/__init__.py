"""The switch FreeSWITCH (1.10 and later), over ESL. Its dialplan is dialplan/freeswitch/callcontrol.xml.

`pbx` has the port's verbs, `channels` the orders to a single channel, `session` keeps the link up,
`link` is one ESL session, `hub` the thread it lives in, `frames` its bytes, `ledger` what is known of our
channels, `asking` what dialplans ask for, `originates` and `dialstrings` what is said to ring a phone,
`causes` why a leg ended, `lines` what the phones are doing, `lamps` what agents' lamps show, `messages`
what phones are sent to read, `checks` whether the switch is ready.
"""

from callcontrol.adapters.freeswitch.pbx import FreeswitchPbx
from callcontrol.adapters.freeswitch.settings import FreeswitchSettings

__all__ = ["FreeswitchPbx", "FreeswitchSettings"]
