import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcontrol.adapters.sql.codec import EVENT_TYPES, decode, encode
from callcontrol.core.events import AttemptResolved, Event, Settings, TransferRequested
from callcontrol.ports import StoreError

_SECONDS = st.floats(min_value=0, max_value=1e6)
_SETTINGS = st.builds(
    Settings,
    **{name: _SECONDS for name, kind in Settings.__annotations__.items() if kind is float},
)


def _any_of(cls: type[Event]) -> st.SearchStrategy[Event]:
    if cls is TransferRequested:
        return st.builds(cls, settings=_SETTINGS)
    if cls is AttemptResolved:
        return st.builds(cls, next_after_s=st.none() | _SECONDS)
    return st.from_type(cls)


@pytest.mark.parametrize("cls", EVENT_TYPES, ids=lambda cls: cls.__name__)
@given(data=st.data())
def test_every_event_comes_out_of_the_journal_as_it_went_in(cls, data):
    event = data.draw(_any_of(cls))
    kind, payload = encode(event)
    assert kind == cls.__name__
    again = decode(kind, payload)
    assert again == event
    assert type(again) is cls


def test_every_event_of_the_core_can_be_journalled():
    assert {cls.__name__ for cls in EVENT_TYPES} >= {"TransferRequested", "LinkRestored", "TimePassed"}
    assert len({cls.__name__ for cls in EVENT_TYPES}) == len(EVENT_TYPES)


def test_an_event_of_an_unknown_type_is_refused_by_name():
    with pytest.raises(StoreError, match="'FromTheFuture'") as refused:
        decode("FromTheFuture", "{}")
    assert not refused.value.retryable


@pytest.mark.parametrize("payload", ["", "{", "[]", '{"channel": 5}', "{}"])
def test_a_payload_that_makes_no_event_is_refused_without_being_quoted(payload):
    with pytest.raises(StoreError, match="LegRinging") as refused:
        decode("LegRinging", payload)
    assert not refused.value.retryable
