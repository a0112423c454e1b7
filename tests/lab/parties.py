"""Who lives in the lab: their names, numbers and voices.

Every voice is a steady tone. All tones are multiples of 50 Hz, so that a 20 ms frame holds whole periods of
each and they don't leak into one another; no tone is three times another, because G.711 distorts in odd harmonics.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["lead", "bot", "phone", "mobile"]


@dataclass(frozen=True, kw_only=True)
class Party:
    name: str
    kind: Kind
    tone_hz: int
    number: str = ""  # E.164; desk phones and the bot have none
    display: str = ""

    @property
    def exten(self) -> str:
        """What the world's dialplan calls it: digits, or the phone's name."""
        return self.number.removeprefix("+") or self.name


# Numbers set aside by the German regulator for use in films: nobody has them.
PARTIES: tuple[Party, ...] = (
    Party(name="lead", kind="lead", tone_hz=500, number="+493023125001", display="Lena Lead"),
    Party(name="lead2", kind="lead", tone_hz=3200, number="+493023125002", display="Ludwig Lead"),
    Party(name="bot", kind="bot", tone_hz=700, display="Bot"),
    Party(name="alice", kind="phone", tone_hz=900, display="Alice"),
    Party(name="bob", kind="phone", tone_hz=1150, display="Bob"),
    Party(name="carol", kind="phone", tone_hz=1400, display="Carol"),
    Party(name="dave", kind="phone", tone_hz=1650, display="Dave"),
    Party(name="mobile1", kind="mobile", tone_hz=2150, number="+491713920001"),
    Party(name="mobile2", kind="mobile", tone_hz=2350, number="+491713920002"),
    Party(name="mobile3", kind="mobile", tone_hz=2550, number="+491713920003"),
    Party(name="frontdesk", kind="mobile", tone_hz=2750, number="+493023125100"),
)

BY_NAME = {party.name: party for party in PARTIES}
BY_EXTEN = {party.exten: party for party in PARTIES}
PHONES = tuple(party.name for party in PARTIES if party.kind == "phone")

MOH_HZ = 1900
VOICEMAIL_HZ = 2950

VOICES: dict[str, int] = {party.name: party.tone_hz for party in PARTIES} | {
    "moh": MOH_HZ,
    "voicemail": VOICEMAIL_HZ,
}

# The company's numbers: which of them a lead dials decides what sort of bot it meets (conf/pbx/extensions.conf).
DID_BOT = "+493023125900"
DID_AUDIOSOCKET = "+493023125901"
DID_AGI = "+493023125902"
DID_AUDIOSOCKET_ASKS = "+493023125903"
DID_LOCAL_BOT = "+493023125904"
DID_BOB = "+493023125905"  # no bot: it rings bob
DID_BULK = "+493023125990"

BULK_PHONES = tuple(f"p{n:03d}" for n in range(1, 201))
