"""Hangup causes (ITU-T Q.850, and two of Asterisk's own) in the words of the port."""

from callcontrol.core.events import EndedBy

ANSWERED_ELSEWHERE = 26  # makes the phone show no missed call (RFC 3326, `SIP;cause=200`)
NORMAL_CLEARING = 16
NO_CHANNEL = "no such phone, or it is not registered"

_ENDED_BY = {
    0: EndedBy.NORMAL,
    16: EndedBy.NORMAL,
    17: EndedBy.BUSY,
    18: EndedBy.NO_ANSWER,  # no response at all; SIP 408
    19: EndedBy.NO_ANSWER,  # rang out; SIP 480
    21: EndedBy.DECLINED,  # SIP 603
    23: EndedBy.FORWARDED,  # SIP 302, which is not followed
    26: EndedBy.NORMAL,  # answered elsewhere: ours
    31: EndedBy.NORMAL,
}


def ended_by(cause: int) -> EndedBy:
    """How an unanswered leg ended. What is not listed never reached the person: 1, 3, 20, 27, 34, 38 ..."""
    return _ENDED_BY.get(cause, EndedBy.UNREACHABLE)


def cause_text(cause: str, text: str) -> str:
    return f"{cause} {text}".strip()
