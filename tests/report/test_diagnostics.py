from __future__ import annotations

import pytest

from edgetpu_build.errors import Diagnostic, warning
from edgetpu_build.report import diagnostics
from edgetpu_build.report.style import Style
from tests.support.outcomes import BUDGET


def test_an_error_has_its_place_and_the_way_out():
    assert diagnostics.render(BUDGET) == (
        "error: pyproject.toml:14: detector: `off-chip` is 390.6 KiB, the budget allows 64.0 KiB [ETB101]\n"
        "  hint: raise `off-chip`, or split the model with `segments = 2`"
    )


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "error: it broke [ETB205]"),
        ({"file": "a.tflite"}, "error: a.tflite: it broke [ETB205]"),
        ({"unit": "a"}, "error: a: it broke [ETB205]"),
        ({"unit": "it"}, "error: it broke [ETB205]"),
        ({"file": "f", "line": 3, "unit": "a"}, "error: f:3: a: it broke [ETB205]"),
    ],
)
def test_only_what_is_known_is_said(fields, line):
    assert diagnostics.render(Diagnostic(code="ETB205", message="it broke", **fields)) == line


def test_a_compilers_text_is_indented_below_the_first_line():
    text = diagnostics.render(Diagnostic(code="ETB312", message="it ended with 1:\nERROR: no\nreally", hint="a\nb"))
    assert text.splitlines() == [
        "error: it ended with 1: [ETB312]",
        "  ERROR: no",
        "  really",
        "  hint: a",
        "        b",
    ]


def test_errors_come_last_and_nothing_comes_twice():
    text = diagnostics.render_all([BUDGET, warning("ETB107", "no hook"), BUDGET])
    assert [line.split(":")[0] for line in text.splitlines()] == ["warning", "error", "  hint"]


def test_an_empty_message_is_no_crash():
    assert diagnostics.render(Diagnostic(code="ETB701", message="")) == "error:  [ETB701]"


def test_a_name_cannot_forge_a_line_of_its_own():
    text = diagnostics.render(Diagnostic(code="ETB211", message="x", file="a\x1b[1A\x1b[2Kb"))
    assert "\x1b" not in text


def test_colour():
    assert diagnostics.render(BUDGET, Style(color=True)).startswith("\x1b[1;31merror:\x1b[0m pyproject.toml:14")
