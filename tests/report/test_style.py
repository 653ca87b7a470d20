from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.report.style import PLAIN, Style, pad, printable, shorten, width


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("门口", 4), ("e\u0301", 1), ("", 0)])
def test_width_is_what_a_terminal_needs(text, columns):
    assert width(text) == columns


@given(st.text(max_size=30), st.integers(1, 40))
def test_shortened_text_fits(text, columns):
    assert width(shorten(text, columns)) <= columns


@given(st.text(max_size=30))
def test_short_enough_text_stays(text):
    assert shorten(text, width(text)) == text


def test_both_ends_of_a_long_name_stay():
    assert shorten("a-very-long-name-indeed", 9) == "a-ve…deed"


@given(st.text(max_size=30), st.integers(0, 40), st.booleans())
def test_padded_text_is_wide_enough(text, columns, right):
    assert width(pad(text, columns, right=right)) == max(columns, width(text))


@given(st.text())
def test_nothing_printable_breaks_a_line(text):
    assert len(printable(text).splitlines()) <= 1
    assert "\x1b" not in printable(text)


def test_bytes_that_are_no_text_are_shown_escaped():
    assert printable("a\udce9b") == "a\\udce9b"


def test_paint_is_silent_without_colour():
    assert PLAIN.paint("x", "red") == "x"
    assert Style(color=True).paint("x", "bold", "red") == "\x1b[1;31mx\x1b[0m"
    assert Style(color=True).paint("", "red") == ""
