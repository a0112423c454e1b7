"""The tables and patterns: dial strings, causes, frames. Values in, values out."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcontrol.adapters.freeswitch import FreeswitchSettings
from callcontrol.adapters.freeswitch.causes import ended_by
from callcontrol.adapters.freeswitch.dialstrings import dial_string
from callcontrol.adapters.freeswitch.frames import MAX_COMMAND, Framer, GarbledError, checked, event
from callcontrol.adapters.freeswitch.ledger import EVENTS, OURS, Ledger
from callcontrol.adapters.freeswitch.originates import _caller_id, ring
from callcontrol.core import cleaning
from callcontrol.core.events import EndedBy
from callcontrol.core.model import AcceptBy, ChannelId, Endpoint, EndpointKind, Leg, TransferId
from callcontrol.ports import CallerId, PortError, RingOrder
from tests.adapters.freeswitch.scripted import framed

SETTINGS = FreeswitchSettings(secret="s")


def endpoint(kind: EndpointKind, address: str) -> Endpoint:
    return Endpoint(kind=kind, address=address, accept_by=AcceptBy.KEY)


@pytest.mark.parametrize(
    ("kind", "address", "expected"),
    [
        (EndpointKind.EXTENSION, "alice", "user/alice"),
        (EndpointKind.EXTENSION, "101", "user/101"),
        (EndpointKind.NUMBER, "+4930123456", "sofia/gateway/trunk/+4930123456"),
        (EndpointKind.DIAL, "sofia/internal/alice%pbx.example", "sofia/internal/alice%pbx.example"),
        (
            EndpointKind.DIAL,
            "sofia/lan/5@10.0.0.1:5060;transport=tcp",
            "sofia/lan/5@10.0.0.1:5060;transport=tcp",
        ),
    ],
)
def test_an_endpoint_is_dialled_so(kind: EndpointKind, address: str, expected: str):
    assert dial_string(endpoint(kind, address), SETTINGS) == expected


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        *(
            (EndpointKind.EXTENSION, bad)
            for bad in ("", "a b", "a,b", "a|b", "a/b", "a@b", "ä", "x" * 65, "a\n", "{a=b}c", "[a=b]c")
        ),
        *((EndpointKind.NUMBER, bad) for bad in ("", "0301234567", "+49 30", "+49a", "+4930,x", "1" * 16)),
        *(
            (EndpointKind.DIAL, bad)
            for bad in (
                "",
                "user",
                "user/",
                "user/a,user/b",
                "user/a|user/b",
                "user/a:_:user/b",
                "{x=y}user/a",
                "user/a&park",
                "/x/",
                "user/" + "b" * 300,
                "user/a\r",
                "user/${x}",
            )
        ),
    ],
)
def test_an_address_that_could_dial_something_else_is_refused(kind: EndpointKind, address: str):
    with pytest.raises(PortError):
        dial_string(endpoint(kind, address), SETTINGS)


@given(st.sampled_from(EndpointKind), st.text(max_size=300))
def test_no_address_makes_a_second_destination_or_a_variable(kind: EndpointKind, address: str):
    try:
        text = dial_string(endpoint(kind, address), SETTINGS)
    except PortError:
        return
    assert re.fullmatch(r"[\x21-\x7e]{3,200}", text)
    assert not set("&,$()[]{}|\"'`\\<>^") & set(text)
    assert ":_:" not in text


@pytest.mark.parametrize(
    ("cause", "by"),
    [
        ("NORMAL_CLEARING", EndedBy.NORMAL),
        ("LOSE_RACE", EndedBy.NORMAL),
        ("ORIGINATOR_CANCEL", EndedBy.NORMAL),
        ("USER_BUSY", EndedBy.BUSY),
        ("CALL_REJECTED", EndedBy.DECLINED),
        ("NO_ANSWER", EndedBy.NO_ANSWER),
        ("NO_USER_RESPONSE", EndedBy.NO_ANSWER),
        ("REQUESTED_CHAN_UNAVAIL", EndedBy.FORWARDED),
        *(
            (cause, EndedBy.UNREACHABLE)
            for cause in (
                *(
                    "",
                    "UNALLOCATED_NUMBER",
                    "NO_ROUTE_DESTINATION",
                    "USER_NOT_REGISTERED",
                    "SUBSCRIBER_ABSENT",
                ),
                *(
                    "NORMAL_TEMPORARY_FAILURE",
                    "GATEWAY_DOWN",
                    "DESTINATION_OUT_OF_ORDER",
                    "of a later version",
                ),
            )
        ),
    ],
)
def test_a_hangup_cause_means(cause: str, by: EndedBy):
    assert ended_by(cause) is by


@given(st.text(), st.sampled_from(["", "+4930123456", "0301234567"]))
def test_every_name_that_was_cleaned_is_taken_and_quotes_nothing(name: str, number: str):
    caller = CallerId(name=cleaning.display_name(name), number=number)
    shown = _caller_id(caller, SETTINGS, outside=False)["origination_caller_id_name"]
    assert checked(shown) == shown
    assert re.fullmatch(r"'[^'\\,{}\[\]$]+'", shown)


def test_who_is_rung_outside_is_shown_the_number_of_the_house():
    house = replace(SETTINGS, outside_caller_number="+493011")
    shown = _caller_id(CallerId(name="Lena", number="+4930123456"), house, outside=True)
    assert shown["origination_caller_id_number"] == "+493011"


def test_a_ring_of_its_own_is_for_the_houses_phones_only():
    ringing = replace(SETTINGS, alert_info="<http://127.0.0.1/warm>;info=warm-transfer")

    def said(kind: EndpointKind, address: str, settings: FreeswitchSettings) -> str:
        leg = Leg(id=ChannelId("l"), agent_id=None, label="", endpoint=endpoint(kind, address))
        caller = CallerId(name="Lena", number="")
        order = RingOrder(
            transfer_id=TransferId("t"),
            leg=leg,
            lead=ChannelId("x"),
            caller=caller,
            ring_timeout_s=1,
            accept_timeout_s=1,
        )
        return ring(order, settings)

    assert "sip_h_Alert-Info='<http://127.0.0.1/warm>;info=warm-transfer'" in said(
        EndpointKind.EXTENSION, "alice", ringing
    )
    assert "Alert-Info" not in said(EndpointKind.NUMBER, "+4930123456", ringing)
    with pytest.raises(PortError, match="alert_info"):
        said(EndpointKind.EXTENSION, "alice", replace(SETTINGS, alert_info="x',a=b"))


# --- frames


@given(
    st.lists(st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=6)),
    st.lists(st.integers(1, 60)),
)
def test_events_come_out_whole_however_the_bytes_were_cut(events: list[dict[str, str]], cuts: list[int]):
    sent = [{**each, "Event-Name": "CUSTOM"} for each in events]
    data = b"".join(framed(json.dumps(each).encode()) for each in sent)
    framer, got = Framer(), []
    for cut in cuts:
        got += framer.feed(data[:cut])
        data = data[cut:]
    got += framer.feed(data)
    assert [event(frame.body) for frame in got] == sent


@given(st.binary(max_size=2000))
def test_no_bytes_break_the_reader_or_the_ledger(noise: bytes):
    framer, ledger = Framer(), Ledger(str)
    try:
        frames = list(framer.feed(noise + framed(noise)))
    except GarbledError:
        return
    for frame in frames:
        if (heard := event(frame.body)) is not None:
            list(ledger.apply(heard))


@given(
    st.sampled_from([name for name in EVENTS.split() if "::" not in name]),
    st.sampled_from(OURS),
    st.dictionaries(
        st.sampled_from(["Unique-ID", "Channel-Call-State", "Job-UUID", "_body", "Leg", "Wish", "Minutes"]),
        st.text(max_size=20),
    ),
)
def test_no_event_breaks_the_ledger(name: str, ours: str, headers: dict[str, str]):
    list(Ledger(str).apply({"Event-Name": name, "Event-Subclass": f"callcontrol::{ours}", **headers}))


@given(st.text(max_size=MAX_COMMAND + 200))
def test_a_checked_text_is_one_line_without_an_expression(text: str):
    try:
        checked(text)
    except PortError:
        return
    assert not set("\r\n\0") & set(text)
    assert "${" not in text
    assert len(text.encode()) <= MAX_COMMAND
