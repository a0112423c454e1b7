import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcontrol.core import cleaning


def test_a_display_name_keeps_what_a_name_has():
    assert cleaning.display_name("  Zoë O'Brien-Núñez Jr. ") == "Zoë O'Brien-Núñez Jr."


def test_a_display_name_loses_what_a_switch_might_obey():
    assert cleaning.display_name('Bob"\r\nAction: Originate, ${SHELL(id)} \N{GRINNING FACE}') == (
        "Bob Action Originate SHELL id"
    )


@given(st.text())
def test_no_display_name_has_anything_but_letters_digits_and_four_marks(text):
    name = cleaning.display_name(text)
    assert len(name) <= 40
    assert all(c.isalnum() or c in " .'-" for c in name)


def test_a_number_is_stripped_of_its_typography():
    assert cleaning.number("+1 (555) 010-0100") == "+15550100100"


def test_what_is_no_number_is_empty():
    for text in ("", "555;rm", "+0123", "12", "1" * 16, "٠١٢٣٤", "+1555@trunk", "1" * 300):
        assert cleaning.number(text) == ""


def test_a_line_has_no_links_and_no_control_characters():
    assert cleaning.line("Call\r\n me\x00 at https://evil.example/x www.evil.example now") == "Call me at now"


def test_a_line_is_cut():
    assert cleaning.line("a" * 10_000) == "a" * 200


@pytest.mark.parametrize(
    ("hostile", "left"),
    [
        ("Lena Lead", "Lena Lead"),
        ("see https://evil.example/x now", "see now"),
        ("ftp://evil.example", ""),
        ("www.evil.example", ""),
        ("evil.example/login", "evil example/login"),
        ("evil\u3002example", "evil example"),
        ("\uff45vil\uff0eexample", "evil example"),
        ("evil.\ufe0fexample", "evil example"),
        ("10.0.0.1/admin", "10 0 0 1/admin"),
        ("tel:+19005550100", "tel +19005550100"),
        ("javascript:alert(1)", "javascript alert(1)"),
        ("\u202eanel\u202c", "anel"),
        ("a\r\nb\x00c", "a b c"),
        ("O\u2019Brien \u2013 \u201cOBie\u201d\u2026", 'O\'Brien - "OBie"...'),
        ("J.R. at 10:30 for 1.5 million", "J.R. at 10:30 for 1.5 million"),
        ("\u3164", ""),
    ],
)
def test_nothing_is_left_that_a_phone_would_make_a_link_of(hostile, left):
    assert cleaning.unlinked(hostile) == left


@given(st.text())
def test_unlinked_text_is_short_and_clean(text):
    found = cleaning.unlinked(text, 30)
    assert len(found) <= 30
    assert found == found.strip()
    assert not any(unicodedata.category(c)[0] == "C" for c in found)


@pytest.mark.parametrize("address", ["lena@example.com", "l.o-n_g+tag@mail.sub.example.co"])
def test_an_email_address_is_kept(address):
    assert cleaning.email(f" {address} ") == address


@pytest.mark.parametrize(
    "text",
    ["", "lena", "lena@example", "a@evil.example/x", "a b@c.de", "a@b.de\n", "ä@b.de", "a" * 250 + "@b.de"],
)
def test_what_is_no_email_address_is_left_out(text):
    assert cleaning.email(text) in ("", "a@b.de")
