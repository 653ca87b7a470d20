from __future__ import annotations

from dataclasses import replace

import pytest

from edgetpu_build.figure import UNKNOWN, exact
from edgetpu_build.report import changes
from tests.support.outcomes import figures


@pytest.mark.parametrize(
    ("key", "before", "after", "verdict"),
    [
        ("off_chip", 0, 100, "worse"),
        ("off_chip", 100, 0, "better"),
        ("cpu_operators", 1, 2, "worse"),
        ("edgetpu_operators", 10, 12, "better"),
        ("edgetpu_operators", 12, 10, "worse"),
        ("on_chip_used", 1, 2, "changed"),
        ("latency_ms", 3.0, 2.5, "better"),
        ("subgraphs", 1, 2, "worse"),
    ],
)
def test_direction(key, before, after, verdict):
    (change,) = changes.between(replace(figures(), **{key: exact(before)}), replace(figures(), **{key: exact(after)}))
    assert (change.measure.key, change.verdict) == (key, verdict)


def test_what_stays_says_nothing():
    assert changes.between(figures(5, 6, 7), figures(5, 6, 7)) == ()


def test_what_is_unknown_says_nothing():
    assert changes.between(replace(figures(), off_chip=UNKNOWN), figures(0, 10)) == ()


def test_a_new_model_has_not_changed():
    assert changes.between(None, figures()) == ()


def test_a_sentence_names_both_sides():
    (change,) = changes.between(figures(0, 0), figures(0, 2048))
    assert change.sentence() == "off-chip 0 B → 2.0 KiB (worse)"
    assert change.sentence("->") == "off-chip 0 B -> 2.0 KiB (worse)"
    assert change.delta == "+2.0 KiB"
