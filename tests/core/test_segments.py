"""Sizes worked out by hand from 3GPP TS 23.038 and 23.040."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callcontrol.core.segments import Encoding, characters, cut, encode, encoding_of, measure, split

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
FLAG = "\U0001f1e9\U0001f1ea"


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        ("", Encoding.GSM_7, 0, 1),
        ("a" * 160, Encoding.GSM_7, 160, 1),
        ("a" * 161, Encoding.GSM_7, 161, 2),
        ("a" * 306, Encoding.GSM_7, 306, 2),
        ("a" * 307, Encoding.GSM_7, 307, 3),
        ("€" * 80, Encoding.GSM_7, 160, 1),
        ("a" + "€" * 80, Encoding.GSM_7, 161, 2),
        ("a" * 152 + "€" + "a" * 151, Encoding.GSM_7, 305, 2),
        ("a" * 152 + "€" + "a" * 152, Encoding.GSM_7, 306, 3),  # the escape would end the first segment
        ("à la carte: {10 £}", Encoding.GSM_7, 20, 1),
        ("ç", Encoding.UCS_2, 1, 1),  # its capital is in GSM-7, it is not
        ("ж" * 70, Encoding.UCS_2, 70, 1),
        ("ж" * 71, Encoding.UCS_2, 71, 2),
        ("ж" * 134, Encoding.UCS_2, 134, 2),
        ("ж" * 135, Encoding.UCS_2, 135, 3),
        ("\U0001f600" * 35, Encoding.UCS_2, 70, 1),
        ("\U0001f600" * 36, Encoding.UCS_2, 72, 2),
        ("ж" * 66 + "\U0001f600" + "ж" * 66, Encoding.UCS_2, 134, 3),  # surrogates would be torn apart
    ],
)
def test_a_text_is_measured_as_it_will_be_sent(text, encoding, units, segments):
    found = measure(text)
    assert (found.encoding, found.units, found.segments) == (encoding, units, segments)


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("@Ξ", b"\x00\x1a"),
        ("Æ à", b"\x1c\x20\x7f"),  # on both sides of the escape's place
        ("[5 €]\f", b"\x1b\x3c5 \x1b\x65\x1b\x3e\x1b\x0a"),
        ("ж\U0001f600", b"\x04\x36\xd8\x3d\xde\x00"),
    ],
)
def test_a_carrier_is_given_septets_or_16_bit_units(text, octets):
    assert encode(text, encoding_of(text)) == octets


def test_an_escape_of_the_text_s_own_is_no_gsm_7():
    assert encoding_of("\x1b") is Encoding.UCS_2


@given(st.text(alphabet="aж€[\U0001f600\n ", min_size=50, max_size=700))
@example("a" * 152 + "€" + "a" * 152)
@example("ж" * 66 + "\U0001f600" + "ж" * 66)
def test_the_segments_are_as_many_as_were_measured_and_none_is_too_large(text):
    found, segments = measure(text), split(text)
    assert "".join(segments) == text
    assert len(segments) == found.segments
    if len(segments) > 1:
        room = 153 if found.encoding is Encoding.GSM_7 else 134
        assert all(len(encode(segment, found.encoding)) <= room for segment in segments)


def test_a_text_that_fits_is_left_alone():
    assert cut("a" * 160, 1) == "a" * 160


def test_a_text_that_is_too_long_ends_with_a_mark():
    assert cut("a" * 161, 1) == "a" * 157 + "..."
    assert cut("a" * 400, 2) == "a" * 303 + "..."
    assert cut("ж" * 71, 1) == "ж" * 69 + "…"


def test_no_space_is_left_before_the_mark():
    for end in (" " * 20 + "b", " " * 20):
        assert cut("a" * 150 + end, 1) == "a" * 150 + "..."


@pytest.mark.parametrize("whole", [FAMILY, FLAG, "e\u0301\u0316", "\U0001f44d\U0001f3fd", "\U0001f600"])
def test_nothing_that_is_seen_as_one_character_is_cut_in_two(whole):
    assert list(characters(whole * 3)) == [whole] * 3
    for before in range(60, 70):
        kept = cut("ж" * before + whole * 3, 1).removesuffix("…").lstrip("ж")
        assert kept.replace(whole, "") == ""


def test_a_flag_of_tags_is_one_character():
    wales = "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f"
    assert list(characters(wales + "a")) == [wales, "a"]


TEXTS = st.text(st.characters(exclude_categories=("Cs",)) | st.sampled_from("a€ж\U0001f600\u0301"))


@given(text=TEXTS, segments=st.integers(1, 4))
def test_what_was_cut_fits_and_is_a_beginning(text, segments):
    found = cut(text * 20, segments)
    assert measure(found).segments <= segments
    if found != text * 20:
        kept = found.removesuffix("...").removesuffix("…")
        assert (text * 20).startswith(kept)
        rest = (text * 20)[len(kept) :].lstrip()
        assert not unicodedata.category(rest[0]).startswith("M") or kept != kept.rstrip()


@given(text=TEXTS)
def test_characters_are_the_whole_text(text):
    assert "".join(characters(text)) == text
