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
