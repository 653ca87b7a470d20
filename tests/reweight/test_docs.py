from __future__ import annotations

from pathlib import Path

from edgetpu_build.compiler.reweight.constants import RULES

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "reweighting.md"


def test_the_table_names_every_operator_that_is_covered() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("## Operators")[2].partition("Refused, since")[0]
    assert [kind for kind in RULES if kind not in table] == []


def test_says_plainly_what_was_never_tried() -> None:
    assert "Nothing here was ever tried on an Edge TPU." in PAGE.read_text(encoding="utf-8")
