"""The tables and patterns: dial strings, causes, frames. Values in, values out."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcontrol.adapters.asterisk import AsteriskSettings
from callcontrol.adapters.asterisk.causes import ended_by
from callcontrol.adapters.asterisk.dialstrings import dial_string
from callcontrol.adapters.asterisk.frames import Framer, checked, parse
from callcontrol.adapters.asterisk.ledger import EVENTS, Ledger
from callcontrol.adapters.asterisk.originates import _caller_id
from callcontrol.core import cleaning
from callcontrol.core.events import EndedBy
from callcontrol.core.model import AcceptBy, Endpoint, EndpointKind
from callcontrol.ports import CallerId, PortError
from tests.lab.rendering import SHIPPED

SETTINGS = AsteriskSettings(username="u", secret="s")
OUTSIDE = AsteriskSettings(username="u", secret="s", number_dial="Local/{address}@outside")


def endpoint(kind: EndpointKind, address: str) -> Endpoint:
    return Endpoint(kind=kind, address=address, accept_by=AcceptBy.KEY)


@pytest.mark.parametrize(
    ("kind", "address", "expected"),
    [
        (EndpointKind.EXTENSION, "alice", "PJSIP/alice"),
        (EndpointKind.EXTENSION, "101", "PJSIP/101"),
        (EndpointKind.NUMBER, "+4930123456", "PJSIP/+4930123456@trunk"),
        (EndpointKind.DIAL, "PJSIP/alice/sip:alice@10.0.0.1:5060", "PJSIP/alice/sip:alice@10.0.0.1:5060"),
        (EndpointKind.DIAL, "Local/5@desks/n", "Local/5@desks/n"),
        (EndpointKind.DIAL, "Local/5@desks", "Local/5@desks/n"),
        (EndpointKind.DIAL, "Local/5@desks/j", "Local/5@desks/jn"),
    ],
)
def test_an_endpoint_is_dialled_so(kind: EndpointKind, address: str, expected: str):
    assert dial_string(endpoint(kind, address), SETTINGS) == expected


def test_a_number_that_leaves_by_a_local_channel_keeps_its_id():
    number = endpoint(EndpointKind.NUMBER, "+4930123456")
    assert dial_string(number, OUTSIDE) == "Local/+4930123456@outside/n"


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        *(
            (EndpointKind.EXTENSION, bad)
            for bad in ("", "a b", "a&b", "a/b", "a@b", "a,b", "ä", "x" * 65, "a\n")
        ),
        *((EndpointKind.NUMBER, bad) for bad in ("", "0301234567", "+49 30", "+49a", "+4930&x", "1" * 16)),
        *(
            (EndpointKind.DIAL, bad)
            for bad in (
                "",
                "PJSIP",
                "PJSIP/",
                "PJSIP/a&PJSIP/b",
                "PJSIP/a,30",
                "/x/",
                "a/" + "b" * 300,
                "PJSIP/a\r",
            )
        ),
    ],
)
def test_an_address_that_could_dial_something_else_is_refused(kind: EndpointKind, address: str):
    with pytest.raises(PortError):
        dial_string(endpoint(kind, address), SETTINGS)


@given(st.sampled_from(EndpointKind), st.text(max_size=300))
def test_no_address_makes_a_second_destination_or_an_option(kind: EndpointKind, address: str):
    try:
        text = dial_string(endpoint(kind, address), SETTINGS)
    except PortError:
        return
    assert re.fullmatch(r"[\x21-\x7e]{3,203}", text)
    assert not set("&,;$()[]{}|\"'`\\<>%^") & set(text)


@pytest.mark.parametrize(
    ("cause", "by"),
    [
        (16, EndedBy.NORMAL),
        (17, EndedBy.BUSY),
        (18, EndedBy.NO_ANSWER),
        (19, EndedBy.NO_ANSWER),
        (21, EndedBy.DECLINED),
        (23, EndedBy.FORWARDED),
        (26, EndedBy.NORMAL),
        *((cause, EndedBy.UNREACHABLE) for cause in (-1, 1, 3, 20, 27, 34, 38, 42, 58, 127, 999)),
    ],
)
def test_a_hangup_cause_means(cause: int, by: EndedBy):
    assert ended_by(cause) is by


@given(st.text())
def test_every_name_that_was_cleaned_is_taken(name: str):
    caller = CallerId(name=cleaning.display_name(name), number="")
    header = _caller_id(caller, SETTINGS, outside=False)
    assert checked("CallerID", header) == header


# --- frames

headers = st.dictionaries(
    st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True),
    st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs",))),
    max_size=8,
)


@given(st.lists(headers), st.lists(st.integers(1, 40)))
def test_frames_come_out_whole_however_the_bytes_were_cut(frames: list[dict[str, str]], cuts: list[int]):
    sent = [{"Event": "Hangup"} | {k: v for k, v in each.items() if k != "Event"} for each in frames]
    data = b"Asterisk Call Manager/11.0.0\r\n"
    for each in sent:
        data += "".join(f"{key}: {value}\r\n" for key, value in each.items()).encode() + b"\r\n"
    framer, got = Framer(EVENTS), []
    for cut in cuts:
        got += framer.feed(data[:cut])
        data = data[cut:]
    got += framer.feed(data)
    assert got == sent


@given(st.binary(max_size=2000))
def test_no_bytes_break_the_reader_or_the_ledger(noise: bytes):
    framer, ledger = Framer(EVENTS), Ledger(str)
    frames = list(
        framer.feed(b"Asterisk Call Manager/1\r\n" + noise.replace(b"\n\n", b"\r\n\r\n") + b"\r\n\r\n")
    )
    for frame in frames:
        list(ledger.apply(frame))


@given(st.sampled_from(EVENTS), headers)
def test_no_event_breaks_the_ledger(event: str, fields: dict[str, str]):
    list(Ledger(str).apply({"Event": event, **fields}))


def test_the_last_header_may_be_empty():
    assert parse(b"Response: Success\r\nValue: ") == {"Response": "Success", "Value": ""}
    assert parse(b"Response: Success\r\nValue:") == {"Response": "Success", "Value": ""}


@given(st.text(max_size=1200))
def test_a_checked_value_is_one_line(value: str):
    try:
        checked("CallerID", value)
    except PortError:
        return
    assert not set("\r\n\0") & set(value)
    assert len(value.encode()) <= 1000


def test_the_shipped_manager_user_is_told_of_every_event_that_is_read_and_of_no_other():
    shipped = (SHIPPED / "manager.callcontrol.conf").read_text()
    told = re.findall(r"^eventfilter\(action\(include\),name\((\w+)\)\) =$", shipped, re.MULTILINE)
    assert sorted(told) == sorted(EVENTS)
