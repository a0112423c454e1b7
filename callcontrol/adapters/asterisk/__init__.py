"""The switch Asterisk (20 and later), over AMI. Its dialplan is dialplan/asterisk/callcontrol.conf.

`pbx` has the port's verbs, `channels` the orders to a single channel, `session` keeps the link up,
`link` is one AMI session, `frames` its bytes, `ledger` what is known of our channels, `originates` and
`dialstrings` what is said to ring a phone, `causes` why a leg ended, `lines` what the phones are doing,
`lamps` what agents' lamps show, `checks` whether the switch is ready.
"""

from callcontrol.adapters.asterisk.pbx import AsteriskPbx
from callcontrol.adapters.asterisk.settings import AsteriskSettings

__all__ = ["AsteriskPbx", "AsteriskSettings"]
