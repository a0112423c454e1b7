"""What a phone was shown, read from SIP messages written here."""

from tests.lab.sip import ReceivedCall, received_calls
from tests.lab.wire import SipPacket

PHONE, PBX = 5062, 5060


def message(start: str, *headers: str, cseq: str = "1 INVITE") -> bytes:
    return "\r\n".join([start, "Call-ID: c1", f"CSeq: {cseq}", *headers, "", ""]).encode()


def incoming(at: float, data: bytes) -> SipPacket:
    return SipPacket(at, PBX, PHONE, data)


def outgoing(at: float, data: bytes) -> SipPacket:
    return SipPacket(at, PHONE, PBX, data)


INVITE = message(
    "INVITE sip:alice@127.0.0.1:5062 SIP/2.0",
    'From: "Lena \\"Lou\\" Lead" <sip:+4930@127.0.0.1>;tag=1',
    "Alert-Info: <urn:alert:source:external>",
)
RINGING = outgoing(1.1, message("SIP/2.0 180 Ringing"))


def only(*packets: SipPacket) -> ReceivedCall:
    calls = received_calls([incoming(1.0, INVITE), incoming(1.05, INVITE), *packets], PHONE)
    assert len(calls) == 1
    return calls[0]


def test_the_caller_and_the_ring_are_read():
    call = only(RINGING)
    assert (call.who, call.caller_name, call.caller_number) == ("alice", 'Lena "Lou" Lead', "+4930")
    assert (call.alert_info, call.started_at, call.ringing_at) == ("<urn:alert:source:external>", 1.0, 1.1)


def test_a_name_without_quotes_is_read():
    invite = INVITE.replace(b'"Lena \\"Lou\\" Lead"', b"Lena")
    assert received_calls([incoming(1.0, invite)], PHONE)[0].caller_name == "Lena"


def test_a_caller_who_gives_up_is_a_missed_call():
    cancel = incoming(5.0, message("CANCEL sip:alice@127.0.0.1 SIP/2.0", cseq="1 CANCEL"))
    ended = outgoing(5.1, message("SIP/2.0 487 Request Terminated"))
    call = only(RINGING, cancel, ended)
    assert call.missed
    assert (call.cancel_reason, call.ended_at, call.status) == ("", 5.1, 487)


def test_answered_elsewhere_is_no_missed_call():
    reasons = ("Reason: Q.850;cause=26", 'Reason: SIP;cause=200;text="Call completed elsewhere"')
    cancel = incoming(5.0, message("CANCEL sip:alice@127.0.0.1 SIP/2.0", *reasons, cseq="1 CANCEL"))
    call = only(RINGING, cancel)
    assert call.answered_elsewhere
    assert not call.missed


def test_a_declined_call_is_no_missed_call():
    call = only(RINGING, outgoing(2.0, message("SIP/2.0 603 Decline")))
    assert (call.status, call.by_phone, call.missed) == (603, True, False)


def test_an_answered_call_ends_with_its_bye():
    answered = outgoing(2.0, message("SIP/2.0 200 OK"))
    bye = incoming(9.0, message("BYE sip:alice@127.0.0.1 SIP/2.0", cseq="2 BYE"))
    call = only(RINGING, answered, bye)
    assert (call.answered_at, call.ended_at, call.by_phone, call.missed) == (2.0, 9.0, False, False)
