"""Hangup causes, as FreeSWITCH names them, in the words of the port."""

from callcontrol.core.events import EndedBy

ANSWERED_ELSEWHERE = "LOSE_RACE"  # makes the phone show no missed call (RFC 3326, `SIP;cause=200`)
CANCELLED = "ORIGINATOR_CANCEL"
NORMAL_CLEARING = "NORMAL_CLEARING"
UNTOLD = "NORMAL_UNSPECIFIED"  # in place of the cause, where nothing has told of the end
SHUTDOWN = ("SYSTEM_SHUTDOWN",)  # a switch that ends hangs every channel up first

_ENDED_BY = {
    "NONE": EndedBy.NORMAL,
    "NORMAL_CLEARING": EndedBy.NORMAL,
    "ORIGINATOR_CANCEL": EndedBy.NORMAL,
    "LOSE_RACE": EndedBy.NORMAL,
    "PICKED_OFF": EndedBy.NORMAL,
    "ALLOTTED_TIMEOUT": EndedBy.NORMAL,
    "USER_BUSY": EndedBy.BUSY,
    "CALL_REJECTED": EndedBy.DECLINED,
    "NO_ANSWER": EndedBy.NO_ANSWER,
    "NO_USER_RESPONSE": EndedBy.NO_ANSWER,  # SIP 480
    "PROGRESS_TIMEOUT": EndedBy.NO_ANSWER,
    "RECOVERY_ON_TIMER_EXPIRE": EndedBy.NO_ANSWER,  # SIP 408
    "REDIRECTION_TO_NEW_DESTINATION": EndedBy.FORWARDED,
    "REQUESTED_CHAN_UNAVAIL": EndedBy.FORWARDED,  # SIP 302, where outbound_redirect_fatal is set
}


def ended_by(cause: str) -> EndedBy:
    """How an unanswered leg ended. What is not listed never reached the person."""
    return _ENDED_BY.get(cause, EndedBy.UNREACHABLE)
